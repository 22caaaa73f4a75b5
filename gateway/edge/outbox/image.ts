import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { RECEIPT_KEY_BYTES } from '../../../protocol/keys.ts';
import type { RefusalCode } from '../../../protocol/receipt.ts';
import { encodeFrame, encodeHead, FRAME_HEAD_BYTES, HEAD_BYTES, type OutboxRecord } from './frames.ts';
import type { NewEntry, OwnerState, Place, Places } from './state.ts';

/** An entry as it will stand in a file. */
export interface ImageEntry extends NewEntry {
  readonly refused: RefusalCode | null;
  readonly thinned: boolean;
}

/** An outbox file with nothing dead in it. */
export interface Image {
  readonly bytes: Buffer;
  /** For each entry, in their order. */
  readonly places: readonly Places[];
}

export interface ImageOf {
  readonly device: DeviceId;
  readonly owners: ReadonlyMap<TenantId, OwnerState>;
  readonly entries: readonly ImageEntry[];
}

/** The file as it would be if it were written anew: owners, then what waits and what is parked, oldest first. */
export function imageOf({ device, owners, entries }: ImageOf): Image {
  const parts: Buffer[] = [encodeHead(device)];
  const places: Places[] = [];
  let offset = HEAD_BYTES;
  const add = (records: readonly OutboxRecord[]): void => {
    const frame = encodeFrame(records);
    parts.push(frame);
    offset += frame.length;
  };
  for (const [owner, state] of owners) add([{ kind: 'owner', owner, ...state }]);
  for (const entry of entries) {
    const { owner, sequence, refused, thinned } = entry;
    places.push(...placesIn([entry], offset));
    add(recordsOf(entry));
    if (thinned) add([{ kind: 'thinned', owner, sequence }]);
    if (refused !== null) add([{ kind: 'parked', owner, sequence, code: refused }]);
  }
  return { bytes: Buffer.concat(parts), places };
}

/** An entry's records: itself, and behind it the form without its profile. */
export function recordsOf({ owner, day, sequence, sealed, receiptKey, lean }: NewEntry): OutboxRecord[] {
  const name = { owner, day, sequence };
  const entry: OutboxRecord = { kind: 'entry', ...name, sealed, receiptKey };
  return lean === undefined ? [entry] : [entry, { kind: 'lean', ...name, ...lean }];
}

/** Where the sealed bytes are of entries whose records are one frame that begins at `frameAt`. */
export function placesIn(entries: readonly NewEntry[], frameAt: number): Places[] {
  let offset = frameAt + FRAME_HEAD_BYTES;
  const place = (owner: TenantId, { length }: Uint8Array): Place => {
    // Kind, length of the owner, owner, day, sequence, receipt key and length stand before it (frames.ts).
    const sealedAt = offset + 2 + owner.length + 4 + 8 + RECEIPT_KEY_BYTES + 4;
    offset = sealedAt + length;
    return { sealedAt, length };
  };
  return entries.map(({ owner, sealed, lean }) => ({
    full: place(owner, sealed),
    lean: lean === undefined ? null : place(owner, lean.sealed),
  }));
}
