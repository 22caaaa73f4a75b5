import type { Timestamp } from '../../../protocol/reading.ts';

/** Days whose interval time stamps are kept ready: a fleet closes one day at a time, stragglers a few more. */
const GRIDS_MAX = 64;

const MINUTE_MS = 60_000;

/** `2026-03-29T00:15:00Z` */
export function utcText(epochSeconds: number): string {
  return `${new Date(epochSeconds * 1_000).toISOString().slice(0, 19)}Z`;
}

/** `2026-03-29T00:00:05+01:00`: local time as the meter's own clock had it, with the offset that it stated. */
export function offsetText({ epochSeconds, offsetMinutes }: Timestamp): string {
  const local = new Date(epochSeconds * 1_000 + offsetMinutes * MINUTE_MS).toISOString().slice(0, 19);
  if (offsetMinutes === 0) return `${local}Z`;
  const minutes = Math.abs(offsetMinutes);
  const hh = String(Math.trunc(minutes / 60)).padStart(2, '0');
  const mm = String(minutes % 60).padStart(2, '0');
  return `${local}${offsetMinutes < 0 ? '-' : '+'}${hh}:${mm}`;
}

/**
 * The ends of `count` consecutive periods, each as the opening of its JSON object.
 *
 * IEC 61968-9 stamps an interval with its end. UTC needs no rule for daylight saving: the day of 92 or 100
 * quarter-hours is simply that many periods after its start. Every meter that closes the same day has the same
 * stamps, so they are made once; the memory holds times only, never a reading.
 */
export class IntervalGrids {
  readonly #grids = new Map<string, readonly string[]>();

  openings(start: number, periodSeconds: number, count: number): readonly string[] {
    const key = `${start}/${periodSeconds}`;
    let grid = this.#grids.get(key);
    if (grid === undefined || grid.length < count) {
      grid = Array.from(
        { length: count },
        (_, i) => `{"timeStamp":"${utcText(start + (i + 1) * periodSeconds)}"`,
      );
      if (this.#grids.size >= GRIDS_MAX) this.#grids.delete(this.#grids.keys().next().value!);
      this.#grids.set(key, grid);
    }
    return grid;
  }
}
