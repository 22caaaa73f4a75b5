import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { encodeFrame, encodeHead, HEAD_BYTES, type OutboxRecord } from './frames.ts';
import type { NewEntry, OwnerState, StoredEntry } from './state.ts';

/** An outbox file with nothing dead in it. */
export interface Image {
  readonly bytes: Buffer;
  /** Where the sealed bytes of each entry are in it. */
  readonly places: readonly (readonly [StoredEntry, number])[];
}

export interface ImageOf {
  readonly device: DeviceId;
  readonly owners: ReadonlyMap<TenantId, OwnerState>;
  readonly entries: readonly StoredEntry[];
  readonly read: (entry: StoredEntry) => Pick<NewEntry, 'sealed' | 'receiptKey'>;
}

/** The file as it would be if it were written anew: owners, then what waits and what is parked, oldest first. */
export function imageOf({ device, owners, entries, read }: ImageOf): Image {
  const parts: Buffer[] = [encodeHead(device)];
  const places: [StoredEntry, number][] = [];
  let offset = HEAD_BYTES;
  const add = (record: OutboxRecord): void => {
    const frame = encodeFrame([record]);
    parts.push(frame);
    offset += frame.length;
  };
  for (const [owner, state] of owners) add({ kind: 'owner', owner, ...state });
  for (const stored of entries) {
    const { owner, day, sequence, refused } = stored;
    add({ kind: 'entry', owner, day, sequence, ...read(stored) });
    places.push([stored, offset - stored.length]);
    if (refused !== null) add({ kind: 'parked', owner, sequence, code: refused });
  }
  return { bytes: Buffer.concat(parts), places };
}
