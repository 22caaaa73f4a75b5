import { HesError } from '../../../protocol/errors.ts';

/**
 * Days as the market counts them: from local midnight to local midnight in Europe/Brussels, whatever zone
 * the host is in. A day has 96 quarter-hours, 92 when the clocks go forward and 100 when they go back.
 *
 * The zone's rules come from the runtime (Temporal), not from a formula: the European Union may end summer
 * time, and then an update of the runtime is enough. A look-up costs some 2 µs there and this is asked per
 * meter and second, so days are kept.
 */
export const METERING_ZONE = 'Europe/Brussels';

export const QUARTER_SECONDS = 900;
export const DAY_SECONDS = 86_400;

/** A clock change makes a day an hour longer at most. */
export const QUARTERS_MAX = 100;

/** Days kept at once: a catch-up after two months without network touches 60. The oldest goes first. */
const DAYS_KEPT_MAX = 128;

export interface LocalDay {
  /** `YYYY-MM-DD`. */
  readonly name: string;
  /** Days since 1970-01-01 on the calendar: consecutive days differ by one. */
  readonly ordinal: number;
  /** Epoch seconds of the local midnight that begins it. */
  readonly start: number;
  /** Epoch seconds of the local midnight that ends it: the start of the next day. */
  readonly end: number;
  /** 92, 96 or 100. */
  readonly quarters: number;
}

const days = new Map<number, LocalDay>();
let latest: LocalDay | undefined;

/** The local day in which an instant lies. */
export function dayAt(epochSeconds: number): LocalDay {
  // Devices of one process live at about the same time: nearly every question is about the same day.
  if (latest !== undefined && epochSeconds >= latest.start && epochSeconds < latest.end) return latest;
  if (!Number.isFinite(epochSeconds)) throw new HesError('ERR_EDGE_TIME', 'a time must be a finite number');
  // Brussels is one or two hours ahead of UTC: the guess is right, or one too early in the last hours of a UTC day.
  let day = dayOfOrdinal(Math.floor((epochSeconds + 3600) / DAY_SECONDS));
  while (epochSeconds >= day.end) day = dayOfOrdinal(day.ordinal + 1);
  while (epochSeconds < day.start) day = dayOfOrdinal(day.ordinal - 1);
  latest = day;
  return day;
}

/** @throws ERR_EDGE_DAY when the text names no day. */
export function dayNamed(name: string): LocalDay {
  const ordinal = /^\d{4}-\d\d-\d\d$/.test(name)
    ? Date.parse(`${name}T00:00:00Z`) / (DAY_SECONDS * 1000)
    : NaN;
  const day = Number.isInteger(ordinal) ? dayOfOrdinal(ordinal) : undefined;
  // Date.parse turns 30 February into 2 March.
  if (day?.name !== name) throw new HesError('ERR_EDGE_DAY', 'a day is YYYY-MM-DD and on the calendar');
  return day;
}

/** The day so many days after (or before) another. */
export function dayAfter(day: LocalDay, count = 1): LocalDay {
  return dayOfOrdinal(day.ordinal + count);
}

/** Minutes that local time is ahead of UTC at an instant: 60 or 120. */
export function offsetMinutesAt(epochSeconds: number): number {
  const { ordinal, start, end } = dayAt(epochSeconds);
  const atStart = ordinal * DAY_SECONDS - start;
  const atEnd = (ordinal + 1) * DAY_SECONDS - end;
  if (atStart === atEnd) return atStart / 60;
  const zoned = Temporal.Instant.fromEpochMilliseconds(epochSeconds * 1000).toZonedDateTimeISO(METERING_ZONE);
  return zoned.offsetNanoseconds / 60e9;
}

/** `YYYY-MM` of the month that lies before a day's. */
export function monthBefore(day: LocalDay): string {
  const year = Number(day.name.slice(0, 4));
  const month = Number(day.name.slice(5, 7));
  return month === 1 ? `${year - 1}-12` : `${day.name.slice(0, 5)}${String(month - 1).padStart(2, '0')}`;
}

export function dayOfOrdinal(ordinal: number): LocalDay {
  const kept = days.get(ordinal);
  if (kept !== undefined) return kept;
  const date = new Temporal.PlainDate(1970, 1, 1).add({ days: ordinal });
  const start = midnight(date);
  const end = midnight(date.add({ days: 1 }));
  const day = { name: date.toString(), ordinal, start, end, quarters: (end - start) / QUARTER_SECONDS };
  if (days.size >= DAYS_KEPT_MAX) days.delete(days.keys().next().value as number);
  days.set(ordinal, day);
  return day;
}

/** Midnight exists on every day in Brussels: the clocks change at 01:00 UTC. */
function midnight(date: Temporal.PlainDate): number {
  return date.toZonedDateTime(METERING_ZONE).epochMilliseconds / 1000;
}
