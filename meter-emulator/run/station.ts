import type { LocalDay } from '../../gateway/edge/calendar.ts';
import type { OwnerMap } from '../../gateway/edge/day.ts';
import type { Snapshot } from '../../gateway/edge/source.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';

/** One device of a run: what the runner needs to know of it, be it emulated or replayed from a recording. */
export interface Station {
  readonly id: DeviceId;
  /** Its streams: each of them is owed one index for each of the days. */
  readonly owners: readonly TenantId[];
  readonly ownerOf: OwnerMap;
  /**
   * Show the edge everything that the meters show on a day, ending with what ends the day. Called for one day after
   * the other, also for days long past (a fleet that was killed carries on), always with the same result.
   */
  feed(day: LocalDay, observe: (snapshot: Snapshot) => void): void;
}

/** What became of one index, or where it stands. */
export type Outcome = 'delivered' | 'duplicate' | 'refused';

export interface Settled {
  readonly owner: TenantId;
  readonly day: string;
  readonly outcome: Outcome;
}
