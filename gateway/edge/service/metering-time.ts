import type { Timestamp } from '../../../protocol/reading.ts';
import type { Clock } from '../../runtime/clock.ts';
import { offsetMinutesAt } from '../calendar.ts';

/** The time that snapshots carry, by the metering clock; one object for all of one second. */
export class MeteringTime {
  readonly #clock: Clock;
  #latest: Timestamp = { epochSeconds: 0, offsetMinutes: 60 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get seconds(): number {
    return Math.floor(this.#clock.nowMs() / 1_000);
  }

  now(): Timestamp {
    const { seconds } = this;
    if (this.#latest.epochSeconds !== seconds) this.#latest = timestampOf(seconds);
    return this.#latest;
  }
}

export function timestampOf(epochSeconds: number): Timestamp {
  return { epochSeconds, offsetMinutes: offsetMinutesAt(epochSeconds) };
}
