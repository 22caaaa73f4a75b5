import type { Timestamp } from '../../../protocol/reading.ts';
import { dayAt } from '../days/calendar.ts';
import type { P1Telegram } from '../p1/telegram.ts';
import type { Snapshot } from '../source.ts';
import { timestampOf } from './metering-time.ts';

/** No smart meter with a P1 port was installed before this year. */
const PLAUSIBLE_FROM_SECONDS = Date.UTC(2005, 0, 1) / 1_000;
/** A meter's clock may run ahead of the edge's; by more than a day it is wrong. */
const AHEAD_SECONDS_MAX = 86_400;
/** A day without its meters is waited for this long before it closes (gateway/edge/days/owner-days.ts). */
const AFTER_END_SECONDS = 3_601;

/** The time of a recording: its telegrams' own, as for `hes up --telegrams` (docs/adr/0082). */
export class RecordedTime {
  readonly #nowSeconds: () => number;
  #latest: Timestamp | null = null;

  constructor(nowSeconds: () => number) {
    this.#nowSeconds = nowSeconds;
  }

  /** A telegram without a plausible time is of the moment of the one before it, or of now. */
  of({ meterTime }: P1Telegram): Timestamp {
    if (meterTime !== null && this.#isPlausible(meterTime.epochSeconds)) {
      this.#latest = timestampOf(meterTime.epochSeconds);
    }
    this.#latest ??= timestampOf(this.#nowSeconds());
    return this.#latest;
  }

  /** Its last day is not over yet: what has been recorded of it is no day, and the meter itself will close it. */
  get isUnfinished(): boolean {
    return this.#latest !== null && dayAt(this.#latest.epochSeconds).end > this.#nowSeconds();
  }

  /** At the end of a recording its last day is over with it: no meter is there any more. */
  end(): Snapshot | null {
    if (this.#latest === null || this.isUnfinished) return null;
    const at = timestampOf(dayAt(this.#latest.epochSeconds).end + AFTER_END_SECONDS);
    return { at, meterTime: null, meters: [] };
  }

  #isPlausible(epochSeconds: number): boolean {
    return epochSeconds >= PLAUSIBLE_FROM_SECONDS && epochSeconds <= this.#nowSeconds() + AHEAD_SECONDS_MAX;
  }
}
