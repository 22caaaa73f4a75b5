import { FRAME_HEAD_BYTES } from './frames.ts';
import { FRAME_BYTES_MAX } from './limits.ts';
import type { Occupant, RoomPlan } from './room.ts';
import { bytesOf, ENTRY_HEAD_BYTES, type NewEntry, type StoredEntry } from './state.ts';

/** A reading that takes room in an outbox: one that is stored, or one that is about to be. */
export interface Resident extends Occupant {
  readonly of: StoredEntry | NewEntry;
}

export const NOTHING_GOES: RoomPlan<Resident> = { thin: new Set(), drop: new Set() };

export function residentOf(stored: StoredEntry): Resident {
  const { owner, lean, refused } = stored;
  const leanBytes = lean === null ? null : bytesOf({ length: lean.length, lean: null });
  return { owner, of: stored, bytes: bytesOf(stored), leanBytes, parked: refused !== null, fresh: false };
}

export function newcomerOf(entry: NewEntry): Resident {
  const { owner, sealed, lean } = entry;
  const leanBytes = lean === undefined ? null : lean.sealed.length + ENTRY_HEAD_BYTES;
  const bytes = sealed.length + ENTRY_HEAD_BYTES + (leanBytes ?? 0);
  return { owner, of: entry, bytes, leanBytes, parked: false, fresh: true };
}

/** The lean form in the place of the full one. */
export function thinnedOf<Of extends NewEntry>({ lean, ...entry }: Of): Omit<Of, 'lean'> & { thinned: true } {
  return { ...entry, ...lean, thinned: true };
}

/** Readings that go into one frame; without their lean forms where those would make it longer than a frame may be. */
export function withinFrame(entries: readonly NewEntry[]): readonly NewEntry[] {
  const length = entries.reduce((sum, entry) => sum + newcomerOf(entry).bytes, FRAME_HEAD_BYTES);
  return length <= FRAME_BYTES_MAX ? entries : entries.map(({ lean: _, ...entry }) => entry);
}

/** Which readings, without anything of what they say: for a log. */
export function namesOf(residents: Iterable<Resident>): { readonly owner: string; readonly day: number }[] {
  return [...residents].map(({ of: { owner, day } }) => ({ owner, day }));
}
