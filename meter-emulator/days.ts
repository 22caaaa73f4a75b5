import { dayNamed, dayOfOrdinal, offsetMinutesAt, QUARTER_SECONDS } from '../gateway/edge/days/calendar.ts';
import type { Timestamp } from '../protocol/reading.ts';
import { boughtPart, type Climate } from './climate.ts';
import { type DayKind, dayKind } from './shapes.ts';
import { isDayRate, planAt, type Region } from './tariffs.ts';

/** One local day, quarter by quarter: what is the same for every meter. Days are counted from 1970-01-01. */
export interface DayFrame {
  readonly number: number;
  /** `YYYY-MM-DD`. */
  readonly date: string;
  /** Monday is 0. */
  readonly weekday: number;
  readonly startSeconds: number;
  /** 92, 96 or 100. */
  readonly quarterCount: number;
  /** The place of each quarter-hour on the local clock, 0 to 95: one hour is missing in March, one comes twice in October. */
  readonly localQuarters: Uint8Array;
  /** The first quarter-hour that has the day's later offset; `quarterCount` on a day without a clock change. */
  readonly changeAt: number;
  readonly offsetBeforeMinutes: number;
  readonly offsetAfterMinutes: number;
}

export function dayNumber(date: string): number {
  return dayNamed(date).ordinal;
}

export function dayFrame(number: number): DayFrame {
  const day = dayOfOrdinal(number);
  const offsetBeforeMinutes = offsetMinutesAt(day.start);
  const offsetAfterMinutes = offsetMinutesAt(day.end);
  let changeAt = day.quarters;
  if (offsetAfterMinutes !== offsetBeforeMinutes) {
    changeAt = 0;
    while (offsetMinutesAt(day.start + changeAt * QUARTER_SECONDS) === offsetBeforeMinutes) changeAt++;
  }
  const shift = (offsetAfterMinutes - offsetBeforeMinutes) / 15;
  const localQuarters = Uint8Array.from({ length: day.quarters }, (_, quarter) =>
    quarter < changeAt ? quarter : quarter + shift,
  );
  return {
    number,
    date: day.name,
    // 1970-01-01 was a Thursday.
    weekday: (((number + 3) % 7) + 7) % 7,
    startSeconds: day.start,
    quarterCount: day.quarters,
    localQuarters,
    changeAt,
    offsetBeforeMinutes,
    offsetAfterMinutes,
  };
}

/** The instant at which a quarter-hour of a day begins; `quarterCount` gives the midnight that ends the day. */
export function quarterStart(frame: DayFrame, quarter: number): Timestamp {
  return {
    epochSeconds: frame.startSeconds + quarter * QUARTER_SECONDS,
    offsetMinutes: quarter < frame.changeAt ? frame.offsetBeforeMinutes : frame.offsetAfterMinutes,
  };
}

/** A day in one region under one weather. */
export interface RegionDay {
  readonly frame: DayFrame;
  readonly kind: DayKind;
  /** 1 where rate 1 (day) runs. */
  readonly dayRate: Uint8Array;
  /** Panel output by quarter-hour, as part of its peak. */
  readonly sun: Float64Array;
  /** What a household with panels still buys of its load, by quarter-hour. */
  readonly bought: Float64Array;
}

/** Finding the peaks of thirteen months touches 400 days; each takes about 2 KiB. */
const DAYS_KEPT_MAX = 450;

/** The days of a region, kept within a bound: every meter asks for the same ones. */
export function regionDays(climate: Climate, region: Region): (number: number) => RegionDay {
  const kept = new Map<number, RegionDay>();
  return (number) => {
    const known = kept.get(number);
    if (known !== undefined) return known;
    const day = regionDay(climate, region, dayFrame(number));
    if (kept.size >= DAYS_KEPT_MAX) kept.delete(kept.keys().next().value as number);
    kept.set(number, day);
    return day;
  };
}

/** Panel output by quarter-hour, as part of its peak. */
export function sunOfDay(climate: Climate, frame: DayFrame): Float64Array {
  const output = new Float64Array(frame.quarterCount);
  for (let quarter = 0; quarter < output.length; quarter++)
    output[quarter] = climate.sun(frame.number, frame.startSeconds + (quarter + 0.5) * QUARTER_SECONDS);
  return output;
}

function regionDay(climate: Climate, region: Region, frame: DayFrame): RegionDay {
  const plan = planAt(region, frame.date);
  const sun = sunOfDay(climate, frame);
  return {
    frame,
    kind: dayKind(frame.weekday),
    dayRate: Uint8Array.from(frame.localQuarters, (local) => (isDayRate(plan, frame.weekday, local) ? 1 : 0)),
    sun,
    bought: sun.map(boughtPart),
  };
}
