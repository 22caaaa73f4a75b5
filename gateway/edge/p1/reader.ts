import { Framer } from './framer.ts';
import { parseTelegram } from './parse.ts';
import type { P1Fault, P1Telegram } from './telegram.ts';

export interface P1ReaderSink {
  telegram(telegram: P1Telegram): void;
  /** A frame that yields no reading, and why. Its content is not passed on. */
  fault?(fault: P1Fault): void;
}

/** Bytes in, telegrams out: the framer and the parser in a row, with counters for what went wrong. */
export class P1Reader {
  readonly faults: Partial<Record<P1Fault, number>> = {};
  telegrams = 0;
  private readonly sink: P1ReaderSink;
  private readonly framer: Framer;

  constructor(sink: P1ReaderSink) {
    this.sink = sink;
    this.framer = new Framer({
      frame: (bytes) => {
        const outcome = parseTelegram(bytes);
        if (!outcome.ok) return this.count(outcome.fault);
        this.telegrams += 1;
        sink.telegram(outcome.telegram);
      },
      overlong: () => this.count('overlong'),
    });
  }

  get noiseBytes(): number {
    return this.framer.noiseBytes;
  }

  get heldBytes(): number {
    return this.framer.heldBytes;
  }

  feed(block: Uint8Array): void {
    this.framer.feed(block);
  }

  /** The end of the stream, or a silence longer than the pause between telegrams. */
  flush(): void {
    this.framer.flush();
  }

  private count(fault: P1Fault): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
    this.sink.fault?.(fault);
  }
}

/** All telegrams of a recording that is wholly in memory, and the faults between them. */
export function readTelegrams(bytes: Uint8Array): { telegrams: P1Telegram[]; faults: P1Fault[] } {
  const telegrams: P1Telegram[] = [];
  const faults: P1Fault[] = [];
  const reader = new P1Reader({
    telegram: (telegram) => telegrams.push(telegram),
    fault: (fault) => faults.push(fault),
  });
  reader.feed(bytes);
  reader.flush();
  return { telegrams, faults };
}
