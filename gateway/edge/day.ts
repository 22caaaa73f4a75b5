import { HesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { METERS_MAX } from '../../protocol/limits.ts';
import { dayAt, type LocalDay } from './calendar.ts';
import { type DayDraft, type DayNotice, type MissedDays, OwnerDays } from './owner-days.ts';
import type { MeterSnapshot, Snapshot } from './source.ts';

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
  readonly notice?: (notice: DayNotice, owner: TenantId) => void;
  readonly missedDays?: MissedDays;
}

/**
 * Turns snapshots into days. It keeps the day in progress in memory only (nothing readable is ever written) and
 * within bounds, whatever the source sends and however long nobody closes what has ended.
 *
 * A snapshot counts by the edge's own clock (`at`); the meter's clock only judges the quality. Each owner's days
 * run by themselves: a guest that goes missing holds up nobody else.
 */
export class DayAccumulator {
  readonly #owners: OwnerMap;
  readonly #closedThrough: ReadonlyMap<TenantId, number>;
  readonly #notice: (notice: DayNotice, owner: TenantId) => void;
  readonly #missedDays: MissedDays;
  readonly #days: OwnerDays[] = [];

  constructor({
    owners,
    closedThrough = new Map(),
    notice = () => {},
    missedDays = 'close',
  }: DayAccumulatorOptions) {
    this.#owners = owners;
    this.#closedThrough = closedThrough;
    this.#notice = notice;
    this.#missedDays = missedDays;
  }

  /** @throws ERR_EDGE_TIME, ERR_EDGE_METERS; what the owner map throws. Nothing was taken then. */
  observe(snapshot: Snapshot): void {
    const { at, meterTime, meters } = snapshot;
    if (!Number.isSafeInteger(at.epochSeconds))
      throw new HesError('ERR_EDGE_TIME', 'the time of a snapshot is a whole number of seconds');
    if (meters.length > METERS_MAX)
      throw new HesError('ERR_EDGE_METERS', `at most ${METERS_MAX} meters stand behind one device`, {
        context: { meters: meters.length },
      });
    const owners = meters.map((meter) => this.#owners(meter));
    for (const owner of new Set(owners)) {
      const own = owners.length === 1 ? meters : meters.filter((_, index) => owners[index] === owner);
      this.#daysOf(owner, at.epochSeconds).observe(own, at, meterTime);
    }
    for (const days of this.#days) if (!owners.includes(days.owner)) days.absent(at);
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
    const through = this.#closedThrough.get(owner) ?? dayAt(epochSeconds).ordinal - 1;
    const days = new OwnerDays(owner, through, (notice) => this.#notice(notice, owner), this.#missedDays);
    this.#days.push(days);
    return days;
  }
}
