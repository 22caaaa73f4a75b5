import { HesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { METERS_MAX } from '../../../protocol/limits.ts';
import type { Timestamp } from '../../../protocol/reading.ts';
import type { MeterSnapshot, Snapshot } from '../source.ts';
import { dayOfOrdinal, type LocalDay } from './calendar.ts';
import { ClockGuard, type Doubt } from './clock-guard.ts';
import {
  type DayDraft,
  type DayNotice,
  type MissedDays,
  OwnerDays,
  type OwnerDaysState,
} from './owner-days.ts';

export type { Doubt } from './clock-guard.ts';
export type { DayDraft, DayNotice, MissedDays } from './owner-days.ts';

/** Whose meter this is: from the device's configuration, by channel or serial. */
export type OwnerMap = (meter: MeterSnapshot) => TenantId;

export interface DueDay {
  readonly owner: TenantId;
  readonly day: LocalDay;
}

export interface DayAccumulatorOptions {
  readonly owners: OwnerMap;
  /** The last closed day (its ordinal) of each owner that was ever seen: what the outbox remembers. */
  readonly closedThrough?: ReadonlyMap<TenantId, number>;
  /** Told once for each thing that somebody should know of: never with a reading in it. */
  readonly notice?: (notice: DayNotice | Doubt, owner: TenantId | null) => void;
  readonly missedDays?: MissedDays;
  /** The days that were in progress when the process ended before this one. */
  readonly restored?: readonly OwnerDaysState[];
}

/**
 * Turns snapshots into days. It keeps the day in progress in memory (nothing readable is ever written) and
 * within bounds, whatever the source sends and however long nobody closes what has ended.
 *
 * A snapshot counts by the edge's own clock (`at`); the meter's clock only judges the quality. Each owner's days
 * run by themselves: a guest that goes missing holds up nobody else.
 */
export class DayAccumulator {
  readonly #owners: OwnerMap;
  readonly #closedThrough: ReadonlyMap<TenantId, number>;
  readonly #notice: NonNullable<DayAccumulatorOptions['notice']>;
  readonly #missedDays: MissedDays;
  /** None for recordings: they leap from one to the next. */
  readonly #guard: ClockGuard | null;
  readonly #days: OwnerDays[] = [];

  constructor({
    owners,
    closedThrough = new Map(),
    notice = () => {},
    missedDays = 'close',
    restored = [],
  }: DayAccumulatorOptions) {
    this.#owners = owners;
    this.#closedThrough = closedThrough;
    this.#notice = notice;
    this.#missedDays = missedDays;
    for (const state of restored) {
      const days = OwnerDays.restored(this.#optionsOf(state.owner), state);
      if (days !== undefined) this.#days.push(days);
    }
    this.#guard =
      missedDays === 'skip'
        ? null
        : new ClockGuard(lastMoment(closedThrough, restored), (doubt) => notice(doubt, null));
  }

  /**
   * Take what the meters show. True when something was kept that must not be lost: whoever keeps the day over a
   * restart writes it down then.
   * @throws ERR_EDGE_TIME, ERR_EDGE_METERS; what the owner map throws. Nothing was taken then.
   */
  observe(snapshot: Snapshot): boolean {
    const { at, meterTime, meters } = snapshot;
    if (!Number.isSafeInteger(at.epochSeconds))
      throw new HesError('ERR_EDGE_TIME', 'the time of a snapshot is a whole number of seconds');
    if (meters.length > METERS_MAX)
      throw new HesError('ERR_EDGE_METERS', `at most ${METERS_MAX} meters stand behind one device`, {
        context: { meters: meters.length },
      });
    const owners = meters.map((meter) => this.#owners(meter));
    if (this.#guard?.believes(snapshot) === false) return false;
    let kept = false;
    for (const owner of new Set(owners)) {
      const own = owners.length === 1 ? meters : meters.filter((_, index) => owners[index] === owner);
      kept = this.#daysOf(owner, at.epochSeconds).observe(own, at, meterTime) || kept;
    }
    for (const days of this.#days) if (!owners.includes(days.owner)) kept = days.absent(at) || kept;
    return kept;
  }

  /** All that is not closed yet, for whoever keeps it over a restart. Shared, not copied. */
  state(): OwnerDaysState[] {
    return this.#days.map((days) => days.state);
  }

  /** Rises with each change that is more than new samples of meters that are known already. */
  get revision(): number {
    return this.#days.reduce((sum, { revision }) => sum + revision, 0);
  }

  /** Days that ended and wait to be closed, oldest first. */
  due(): DueDay[] {
    const due = this.#days.flatMap(({ owner, ended }) => ended.map((day) => ({ owner, day })));
    return due.length < 2 ? due : due.sort((one, other) => one.day.ordinal - other.day.ordinal);
  }

  /** The draft of a due day; undefined where that day is not due for that owner. */
  draft({ owner, day }: DueDay): DayDraft | undefined {
    return this.#find(owner)?.draft(day);
  }

  /** Every meter that was seen in the day in progress, and when last. */
  latest(): readonly { owner: TenantId; meter: MeterSnapshot; at: Timestamp }[] {
    return this.#days.flatMap(({ owner, seen }) =>
      seen.map(({ last, lastAt }) => ({ owner, meter: last, at: lastAt })),
    );
  }

  /** How an owner's meters stand now, as the index of the last day that is over (owner-days.ts). */
  current(owner: TenantId): DayDraft | undefined {
    return this.#find(owner)?.current();
  }

  /** The day is in the outbox: forget it and what is older. */
  closed({ owner, day }: DueDay): void {
    this.#find(owner)?.closed(day);
  }

  /** Each owner seen, and the ordinal of the day up to which nothing is owed to it. */
  through(): (readonly [TenantId, number])[] {
    return this.#days.map(({ owner, through }) => [owner, through]);
  }

  #find(owner: TenantId): OwnerDays | undefined {
    return this.#days.find((days) => days.owner === owner);
  }

  #daysOf(owner: TenantId, epochSeconds: number): OwnerDays {
    const known = this.#find(owner);
    if (known !== undefined) return known;
    const days = new OwnerDays(this.#optionsOf(owner), epochSeconds);
    this.#days.push(days);
    return days;
  }

  #optionsOf(owner: TenantId): ConstructorParameters<typeof OwnerDays>[0] {
    const notice = (notice: DayNotice): void => this.#notice(notice, owner);
    return { owner, through: this.#closedThrough.get(owner), notice, missedDays: this.#missedDays };
  }
}

/** The last moment of which something is known from before the start. */
function lastMoment(
  closedThrough: ReadonlyMap<TenantId, number>,
  restored: readonly OwnerDaysState[],
): number | undefined {
  const seen = restored.flatMap(({ meters }) => meters.map(({ lastAt }) => lastAt.epochSeconds));
  if (seen.length > 0) return Math.max(...seen);
  return closedThrough.size > 0 ? dayOfOrdinal(Math.max(...closedThrough.values())).end : undefined;
}
