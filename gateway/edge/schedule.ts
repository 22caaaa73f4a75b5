import type { TenantId } from '../../protocol/identity.ts';
import { type Backoff, backoff } from '../runtime/backoff.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';

export interface ScheduleLimits {
  /** Wakes are spread evenly over this long after a day was closed, or the device started with readings that wait. */
  readonly jitterMs: number;
  /** The ceiling of the first delay after a failure; it doubles from there (full jitter). */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

/** What a device does unless it is told otherwise (docs/adr/0075 has the reasons in full). */
export const SCHEDULE_LIMITS: ScheduleLimits = {
  // Eight million meters close at the same midnight: 555 a second over four hours, and the MDM has all by morning.
  jitterMs: 4 * 3_600_000,
  // Longer than a front or router takes to start again.
  backoffBaseMs: 60_000,
  // After an outage of any length a device is back within this; eight million of them are then 1,111 a second.
  backoffMaxMs: 2 * 3_600_000,
};

/** Everyone was told the same number of seconds: come back up to half as long again after that, not all at once. */
const LATER_SPREAD = 0.5;

/** A moment, and how far ahead it was drawn: never further, whatever became of the clock since. */
interface Until {
  atMs: number;
  readonly withinMs: number;
}

interface Penalty {
  until: Until | null;
  readonly backoff: Backoff;
}

/**
 * Who is left alone for a while: an owner as far as its readings go, or its results, and the head-end as a whole. A
 * desk that is away must not hold up readings, nor an MDM results.
 */
export type Peer = TenantId | `${TenantId} results` | 'head-end';

/**
 * When to wake: one jittered time for the device, and for each peer a time before which it is left alone, because
 * it asked for that or could not be served. One owner's trouble does not delay another's readings.
 */
export class WakeSchedule {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #limits: ScheduleLimits;
  readonly #penalties = new Map<Peer, Penalty>();
  #wake: Until | null = null;

  constructor(clock: Clock, random: Random, limits: ScheduleLimits) {
    this.#clock = clock;
    this.#random = random;
    this.#limits = limits;
  }

  /** Readings were stored. A time that was drawn already stands. */
  added(): void {
    this.#wake ??= this.#in(Math.floor(this.#random() * this.#limits.jitterMs));
  }

  /** Something is to be sent at once, whatever time was drawn. */
  hurry(): void {
    this.#wake = this.#in(0);
  }

  /** A wake began. */
  woke(): void {
    this.#wake = null;
  }

  succeeded(owner: Peer): void {
    this.#penalties.delete(owner);
  }

  later(owner: Peer, seconds: number): void {
    const penalty = this.#penalty(owner);
    penalty.backoff.reset();
    penalty.until = this.#in(Math.ceil(seconds * 1000 * (1 + this.#random() * LATER_SPREAD)));
  }

  failed(owner: Peer): void {
    const penalty = this.#penalty(owner);
    penalty.until = this.#in(penalty.backoff.nextMs());
  }

  isDue(owner: Peer): boolean {
    return this.notBeforeMs(owner) <= this.#clock.nowMs();
  }

  /** When the next wake is worth it, for owners that have readings waiting; null where there are none. */
  nextMs(owners: Iterable<Peer>): number | null {
    let nextMs: number | null = null;
    for (const owner of owners) nextMs = Math.min(nextMs ?? Infinity, this.notBeforeMs(owner));
    return nextMs === null ? null : Math.max(nextMs, this.#momentOf(this.#wake));
  }

  /** Since when, or until when, a peer is left alone. */
  notBeforeMs(owner: Peer): number {
    return this.#momentOf(this.#penalties.get(owner)?.until ?? null);
  }

  #in(withinMs: number): Until {
    return { atMs: this.#clock.nowMs() + withinMs, withinMs };
  }

  /** A clock that was years ahead when it was drawn, and was put right since, must not silence a device for years. */
  #momentOf(until: Until | null): number {
    if (until === null) return 0;
    until.atMs = Math.min(until.atMs, this.#clock.nowMs() + until.withinMs);
    return until.atMs;
  }

  #penalty(owner: Peer): Penalty {
    const { backoffBaseMs: baseMs, backoffMaxMs: maxMs } = this.#limits;
    const known = this.#penalties.get(owner) ?? {
      until: null,
      backoff: backoff({ baseMs, maxMs, random: this.#random }),
    };
    this.#penalties.set(owner, known);
    return known;
  }
}
