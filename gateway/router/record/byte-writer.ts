import { decimal } from './decimal.ts';

/** A record of the largest payload that the protocol lets through, all its flags set, stays below this. */
export const RECORD_BYTES_MAX = 1_048_576;

/**
 * Records are cut from blocks of this size. A block is freed with the last of its records, which all came within
 * milliseconds and are let go within seconds.
 */
const BLOCK_BYTES = 65_536;

/** Up to here a loop over the characters is quicker than the call that copies a string. */
const SHORT_TEXT_MAX = 24;

/** Small integers of the engine, and more decimals than meters print. */
const DIGITS_VALUE_MAX = 0x3fff_ffff;
const DECIMALS_MAX = 9;
const DIGITS_BYTES_MAX = 16;
const ZERO = 0x30;
const POINT = 0x2e;

function digitCount(value: number): number {
  let count = 1;
  for (let bound = 10; value >= bound; bound *= 10) count++;
  return count;
}

/**
 * Puts records together, one after the other, where they will stay: a copy of each day's 20 kB cost as much as
 * writing its readings. A record that outgrows what is left of its block moves on to a new one.
 */
export class ByteWriter {
  #block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  #start = 0;
  #at = 0;
  /** The length of the record before: the next one will not be much longer. */
  #usual = 0;

  /** ASCII only. */
  text(text: string): void {
    const { length } = text;
    this.#reserve(length);
    if (length > SHORT_TEXT_MAX) {
      this.#at += this.#block.write(text, this.#at, 'latin1');
      return;
    }
    const block = this.#block;
    let at = this.#at;
    for (let i = 0; i < length; i++) block[at++] = text.charCodeAt(i);
    this.#at = at;
  }

  /** `value × 10^exponent`, as `decimal` has it; the usual ones digit by digit, without a string in between. */
  decimal(value: number, exponent: number): void {
    if (!(value >= 0 && value <= DIGITS_VALUE_MAX && exponent <= 0 && exponent >= -DECIMALS_MAX)) {
      this.text(decimal(value, exponent));
      return;
    }
    this.#reserve(DIGITS_BYTES_MAX);
    const block = this.#block;
    const decimals = -exponent;
    const length = Math.max(digitCount(value), decimals + 1) + (decimals > 0 ? 1 : 0);
    let rest = value;
    let at = this.#at + length;
    for (let i = 0; i < decimals; i++) {
      const tenth = (rest / 10) | 0;
      block[--at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    if (decimals > 0) block[--at] = POINT;
    while (at > this.#at) {
      const tenth = (rest / 10) | 0;
      block[--at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#at += length;
  }

  /** Text that is kept ready as bytes. */
  ready(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#block.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Let `fill` write up to `bytesMax` at a place; it returns where it ended, or −1 to take nothing of it. */
  fill(bytesMax: number, fill: (target: Uint8Array, at: number) => number): boolean {
    this.#reserve(bytesMax);
    const end = fill(this.#block, this.#at);
    if (end >= 0) this.#at = end;
    return end >= 0;
  }

  /** The record so far, in a block that others share: whoever takes it overwrites it when it is done with. */
  take(): Buffer {
    const record = this.#block.subarray(this.#start, this.#at);
    this.#usual = record.length;
    this.#start = this.#at;
    if (this.#block.length - this.#at < this.#usual) this.#renew(BLOCK_BYTES);
    return record;
  }

  /** Forget a record that was not finished. */
  clear(): void {
    this.#at = this.#start;
  }

  #reserve(length: number): void {
    const needed = this.#at - this.#start + length;
    if (this.#start + needed <= this.#block.length) return;
    if (needed > RECORD_BYTES_MAX) throw new RangeError('a record larger than any payload makes');
    this.#renew(Math.max(BLOCK_BYTES, needed * 2));
  }

  #renew(bytes: number): void {
    const block = Buffer.allocUnsafeSlow(bytes);
    this.#block.copy(block, 0, this.#start, this.#at);
    this.#at -= this.#start;
    this.#start = 0;
    this.#block = block;
  }
}
