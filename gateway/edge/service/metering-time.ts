import type { Timestamp } from '../../../protocol/reading.ts';
import type { Clock } from '../../runtime/clock.ts';
import { clockOf } from '../../runtime/clock-config.ts';
import { offsetMinutesAt } from '../days/calendar.ts';
import type { EdgeConfig } from './config.ts';

/** The time that snapshots carry, by the metering clock; one object for all of one second. */
export class MeteringTime {
  readonly #clock: Clock;
  readonly #isReal: boolean;
  #latest: Timestamp = { epochSeconds: 0, offsetMinutes: 60 };

  /** @param real the clock that sources live by */
  constructor(clock: EdgeConfig['clock'], real: Clock) {
    this.#isReal = clock.kind === 'real';
    this.#clock = clockOf(clock, real);
  }

  get seconds(): number {
    return Math.floor(this.#clock.nowMs() / 1_000);
  }

  now(): Timestamp {
    const { seconds } = this;
    if (this.#latest.epochSeconds !== seconds) this.#latest = timestampOf(seconds);
    return this.#latest;
  }

  /** A moment that a source noted a little while ago; on a simulated clock it is now. */
  of(noted: Timestamp): Timestamp {
    return this.#isReal ? noted : this.now();
  }
}

export function timestampOf(epochSeconds: number): Timestamp {
  return { epochSeconds, offsetMinutes: offsetMinutesAt(epochSeconds) };
}
