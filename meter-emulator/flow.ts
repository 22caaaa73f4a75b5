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

/** The quarter-hours of the longest day, and the midnight that ends it. */
const BOUNDARIES_MAX = 101;
const weights = new Float64Array(BOUNDARIES_MAX);
const amounts = [new Float64Array(BOUNDARIES_MAX), new Float64Array(BOUNDARIES_MAX)] as const;
const begins = new Float64Array(2);
const ends = new Float64Array(2);
const WHOLE_DAY = new Uint8Array(BOUNDARIES_MAX).fill(1);

/** Room for a day's registers, for whoever goes through many days and keeps none. */
export const newRegister = (): Float64Array => new Float64Array(BOUNDARIES_MAX);

/**
 * A register at each quarter-hour boundary of a day (`quarterCount` + 1 values), one array per rate: whole units that
 * never fall, begin where the day before ended and end where the next one begins. Written into `room` where it is
 * given; a meter's day is computed for thirteen months to find its peaks, and must then allocate nothing.
 */
export function registersOfDay(
  { drivers, day: dayOf }: Surroundings,
  parts: readonly Part[],
  number: number,
  since: number,
  room?: readonly Float64Array[],
): readonly Float64Array[] {
  const day = dayOf(number);
  const count = day.frame.quarterCount;
  const rateCount = parts[0]!.streams.length;
  for (let rate = 0; rate < rateCount; rate++) {
    amounts[rate]!.fill(0, 0, count);
    begins[rate] = 0;
    ends[rate] = 0;
  }
  for (let index = 0; index < parts.length; index++) {
    const { streams, weigh } = parts[index]!;
    weigh(day, weights);
    for (let rate = 0; rate < rateCount; rate++) {
      const stream = streams[rate];
      if (stream === null || stream === undefined) continue;
      const base = flowBefore(drivers, stream, since);
      const before = flowBefore(drivers, stream, number);
      const after = flowBefore(drivers, stream, number + 1);
      begins[rate]! += before - base;
      ends[rate]! += after - base;
      // Rate 1, the first, runs where the mask is 1.
      spread(
        after - before,
        amounts[rate]!,
        count,
        rateCount === 1 ? WHOLE_DAY : day.dayRate,
        rate === 0 ? 1 : 0,
      );
    }
  }
  const registers = room ?? Array.from({ length: rateCount }, () => new Float64Array(count + 1));
  for (let rate = 0; rate < rateCount; rate++)
    accumulate(begins[rate]!, ends[rate]!, amounts[rate]!, count, registers[rate]!);
  return registers;
}

/** Spread an amount by the weights over the quarter-hours whose mask is as wanted, adding to what is there. */
function spread(total: number, into: Float64Array, count: number, mask: Uint8Array, wanted: number): void {
  let sum = 0;
  let admitted = 0;
  for (let quarter = 0; quarter < count; quarter++)
    if (mask[quarter] === wanted) {
      sum += weights[quarter]!;
      admitted++;
    }
  if (admitted === 0) return;
  const share = sum > 0 ? total / sum : total / admitted;
  for (let quarter = 0; quarter < count; quarter++)
    if (mask[quarter] === wanted) into[quarter]! += sum > 0 ? share * weights[quarter]! : share;
}

/** Round a running sum down to whole units, in such a way that both ends are those of the neighbouring days. */
function accumulate(
  begin: number,
  end: number,
  moved: Float64Array,
  count: number,
  register: Float64Array,
): void {
  const first = Math.max(0, Math.floor(begin));
  const last = Math.max(first, Math.floor(end));
  let running = begin;
  let lastMoving = 0;
  register[0] = first;
  for (let quarter = 0; quarter < count; quarter++) {
    const amount = moved[quarter]!;
    running += amount;
    if (amount > 0) lastMoving = quarter;
    register[quarter + 1] = Math.min(last, Math.max(first, Math.floor(running)));
  }
  // What rounding held back belongs to the last quarter-hour in which anything flowed, not to midnight.
  for (let quarter = lastMoving; quarter < count; quarter++) register[quarter + 1] = last;
}
