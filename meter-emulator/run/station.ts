import type { LocalDay } from '../../gateway/edge/days/calendar.ts';
import type { OwnerMap } from '../../gateway/edge/days/day.ts';
import type { Snapshot } from '../../gateway/edge/source.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';

/** The edge as a station sees it: it is shown snapshots, and told when a day is over. */
export interface EdgeSide {
  observe(snapshot: Snapshot): void;
  /** Close a day: its index is in the outbox when this resolves. */
  close(day: LocalDay): Promise<void>;
}

/** One device of a run: what the runner needs to know of it, be it emulated or replayed from a recording. */
export interface Station {
  readonly id: DeviceId;
  /** Its streams: each of them is owed one index for each of the days. */
  readonly owners: readonly TenantId[];
  readonly ownerOf: OwnerMap;
  /**
   * Show the edge everything that the meters show on these days, oldest first, and close each of them. Days may be
   * long past (a fleet that was killed carries on); the same day always shows the same.
   */
  show(days: readonly LocalDay[], edge: EdgeSide): Promise<void>;
}

/** What became of one index for good. */
export type Outcome = 'delivered' | 'duplicate' | 'refused';
