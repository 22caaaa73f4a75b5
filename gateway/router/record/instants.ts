import { EPOCH_SECONDS_MAX } from '../../../protocol/limits.ts';
import type { Timestamp } from '../../../protocol/reading.ts';

/** ISO 8601 ends with year 9999, a clock that went mad does not: it is stopped there rather than written longer. */
function isoSecond(epochSeconds: number): string {
  if (epochSeconds !== last.epochSeconds) {
    const text = new Date(Math.min(epochSeconds, EPOCH_SECONDS_MAX) * 1_000).toISOString().slice(0, 19);
    last = { epochSeconds, text };
  }
  return last.text;
}

/** A fleet closes its day at one moment, so the one before is mostly the same. */
let last = { epochSeconds: 0, text: '1970-01-01T00:00:00' };

/** `2026-03-29T00:15:00Z` */
export function utcText(epochSeconds: number): string {
  return `${isoSecond(epochSeconds)}Z`;
}

/** `2026-03-29T00:00:05+01:00`: local time as the meter's own clock had it, with the offset that it stated. */
export function offsetText({ epochSeconds, offsetMinutes }: Timestamp): string {
  if (offsetMinutes === 0) return utcText(epochSeconds);
  const minutes = Math.abs(offsetMinutes);
  const hh = String(Math.trunc(minutes / 60)).padStart(2, '0');
  const mm = String(minutes % 60).padStart(2, '0');
  return `${isoSecond(epochSeconds + offsetMinutes * 60)}${offsetMinutes < 0 ? '-' : '+'}${hh}:${mm}`;
}
