import { EventEmitter } from 'node:events';
import type { Duplex } from 'node:stream';
import { hasValidCrc } from './crc.ts';

/** Address, function, exception code, checksum. */
const EXCEPTION_BYTES = 5;
/** Modbus over Serial Line V1.02 §2.5.1: no frame is longer. Twice that is kept, for noise in front of one. */
const KEPT_BYTES_MAX = 512;

/**
 * RTU frames on a stream, as modbus-serial wants its ports. It has ports of its own for serial lines and serial
 * servers; they keep what came before a question, and would give a late answer as the answer to the next one, take
 * the first bytes that look like a header whatever their checksum, and grow without bound on a noisy line.
 */
export class RtuPort extends EventEmitter {
  readonly #stream: Duplex;
  #kept: Buffer = Buffer.alloc(0);
  #unit = 0;
  #function = 0;
  #answerBytes = 0;
  #waiting = false;
  /** Bytes since the question: silence and noise are different faults. */
  heardBytes = 0;

  constructor(stream: Duplex) {
    super();
    this.#stream = stream;
    stream.on('data', this.#take);
  }

  get isOpen(): boolean {
    return !this.#stream.destroyed;
  }

  open(done: (error?: Error) => void): void {
    done();
  }

  close(done?: () => void): void {
    this.#stream.off('data', this.#take);
    done?.();
  }

  /** A question: whatever came before it answers something else. */
  write(question: Buffer): void {
    this.#unit = question[0]!;
    this.#function = question[1]!;
    this.#answerBytes = EXCEPTION_BYTES + 2 * question.readUInt16BE(4);
    this.#kept = Buffer.alloc(0);
    this.#waiting = true;
    this.heardBytes = 0;
    this.#stream.write(question);
  }

  readonly #take = (bytes: Buffer): void => {
    if (!this.#waiting) return;
    this.heardBytes += bytes.length;
    this.#kept = Buffer.concat([this.#kept, bytes]).subarray(-KEPT_BYTES_MAX);
    const frame = this.#find();
    if (frame === null) return;
    this.#waiting = false;
    this.emit('data', frame);
  };

  /**
   * The answer among what was heard: the first whole frame of the unit with a right checksum, else one of another
   * unit, else (when nothing can still become one) the first that looks like it, for its checksum to be reported.
   */
  #find(): Buffer | null {
    let spoiled: Buffer | null = null;
    let stranger: Buffer | null = null;
    for (let at = 0; at + EXCEPTION_BYTES <= this.#kept.length; at++) {
      const bytes = this.#bytesOfAnswerAt(at);
      if (bytes === null) continue;
      const mine = this.#kept[at] === this.#unit;
      // The rest of it is still on its way.
      if (at + bytes > this.#kept.length) {
        if (mine && spoiled === null) return null;
        continue;
      }
      const frame = this.#kept.subarray(at, at + bytes);
      if (!hasValidCrc(frame)) {
        if (mine) spoiled ??= frame;
      } else if (mine) return frame;
      else stranger ??= frame;
    }
    return stranger ?? spoiled;
  }

  #bytesOfAnswerAt(at: number): number | null {
    const code = this.#kept[at + 1];
    if (code === this.#function) return this.#answerBytes;
    return code === (this.#function | 0x80) ? EXCEPTION_BYTES : null;
  }
}
