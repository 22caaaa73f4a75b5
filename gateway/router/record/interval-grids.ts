import { utcText } from './instants.ts';

/** Days whose interval time stamps are kept ready: a fleet closes one day at a time, stragglers a few more. */
const GRIDS_MAX = 128;

const OPENING = (end: number): string => `{"timeStamp":"${utcText(end)}"`;
const VALUE = ',"value":"0.000"},';
const ZERO = 0x30;
/** `000` … `999`, the codes of the three digits side by side in one integer; a byte takes the lowest eight bits. */
const DIGITS = Int32Array.from({ length: 1_000 }, (_, n) =>
  Buffer.from(String(n).padStart(3, '0')).readUIntBE(0, 3),
);
/** Values that `0.000` has room for. */
const FOUR_DIGITS_END = 10_000;

/**
 * The intervals of one day, ready as text and as bytes. Each object is equally long, so that the values of a
 * usual day only have to be written over the zeros of a copy.
 */
export class IntervalGrid {
  readonly start: number;
  readonly periodSeconds: number;
  /** Each interval as the opening of its JSON object. */
  readonly openings: readonly string[];
  readonly #bytes: Buffer;
  readonly #stride: number;
  readonly #valueAt: number;

  constructor(start: number, periodSeconds: number, count: number) {
    this.start = start;
    this.periodSeconds = periodSeconds;
    this.openings = Array.from({ length: count }, (_, i) => OPENING(start + (i + 1) * periodSeconds));
    this.#bytes = Buffer.from(this.openings.map((opening) => opening + VALUE).join(''), 'latin1');
    this.#stride = this.#bytes.length / count;
    this.#valueAt = this.openings[0]!.length + VALUE.indexOf('0');
  }

  /**
   * Write intervals of thousandths into `target`, separated by commas.
   * @returns where they end, or −1 where one of them is missing, negative or not below ten, and nothing counts
   */
  fill(target: Uint8Array, at: number, thousandths: readonly (number | null)[]): number {
    const { length } = thousandths;
    target.set(this.#bytes.subarray(0, length * this.#stride), at);
    for (let i = 0, digit = at + this.#valueAt; i < length; i++, digit += this.#stride) {
      const value = thousandths[i];
      if (typeof value !== 'number' || value < 0 || value >= FOUR_DIGITS_END) return -1;
      if (value === 0) continue;
      const units = (value / 1_000) | 0;
      const digits = DIGITS[value - units * 1_000]!;
      if (units > 0) target[digit] = ZERO + units;
      target[digit + 2] = digits >> 16;
      target[digit + 3] = digits >> 8;
      target[digit + 4] = digits;
    }
    return at + length * this.#stride - 1;
  }
}

/**
 * IEC 61968-9 stamps an interval with its end. UTC needs no rule for daylight saving: the day of 92 or 100
 * quarter-hours is simply that many periods after its start. Every meter that closes the same day has the same
 * stamps, so they are made once; the memory holds times only, never a reading.
 */
export class IntervalGrids {
  readonly #grids: IntervalGrid[] = [];

  of(start: number, periodSeconds: number, count: number): IntervalGrid {
    for (const known of this.#grids)
      if (known.start === start && known.periodSeconds === periodSeconds && known.openings.length >= count)
        return known;
    const grid = new IntervalGrid(start, periodSeconds, count);
    // Newest first: that is the day which a fleet closes now.
    this.#grids.unshift(grid);
    if (this.#grids.length > GRIDS_MAX) this.#grids.pop();
    return grid;
  }
}
