/** A record of the largest payload that the protocol lets through, all its flags set, stays below this. */
export const RECORD_BYTES_MAX = 1_048_576;

const FIRST_BYTES = 65_536;

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
    this.#reserve(text.length);
    this.#at += this.#bytes.write(text, this.#at, 'latin1');
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
    const record = Buffer.from(this.#bytes.subarray(0, this.#at));
    this.#bytes.fill(0, 0, this.#dirty);
    this.#at = 0;
    this.#dirty = 0;
    return record;
  }

  #reserve(length: number): void {
    const needed = this.#at + length;
    this.#dirty = Math.max(this.#dirty, needed);
    if (needed <= this.#bytes.length) return;
    if (needed > RECORD_BYTES_MAX) throw new RangeError('a record larger than any payload makes');
    const larger = Buffer.allocUnsafeSlow(Math.min(RECORD_BYTES_MAX, 2 ** Math.ceil(Math.log2(needed))));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes.fill(0);
    this.#bytes = larger;
  }
}
