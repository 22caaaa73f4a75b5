import { couldBeHeader } from './framer.ts';
import { GLO_FRAME_BYTES_MAX, GLO_MORE, GLO_NONE, GLO_TAG, gloFrameLength } from './glo-frame.ts';

export interface SplitterSink {
  /** Bytes of no encrypted frame, in the order in which they came. */
  plain(bytes: Uint8Array): void;
  /** Something was taken out of the plain bytes here: no telegram may close over the gap. */
  gap(): void;
  /**
   * A frame as long as its length field says. Whether it opened: one that did not may be noise, or a cut frame that
   * took the next one's beginning with it, so its bytes are then looked at once more. Copy what is to be kept.
   */
  sealed(frame: Buffer): boolean;
  /** The stream ended inside a frame. */
  cut(): void;
}

const CAPACITY_INITIAL = 1024;
/** A frame that did not open is looked at again behind its `DB 08`. */
const RETRY_FROM = 2;

/**
 * Takes encrypted frames out of a stream that may hold plain telegrams and noise as well. It decides by nothing
 * but the bytes so far, so blocks of any size give the same, and holds one frame at most.
 */
export class P1Splitter {
  readonly #sink: SplitterSink;
  #held = Buffer.alloc(CAPACITY_INITIAL);
  #length = 0;
  /** How long the held frame will be, or 0 while its length field is not there yet. */
  #needed = 0;

  constructor(sink: SplitterSink) {
    this.#sink = sink;
  }

  get heldBytes(): number {
    return this.#length;
  }

  feed(block: Uint8Array): void {
    // What is to be looked at, next last. A frame that did not open puts its rest on top; each is shorter than
    // the frame that it is of, so that all of them together are no longer than one frame.
    const waiting: Uint8Array[] = [block];
    for (let bytes = waiting.pop(); bytes !== undefined; bytes = waiting.pop()) {
      const at = this.#length === 0 ? this.#passPlain(bytes) : this.#hold(bytes);
      const again = this.#decide();
      if (at < bytes.length) waiting.push(bytes.subarray(at));
      if (again !== null) waiting.push(again);
    }
  }

  /** The stream has ended or was silent for long: what is held will not become a frame. */
  flush(): void {
    while (this.#length > 0) {
      const rest = this.#release(this.#needed > 0);
      if (rest !== null) this.feed(rest);
    }
  }

  /** Pass on what comes before the next `DB`, and hold that; how far the bytes are used up. */
  #passPlain(bytes: Uint8Array): number {
    const start = bytes.indexOf(GLO_TAG);
    if (start !== 0) this.#sink.plain(start < 0 ? bytes : bytes.subarray(0, start));
    return start < 0 ? bytes.length : start + this.#hold(bytes.subarray(start));
  }

  /** Hold as many bytes as are surely of the frame: one by one until its length is known. */
  #hold(bytes: Uint8Array): number {
    const count = Math.min(bytes.length, this.#needed === 0 ? 1 : this.#needed - this.#length);
    this.#reserve(this.#length + count);
    this.#held.set(count === bytes.length ? bytes : bytes.subarray(0, count), this.#length);
    this.#length += count;
    return count;
  }

  /** What the held bytes are by now; bytes that must be looked at again, if any. */
  #decide(): Uint8Array | null {
    if (this.#length === 0) return null;
    if (this.#needed === 0) {
      const length = gloFrameLength(this.#held, 0, this.#length);
      if (length === GLO_MORE) return null;
      if (length === GLO_NONE) return this.#release(false);
      this.#needed = length;
    }
    if (this.#length < this.#needed) return null;
    this.#sink.gap();
    if (!this.#sink.sealed(this.#held.subarray(0, this.#length))) return this.#release(true);
    this.#length = 0;
    this.#needed = 0;
    return null;
  }

  /**
   * Let go of what is held. What did not even have the head of a frame is plain from its first byte on. Of a frame
   * that was cut or did not open, everything is dropped up to where another frame or a telegram may begin: its
   * ciphertext is no noise of the line.
   */
  #release(wasFrame: boolean): Uint8Array | null {
    const held = Buffer.from(this.#held.subarray(0, this.#length));
    const cut = wasFrame && this.#length < this.#needed;
    this.#length = 0;
    this.#needed = 0;
    if (wasFrame) {
      if (cut) {
        this.#sink.gap();
        this.#sink.cut();
      }
      const start = startIn(held, RETRY_FROM);
      return start < 0 ? null : held.subarray(start);
    }
    this.#sink.plain(held.subarray(0, 1));
    return held.length > 1 ? held.subarray(1) : null;
  }

  #reserve(length: number): void {
    if (length <= this.#held.length) return;
    const grown = Buffer.alloc(Math.min(Math.max(length, this.#held.length * 2), GLO_FRAME_BYTES_MAX));
    this.#held.copy(grown, 0, 0, this.#length);
    this.#held = grown;
  }
}

const SLASH = 0x2f;

/** Where in the bytes of a frame that was none something else may begin, or -1. */
function startIn(bytes: Buffer, from: number): number {
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === GLO_TAG && gloFrameLength(bytes, at, bytes.length) !== GLO_NONE) return at;
    if (byte === SLASH && couldBeHeader(bytes, at, bytes.length)) return at;
  }
  return -1;
}
