import { QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';

/**
 * When the next telegram is due. In real time one a period, at the clock's own whole seconds. A clock that runs
 * faster still gets one a period of real time, and besides one for each quarter-hour boundary, with the registers of
 * that very moment: a day seen in a minute must show all of its quarter-hours.
 */
export class Cadence {
  readonly #periodMs: number;
  /** The period of the clock in which the last telegram was. */
  #period: number;
  #quarter: number;
  /** When the last one was; at first, when it began to be waited. */
  #lastRealMs: number;
  #isFirst = true;

  constructor(periodMs: number, nowMs: number, realMs: number) {
    this.#lastRealMs = realMs;
    this.#periodMs = periodMs;
    this.#period = Math.floor(nowMs / periodMs);
    this.#quarter = Math.floor(nowMs / QUARTER_MS);
  }

  /** The moment whose telegram is due now, or null. */
  due(nowMs: number, realMs: number): number | null {
    const quarter = Math.floor(nowMs / QUARTER_MS);
    if (quarter > this.#quarter) return this.#took(quarter * QUARTER_MS, nowMs, realMs);
    if (quarter < this.#quarter) this.#quarter = quarter;
    const sinceMs = realMs - this.#lastRealMs;
    const isNewPeriod = Math.floor(nowMs / this.#periodMs) !== this.#period;
    if (sinceMs < this.#periodMs * (isNewPeriod ? (this.#isFirst ? 0 : EARLY) : STANDING)) return null;
    return this.#took(Math.floor(nowMs / 1_000) * 1_000, nowMs, realMs);
  }

  #took(atMs: number, nowMs: number, realMs: number): number {
    this.#quarter = Math.floor(nowMs / QUARTER_MS);
    this.#period = Math.floor(nowMs / this.#periodMs);
    this.#lastRealMs = realMs;
    this.#isFirst = false;
    return atMs;
  }
}

const QUARTER_MS = QUARTER_SECONDS * 1_000;

/** A telegram that was late by a busy machine must not make the next one late. */
const EARLY = 0.8;

/** A clock that stands still, as a test may have it, does not make a meter silent. */
const STANDING = 1.5;
