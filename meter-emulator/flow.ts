import type { RegionDay } from './days.ts';
import type { Driver, DriverTable } from './drivers.ts';
import { drawAt } from './hash.ts';

/**
 * How a register moves. Over days it follows a driver: coefficient times the driver's sum, plus a jitter that moves
 * consumption between neighbouring days and cancels out over time, so any midnight is one look-up. Within the day
 * its amount is spread over the quarter-hours by weights.
 */

/** The world that the meters of one region share. */
export interface Surroundings {
  readonly drivers: DriverTable;
  day(number: number): RegionDay;
}

export interface Stream {
  readonly driver: Driver;
  /** Base units (Wh, dm³, litres, MJ) per unit of the driver. */
  readonly coefficient: number;
  /** How much of a day's amount may move to the day before: 0 to below 1. */
  readonly jitter: number;
  readonly state: number;
}

/**
 * The amount, not yet rounded, that flowed from the origin to the beginning of a day.
 * It never falls: the jitter is bounded by the smaller of the two days that it moves between.
 */
export function flowBefore(drivers: DriverTable, stream: Stream, day: number): number {
  const movable = Math.min(drivers.amount(stream.driver, day - 1), drivers.amount(stream.driver, day));
  const moved = stream.jitter * movable * drawAt(stream.state, day);
  return stream.coefficient * (drivers.sumBefore(stream.driver, day) + moved);
}

/** Fills `weights` for each quarter-hour of a day: how its amount is spread. Not negative, any sum. */
export type Weigh = (day: RegionDay, weights: Float64Array) => void;

/** A part of what a meter counts: its streams, by day rate and by night rate where there are rates. */
export interface Part {
  readonly streams: readonly [Stream] | readonly [Stream | null, Stream | null];
  readonly weigh: Weigh;
}

/** The quarter-hours of the longest day. */
const QUARTERS_MAX = 100;
const weights = new Float64Array(QUARTERS_MAX);
const WHOLE_DAY = new Uint8Array(QUARTERS_MAX).fill(1);

/**
 * A register at each quarter-hour boundary of a day (`quarterCount` + 1 values), one array per rate: whole units that
 * never fall, begin where the day before ended and end where the next one begins.
 */
export function registersOfDay(
  { drivers, day: dayOf }: Surroundings,
  parts: readonly Part[],
  number: number,
  since: number,
): Float64Array[] {
  const day = dayOf(number);
  const rateCount = parts[0]?.streams.length ?? 0;
  const sums = Array.from({ length: rateCount }, () => ({
    begin: 0,
    end: 0,
    amounts: new Float64Array(day.frame.quarterCount),
  }));
  for (const { streams, weigh } of parts) {
    weigh(day, weights);
    streams.forEach((stream, rate) => {
      if (stream === null) return;
      const sum = sums[rate]!;
      const base = flowBefore(drivers, stream, since);
      const before = flowBefore(drivers, stream, number);
      const after = flowBefore(drivers, stream, number + 1);
      sum.begin += before - base;
      sum.end += after - base;
      // Rate 1, the first, runs where the mask is 1.
      spread(after - before, sum.amounts, rateCount === 1 ? WHOLE_DAY : day.dayRate, rate === 0 ? 1 : 0);
    });
  }
  return sums.map(({ begin, end, amounts }) => accumulate(begin, end, amounts));
}

/** Spread an amount by the weights over the quarter-hours whose mask is as wanted, adding to `amounts`. */
function spread(total: number, amounts: Float64Array, mask: Uint8Array, wanted: number): void {
  let sum = 0;
  let admitted = 0;
  for (let quarter = 0; quarter < amounts.length; quarter++)
    if (mask[quarter] === wanted) {
      sum += weights[quarter]!;
      admitted++;
    }
  for (let quarter = 0; quarter < amounts.length; quarter++)
    if (mask[quarter] === wanted)
      amounts[quarter]! += sum > 0 ? (total * weights[quarter]!) / sum : total / admitted;
}

/** Round a running sum down to whole units, in such a way that both ends are those of the neighbouring days. */
function accumulate(begin: number, end: number, amounts: Float64Array): Float64Array {
  const count = amounts.length;
  const register = new Float64Array(count + 1);
  const first = Math.max(0, Math.floor(begin));
  const last = Math.max(first, Math.floor(end));
  let running = begin;
  let lastMoving = 0;
  register[0] = first;
  for (let quarter = 0; quarter < count; quarter++) {
    const amount = amounts[quarter]!;
    running += amount;
    if (amount > 0) lastMoving = quarter;
    register[quarter + 1] = Math.min(last, Math.max(first, Math.floor(running)));
  }
  // What rounding held back belongs to the last quarter-hour in which anything flowed, not to midnight.
  for (let quarter = lastMoving; quarter < count; quarter++) register[quarter + 1] = last;
  return register;
}
