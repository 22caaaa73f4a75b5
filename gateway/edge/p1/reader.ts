import { Framer } from './framer.ts';
import type { P1Keys } from './glo-keys.ts';
import { type GloOptions, isDlmsNotification, openGlo } from './glo-open.ts';
import { parseTelegram } from './parse.ts';
import { P1Splitter } from './splitter.ts';
import type { P1Fault, P1Telegram } from './telegram.ts';

export interface P1ReaderSink {
  telegram(telegram: P1Telegram): void;
  /** A frame that yields no reading, and why. Its content is not passed on. */
  fault?(fault: P1Fault): void;
}

export interface P1ReaderOptions {
  /** For encrypted ports; without them an encrypted telegram is the fault `encrypted`. */
  readonly keys?: P1Keys | null;
  /** Take encrypted telegrams without a right tag; each is marked `unverified`. Never for readings that count. */
  readonly acceptUnverified?: boolean;
}

/** Bytes in, telegrams out: splitter, framer and parser in a row, with counters for what went wrong. */
export class P1Reader {
  readonly faults: Partial<Record<P1Fault, number>> = {};
  telegrams = 0;
  /** Telegrams among them that no tag vouches for. */
  unverified = 0;
  readonly #sink: P1ReaderSink;
  readonly #opening: GloOptions;
  readonly #framer: Framer;
  readonly #splitter: P1Splitter;

  constructor(sink: P1ReaderSink, { keys = null, acceptUnverified = false }: P1ReaderOptions = {}) {
    this.#sink = sink;
    this.#opening = { keys, acceptUnverified };
    this.#framer = new Framer({
      frame: (bytes) => void this.#take(bytes, 'none'),
      overlong: () => this.#count('overlong'),
    });
    this.#splitter = new P1Splitter({
      plain: (bytes) => this.#framer.feed(bytes),
      gap: () => this.#framer.gap(),
      sealed: (frame) => this.#open(frame),
      cut: () => this.#count('cut'),
    });
  }

  get noiseBytes(): number {
    return this.#framer.noiseBytes;
  }

  get heldBytes(): number {
    return this.#framer.heldBytes + this.#splitter.heldBytes;
  }

  feed(block: Uint8Array): void {
    this.#splitter.feed(block);
  }

  /** The end of the stream, or a silence longer than the pause between telegrams. */
  flush(): void {
    this.#splitter.flush();
    this.#framer.flush();
  }

  /** Whether a frame was what it looked like; if not, its bytes are searched for another beginning. */
  #open(frame: Buffer): boolean {
    const outcome = openGlo(frame, this.#opening);
    if (!outcome.ok) {
      this.#count(outcome.fault);
      return false;
    }
    const { verified } = outcome;
    if (isDlmsNotification(outcome.plaintext)) {
      this.#count('dlms');
      return verified;
    }
    const inner = { frames: 0, telegrams: 0 };
    const framer = new Framer({
      frame: (bytes) => {
        inner.frames += 1;
        if (this.#take(bytes, verified ? 'verified' : 'unverified')) inner.telegrams += 1;
      },
      overlong: () => this.#count('overlong'),
    });
    framer.feed(outcome.plaintext);
    framer.flush();
    if (inner.frames === 0) this.#count('not-text');
    // Without a tag only a telegram's own CRC tells that the frame was one.
    return verified || inner.telegrams > 0;
  }

  #take(frame: Buffer, encryption: P1Telegram['encryption']): boolean {
    const outcome = parseTelegram(frame);
    if (!outcome.ok) {
      this.#count(outcome.fault);
      return false;
    }
    if (encryption === 'unverified') {
      // Neither tag nor CRC: nothing at all would tell a reading from an alteration.
      if (outcome.telegram.crc === 'absent') {
        this.#count('untagged');
        return false;
      }
      this.unverified += 1;
    }
    this.telegrams += 1;
    this.#sink.telegram(encryption === 'none' ? outcome.telegram : { ...outcome.telegram, encryption });
    return true;
  }

  #count(fault: P1Fault): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
    this.#sink.fault?.(fault);
  }
}

/** All telegrams of a recording that is wholly in memory, and the faults between them. */
export function readTelegrams(
  bytes: Uint8Array,
  options: P1ReaderOptions = {},
): { telegrams: P1Telegram[]; faults: P1Fault[] } {
  const telegrams: P1Telegram[] = [];
  const faults: P1Fault[] = [];
  const reader = new P1Reader(
    { telegram: (telegram) => telegrams.push(telegram), fault: (fault) => faults.push(fault) },
    options,
  );
  reader.feed(bytes);
  reader.flush();
  return { telegrams, faults };
}
