import type { TenantId } from '../../../protocol/identity.ts';
import type { RefusalCode } from '../../../protocol/receipt.ts';
import { HEAD_BYTES, type OutboxRecord } from './frames.ts';

/** A sealed reading on disk: what is known of it without reading it. */
export interface OutboxEntry {
  readonly owner: TenantId;
  /** Ordinal of the day that it closes. */
  readonly day: number;
  readonly sequence: number;
  /** Bytes of the sealed reading. */
  readonly length: number;
}

/** A reading as it is sent, and what its receipt is checked with. */
export interface SealedForm {
  readonly sealed: Uint8Array;
  readonly receiptKey: Uint8Array;
}

export interface NewEntry extends SealedForm {
  readonly owner: TenantId;
  readonly day: number;
  readonly sequence: number;
  /** The same reading, under the same number, without its profile: kept in case that there is no room. */
  readonly lean?: SealedForm;
  /** Of a day that is closed already: beside its index, under a number of its own. */
  readonly again?: boolean;
}

/** Where sealed bytes are in the file. */
export interface Place {
  readonly sealedAt: number;
  readonly length: number;
}

/** Where an entry's forms are. */
export interface Places {
  readonly full: Place;
  readonly lean: Place | null;
}

export interface StoredEntry extends OutboxEntry {
  length: number;
  /** Where the sealed bytes are in the file. */
  sealedAt: number;
  /** The form without the profile, while there is one. */
  lean: Place | null;
  /** The profile was given up: this is the lean form. */
  thinned: boolean;
  /** Why its owner refused it, or null while it waits. */
  refused: RefusalCode | null;
}

export interface OwnerState {
  /** Every day up to this one (ordinal) is closed, or was before the owner was first seen. */
  readonly through: number;
  readonly lastSequence: number;
}

/** More than what stands around the sealed bytes (90 bytes at most), and the frame that parks them (51). */
export const ENTRY_HEAD_BYTES = 160;

/** An owner's frame with the longest name. */
const OWNER_BYTES = 64;

/** What an outbox file says, without its readings: small enough to be held for 10,000 devices. */
export class OutboxState {
  readonly #owners = new Map<TenantId, OwnerState>();
  readonly #entries: StoredEntry[] = [];

  get owners(): ReadonlyMap<TenantId, OwnerState> {
    return this.#owners;
  }

  /** In the order in which they were stored. */
  get entries(): readonly StoredEntry[] {
    return this.#entries;
  }

  pending(): readonly StoredEntry[] {
    return this.#entries.filter(({ refused }) => refused === null);
  }

  parked(): readonly StoredEntry[] {
    return this.#entries.filter(({ refused }) => refused !== null);
  }

  get pendingCount(): number {
    let count = 0;
    for (const { refused } of this.#entries) if (refused === null) count++;
    return count;
  }

  /** At most so many bytes would a file take that holds nothing else. */
  get liveBytes(): number {
    return this.#entries.reduce((sum, entry) => sum + bytesOf(entry), this.fixedBytes);
  }

  /** What is there besides the entries. */
  get fixedBytes(): number {
    return HEAD_BYTES + OWNER_BYTES * this.#owners.size;
  }

  get thinnedCount(): number {
    let count = 0;
    for (const { thinned, refused } of this.#entries) if (thinned && refused === null) count++;
    return count;
  }

  find({ owner, sequence }: Pick<OutboxEntry, 'owner' | 'sequence'>): StoredEntry | undefined {
    return this.#entries.find((entry) => entry.owner === owner && entry.sequence === sequence);
  }

  remove(entry: StoredEntry): void {
    this.#entries.splice(this.#entries.indexOf(entry), 1);
  }

  setOwner(owner: TenantId, state: OwnerState): void {
    this.#owners.set(owner, state);
  }

  /** Take a record of the file; `sealedAt` is where an entry's sealed bytes are. */
  replay(record: OutboxRecord, sealedAt: number): void {
    const { owner } = record;
    if (record.kind === 'owner') {
      this.#owners.set(owner, { through: record.through, lastSequence: record.lastSequence });
    } else if (record.kind === 'entry') {
      this.keep(record, { full: { sealedAt, length: record.sealed.length }, lean: null });
    } else {
      const stored = this.find(record);
      if (stored === undefined) return;
      if (record.kind === 'parked') stored.refused = record.code;
      else if (record.kind === 'lean') stored.lean = { sealedAt, length: record.sealed.length };
      else if (record.kind === 'thinned') stored.thinned = true;
      else this.remove(stored);
    }
  }

  keep(
    { owner, day, sequence }: Pick<NewEntry, 'owner' | 'day' | 'sequence'>,
    { full, lean }: Places,
    thinned = false,
  ): void {
    this.#entries.push({ owner, day, sequence, ...full, lean, thinned, refused: null });
    const state = this.#owners.get(owner);
    this.#owners.set(owner, {
      through: Math.max(state?.through ?? 0, day),
      lastSequence: Math.max(state?.lastSequence ?? 0, sequence),
    });
  }

  /** A new file is there, and its entry at another place of it. */
  move(stored: StoredEntry, { full, lean }: Places): void {
    stored.sealedAt = full.sealedAt;
    stored.length = full.length;
    stored.lean = lean;
  }
}

/** At most so many bytes of a file does an entry take, in both its forms. */
export function bytesOf({ length, lean }: Pick<StoredEntry, 'length' | 'lean'>): number {
  return length + ENTRY_HEAD_BYTES + (lean === null ? 0 : lean.length + ENTRY_HEAD_BYTES);
}
