import { crc32 } from 'node:zlib';
import { type DeviceId, isTenantId, type TenantId } from '../../../protocol/identity.ts';
import { RECEIPT_KEY_BYTES } from '../../../protocol/keys.ts';
import { SEALED_BYTES_MAX } from '../../../protocol/limits.ts';
import { REFUSALS, type RefusalCode } from '../../../protocol/receipt.ts';
import { FRAME_BYTES_MAX } from './limits.ts';

/**
 * The outbox file: a head, then frames. A frame is what one write appended: length, CRC-32 over length and body,
 * body. It counts whole or not at all, so a write that a power cut tore can only be the last frame.
 *
 *   head   "HESOUT" version:u16 device:8 crc:u32
 *   frame  length:u32 crc:u32 record…
 *   record kind:u8 owner-length:u8 owner …, numbers big-endian
 */
export const HEAD_BYTES = 20;
export const FRAME_HEAD_BYTES = 8;
const MAGIC = Buffer.from('HESOUT', 'latin1');
const VERSION = 1;

/** A sealed reading: its owner, the day that it closes and its number. Ordinals count days since 1970-01-01. */
export interface EntryRecord {
  readonly kind: 'entry';
  readonly owner: TenantId;
  readonly day: number;
  readonly sequence: number;
  readonly receiptKey: Uint8Array;
  readonly sealed: Uint8Array;
}

/** The same reading without its profile: what is left of it when there is no room. It stands behind its entry. */
export interface LeanRecord extends Omit<EntryRecord, 'kind'> {
  readonly kind: 'lean';
}

export type OutboxRecord =
  | EntryRecord
  | LeanRecord
  /** The entry before it is the lean form: its profile was given up. */
  | { readonly kind: 'thinned'; readonly owner: TenantId; readonly sequence: number }
  /** A valid receipt came: the reading is at its owner. */
  | { readonly kind: 'delivered'; readonly owner: TenantId; readonly sequence: number }
  /** The owner refused it for good. */
  | {
      readonly kind: 'parked';
      readonly owner: TenantId;
      readonly sequence: number;
      readonly code: RefusalCode;
    }
  /** The refused reading was given up, because too many had been refused since. */
  | { readonly kind: 'dropped'; readonly owner: TenantId; readonly sequence: number }
  /** Nothing is owed to the owner up to this day, and no number up to this one is free. */
  | {
      readonly kind: 'owner';
      readonly owner: TenantId;
      readonly through: number;
      readonly lastSequence: number;
    };

/** In the order of their numbers. An older program refuses a file with a kind that it does not know. */
const KINDS = ['entry', 'delivered', 'parked', 'dropped', 'owner', 'lean', 'thinned'] as const;

export function encodeHead(device: DeviceId): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head);
  head.writeUInt16BE(VERSION, 6);
  head.write(device, 8, 'hex');
  head.writeUInt32BE(crc32(head.subarray(0, 16)), 16);
  return head;
}

export function isHead(bytes: Buffer, device: DeviceId): boolean {
  return bytes.length >= HEAD_BYTES && bytes.subarray(0, HEAD_BYTES).equals(encodeHead(device));
}

export function encodeFrame(records: readonly OutboxRecord[]): Buffer {
  const body = Buffer.concat(records.map(encodeRecord));
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(body.length, 0);
  head.writeUInt32BE(crc32(body, crc32(head.subarray(0, 4))), 4);
  return Buffer.concat([head, body]);
}

/** The body of the frame that begins at an offset, or undefined where no whole frame does. */
export function frameAt(bytes: Buffer, offset: number): Buffer | undefined {
  if (offset + FRAME_HEAD_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32BE(offset);
  const end = offset + FRAME_HEAD_BYTES + length;
  if (length === 0 || length > FRAME_BYTES_MAX || end > bytes.length) return undefined;
  const body = bytes.subarray(offset + FRAME_HEAD_BYTES, end);
  const crc = crc32(body, crc32(bytes.subarray(offset, offset + 4)));
  return crc === bytes.readUInt32BE(offset + 4) ? body : undefined;
}

/** The records of a frame's body, or undefined where it holds something else: then another program wrote it. */
export function decodeRecords(body: Buffer): OutboxRecord[] | undefined {
  const records: OutboxRecord[] = [];
  const reader = new Reader(body);
  while (reader.left > 0) {
    const record = decodeRecord(reader);
    if (record === undefined) return undefined;
    records.push(record);
  }
  return records;
}

function encodeRecord(record: OutboxRecord): Buffer {
  const owner = Buffer.from(record.owner, 'latin1');
  const head = Buffer.from([KINDS.indexOf(record.kind), owner.length]);
  return Buffer.concat([head, owner, ...encodeFields(record)]);
}

function encodeFields(record: OutboxRecord): Uint8Array[] {
  switch (record.kind) {
    case 'entry':
    case 'lean':
      return [
        u32(record.day),
        u64(record.sequence),
        record.receiptKey,
        u32(record.sealed.length),
        record.sealed,
      ];
    case 'parked':
      return [u64(record.sequence), Buffer.from([REFUSALS.indexOf(record.code)])];
    case 'owner':
      return [u32(record.through), u64(record.lastSequence)];
    default:
      return [u64(record.sequence)];
  }
}

function decodeRecord(reader: Reader): OutboxRecord | undefined {
  const kind = KINDS[reader.u8() ?? KINDS.length];
  const owner = reader.bytes(reader.u8())?.toString('latin1');
  if (kind === undefined || !isTenantId(owner)) return undefined;
  if (kind === 'owner') {
    const through = reader.u32();
    const lastSequence = reader.u64();
    if (through === undefined || lastSequence === undefined) return undefined;
    return { kind, owner, through, lastSequence };
  }
  const isReading = kind === 'entry' || kind === 'lean';
  const day = isReading ? reader.u32() : 0;
  const sequence = reader.u64();
  if (day === undefined || sequence === undefined) return undefined;
  if (kind === 'parked') {
    const code = REFUSALS[reader.u8() ?? REFUSALS.length];
    return code === undefined ? undefined : { kind, owner, sequence, code };
  }
  if (!isReading) return { kind, owner, sequence };
  const receiptKey = reader.bytes(RECEIPT_KEY_BYTES);
  const length = reader.u32();
  const sealed = length === undefined || length > SEALED_BYTES_MAX ? undefined : reader.bytes(length);
  if (receiptKey === undefined || sealed === undefined) return undefined;
  return { kind, owner, day, sequence, receiptKey, sealed };
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

/** Reads on, and gives undefined where there is not enough left. */
class Reader {
  readonly #bytes: Buffer;
  #offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#offset;
  }

  bytes(length: number | undefined): Buffer | undefined {
    if (length === undefined || length > this.left) return undefined;
    this.#offset += length;
    return this.#bytes.subarray(this.#offset - length, this.#offset);
  }

  u8(): number | undefined {
    return this.bytes(1)?.[0];
  }

  u32(): number | undefined {
    return this.bytes(4)?.readUInt32BE();
  }

  u64(): number | undefined {
    const value = this.bytes(8)?.readBigUInt64BE();
    return value === undefined || value > BigInt(Number.MAX_SAFE_INTEGER) ? undefined : Number(value);
  }
}
