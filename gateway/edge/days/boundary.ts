import { type LocalDay, QUARTER_SECONDS } from './calendar.ts';
import type { MeterDay } from './meter-day.ts';
import { SAMPLE_TOLERANCE_SECONDS } from './quality.ts';

/** The quarter-hour's boundary that a moment is close enough after, as a slot of the day, or null. */
export function boundaryAt(day: LocalDay, epochSeconds: number): number | null {
  const since = epochSeconds - day.start;
  return since % QUARTER_SECONDS <= SAMPLE_TOLERANCE_SECONDS ? Math.floor(since / QUARTER_SECONDS) : null;
}

/** Telegrams stopped shortly before a boundary and came back well after it: the last one before stands for it. */
export function sampleBoundaryBefore(track: MeterDay, nowSeconds: number): boolean {
  const last = track.lastAt.epochSeconds;
  const slot = Math.floor((last - track.day.start) / QUARTER_SECONDS) + 1;
  const boundary = track.day.start + slot * QUARTER_SECONDS;
  if (nowSeconds <= boundary + SAMPLE_TOLERANCE_SECONDS || boundary - last > SAMPLE_TOLERANCE_SECONDS)
    return false;
  return track.sample(track.last, slot);
}
