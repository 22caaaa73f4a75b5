/** A record of the largest payload that the protocol lets through, all its flags set, stays below this. */
export const RECORD_BYTES_MAX = 1_048_576;

const FIRST_BYTES = 65_536;

/** Up to here a loop over the characters is quicker than the call that copies a string. */
const SHORT_TEXT_MAX = 24;

/** Buffer's own `fill` looks at encodings first. */
const { fill: zero } = Uint8Array.prototype;

/**
 * One buffer that records are put together in, one after the other; each leaves as a copy. It grows to the
 * largest record that came, and no further than RECORD_BYTES_MAX.
 */
export class ByteWriter {
  #bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #at = 0;
  /** How far anything was ever written since the last record left. */
  #dirty = 0;

  /** ASCII only. */
  text(text: string): void {
    const { length } = text;
    this.#reserve(length);
    if (length > SHORT_TEXT_MAX) {
      this.#at += this.#bytes.write(text, this.#at, 'latin1');
      return;
    }
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < length; i++) bytes[at++] = text.charCodeAt(i);
    this.#at = at;
  }

  /** Text that is kept ready as bytes. */
  ready(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Let `fill` write up to `bytesMax` at a place; it returns where it ended, or −1 to take nothing of it. */
  block(bytesMax: number, fill: (target: Uint8Array, at: number) => number): boolean {
    this.#reserve(bytesMax);
    const end = fill(this.#bytes, this.#at);
    if (end >= 0) this.#at = end;
    return end >= 0;
  }

  /** The record so far, as bytes of its own. Nothing of it stays here: a reading does not outlive its delivery. */
  take(): Buffer {
    const record = Buffer.allocUnsafe(this.#at);
    this.#bytes.copy(record, 0, 0, this.#at);
    this.clear();
    return record;
  }

  /** Forget a record that was not finished. */
  clear(): void {
    zero.call(this.#bytes, 0, 0, this.#dirty);
    this.#at = 0;
    this.#dirty = 0;
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    if (needed > this.#dirty) this.#dirty = needed;
    if (needed > this.#bytes.length) this.#grow(needed);
  }

  #grow(needed: number): void {
    if (needed > RECORD_BYTES_MAX) {
      this.#dirty = this.#bytes.length;
      throw new RangeError('a record larger than any payload makes');
    }
    const larger = Buffer.allocUnsafeSlow(Math.min(RECORD_BYTES_MAX, 2 ** Math.ceil(Math.log2(needed))));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes.fill(0);
    this.#bytes = larger;
  }
}
