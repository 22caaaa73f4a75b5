import type { Snapshot } from '../source.ts';
import { DAY_SECONDS } from './calendar.ts';

/**
 * A clock that shows less was never set (1970, 1980, 2000): this program is younger. 2024-01-01. Unless the meter
 * shows the same: that is a simulation of the past.
 */
export const CLOCK_EARLIEST = 1_704_067_200;

/** Steps up to here are lived with as they are: a clock that is put right, a cable that was out over a weekend. */
export const STEP_SECONDS_MAX = 2 * DAY_SECONDS;

/** The meter's own clock bears a leap out when it shows about the same: zones and summer time apart, a day. */
const AGREES_SECONDS = DAY_SECONDS;

/** Where no meter tells the time, an outage is believed up to here: as many days as are closed late. */
const OUTAGE_SECONDS_MAX = 62 * DAY_SECONDS;

/** A leap that nobody bears out nor contradicts counts once it has lasted so long: network time is there by then. */
const PROOF_SECONDS = 3_600;

/** One that a meter contradicts: meters with a wrong year exist, and must not be deaf for ever. */
const CONTRADICTED_PROOF_SECONDS = DAY_SECONDS;

export type Doubt = 'clockUnset' | 'clockDoubted';

/**
 * Whether the edge's clock is to be believed. What was sampled by a wrong clock lies in wrong days, and a day that
 * it closed can never be closed again; telegrams that are not counted leave a gap, which is all that they are
 * worth. Steps of up to two days are not its business (docs/adr/0104).
 */
export class ClockGuard {
  /** The last moment that was believed. */
  #line: number | undefined;
  #leap: { readonly since: number; last: number } | undefined;
  /** Whether any source ever told the time. */
  #clocked = false;
  #doubt: Doubt | null = null;
  readonly #notice: (doubt: Doubt) => void;

  constructor(line: number | undefined, notice: (doubt: Doubt) => void) {
    this.#line = line;
    this.#notice = notice;
  }

  believes({ at, meterTime }: Pick<Snapshot, 'at' | 'meterTime'>): boolean {
    if (meterTime !== null) this.#clocked = true;
    const now = at.epochSeconds;
    const agrees = meterTime !== null && Math.abs(meterTime.epochSeconds - now) < AGREES_SECONDS;
    const doubt = agrees || this.#holds(now) ? null : now < CLOCK_EARLIEST ? 'clockUnset' : 'clockDoubted';
    if (doubt === null) {
      this.#line = now;
      this.#leap = undefined;
    } else if (doubt !== this.#doubt) this.#notice(doubt);
    this.#doubt = doubt;
    return doubt === null;
  }

  /** Whether a time that no meter bears out is to be believed. */
  #holds(now: number): boolean {
    if (now < CLOCK_EARLIEST) return false;
    const step = now - (this.#line ?? now);
    if (Math.abs(step) <= STEP_SECONDS_MAX) return true;
    if (!this.#clocked && step > 0 && step <= OUTAGE_SECONDS_MAX) return true;
    if (this.#leap === undefined || Math.abs(now - this.#leap.last) > STEP_SECONDS_MAX)
      this.#leap = { since: now, last: now };
    this.#leap.last = now;
    return now - this.#leap.since >= (this.#clocked ? CONTRADICTED_PROOF_SECONDS : PROOF_SECONDS);
  }
}
