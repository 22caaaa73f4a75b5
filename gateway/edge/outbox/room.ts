import type { TenantId } from '../../../protocol/identity.ts';
import type { OutboxLimits } from './limits.ts';

/** What the plan has to know of a reading, stored or about to be. */
export interface Occupant {
  readonly owner: TenantId;
  readonly bytes: number;
  /** What it would take without its profile; null where it has no such form. */
  readonly leanBytes: number | null;
  /** Refused by its owner: the first to go when an index has to. */
  readonly parked: boolean;
  readonly fresh: boolean;
}

export interface RoomPlan<Of extends Occupant> {
  /** Their profiles are given up. */
  readonly thin: ReadonlySet<Of>;
  /** They are given up altogether. */
  readonly drop: ReadonlySet<Of>;
}

/**
 * What has to go so that all the rest has room, oldest first: profiles before indexes, refused indexes before those
 * that wait, and never the newest stored index of an owner nor one that is about to be stored. Undefined where not
 * even that makes room: then nothing goes (docs/adr/0103).
 */
export function planRoom<Of extends Occupant>(
  occupants: readonly Of[],
  fixedBytes: number,
  { bytesMax, entriesMax }: Pick<OutboxLimits, 'bytesMax' | 'entriesMax'>,
): RoomPlan<Of> | undefined {
  let bytes = fixedBytes + occupants.reduce((sum, each) => sum + each.bytes, 0);
  let waiting = occupants.filter(({ parked }) => !parked).length;
  const thin = new Set<Of>();
  const drop = new Set<Of>();
  for (const each of occupants) {
    if (bytes <= bytesMax) break;
    if (each.leanBytes === null) continue;
    thin.add(each);
    bytes -= each.bytes - each.leanBytes;
  }
  for (const each of expendable(occupants)) {
    if (bytes <= bytesMax && (waiting <= entriesMax || each.parked)) continue;
    drop.add(each);
    bytes -= thin.has(each) ? each.leanBytes! : each.bytes;
    if (!each.parked) waiting--;
    thin.delete(each);
  }
  return bytes <= bytesMax && waiting <= entriesMax ? { thin, drop } : undefined;
}

function expendable<Of extends Occupant>(occupants: readonly Of[]): Of[] {
  const newest = new Map<TenantId, Of>();
  for (const each of occupants) if (!each.parked && !each.fresh) newest.set(each.owner, each);
  const waiting = occupants.filter((each) => !each.parked && !each.fresh && newest.get(each.owner) !== each);
  return [...occupants.filter(({ parked }) => parked), ...waiting];
}
