import type { TenantId } from '../../../protocol/identity.ts';
import { RECEIPT_KEY_BYTES } from '../../../protocol/keys.ts';
import type { RefusalCode } from '../../../protocol/receipt.ts';
import { FRAME_HEAD_BYTES, HEAD_BYTES, type OutboxRecord } from './frames.ts';

/** A sealed reading on disk: what is known of it without reading it. */
export interface OutboxEntry {
  readonly owner: TenantId;
  /** Ordinal of the day that it closes. */
  readonly day: number;
  readonly sequence: number;
  /** Bytes of the sealed reading. */
  readonly length: number;
}

export interface NewEntry {
  readonly owner: TenantId;
  readonly day: number;
  readonly sequence: number;
  readonly sealed: Uint8Array;
  readonly receiptKey: Uint8Array;
}

export interface StoredEntry extends OutboxEntry {
  /** Where the sealed bytes are in the file. */
  sealedAt: number;
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
    return this.#entries.reduce(
      (sum, { length }) => sum + length + ENTRY_HEAD_BYTES,
      HEAD_BYTES + OWNER_BYTES * this.#owners.size,
    );
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
      this.#keep(record, sealedAt);
    } else {
      const stored = this.find(record);
      if (stored === undefined) return;
      if (record.kind === 'parked') stored.refused = record.code;
      else this.remove(stored);
    }
  }

  /** Entries that were written with one frame. */
  keep(entries: readonly NewEntry[], frameStart: number): void {
    let offset = frameStart + FRAME_HEAD_BYTES;
    for (const entry of entries) {
      // Kind, length of the owner, owner, day, sequence, receipt key and length stand before it (frames.ts).
      const sealedAt = offset + 2 + entry.owner.length + 4 + 8 + RECEIPT_KEY_BYTES + 4;
      this.#keep(entry, sealedAt);
      offset = sealedAt + entry.sealed.length;
    }
  }

  #keep({ owner, day, sequence, sealed }: NewEntry, sealedAt: number): void {
    this.#entries.push({ owner, day, sequence, length: sealed.length, sealedAt, refused: null });
    const state = this.#owners.get(owner);
    this.#owners.set(owner, {
      through: Math.max(state?.through ?? 0, day),
      lastSequence: Math.max(state?.lastSequence ?? 0, sequence),
    });
  }
}
