import { crc32 } from 'node:zlib';
import type { DeviceId } from '../../../protocol/identity.ts';
import { FRAME_BYTES_MAX } from './limits.ts';

/**
 * The file of a journal: a head, a frame with the whole ledger, then frames of what changed. A frame is what one
 * write appended, and counts whole or not at all.
 *
 *   head   "HESOPS" version:u16 device:8 crc:u32
 *   frame  length:u32 crc:u32 body…           the CRC is over length and body
 */
const MAGIC = Buffer.from('HESOPS', 'latin1');
const VERSION = 1;
const HEAD_BYTES = 20;
const FRAME_HEAD_BYTES = 8;

export function encodeHead(device: DeviceId): Buffer {
  const head = Buffer.alloc(HEAD_BYTES);
  MAGIC.copy(head);
  head.writeUInt16BE(VERSION, 6);
  head.write(device, 8, 'hex');
  head.writeUInt32BE(crc32(head.subarray(0, 16)), 16);
  return head;
}

export function encodeFrame(body: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.writeUInt32BE(body.length, 0);
  head.writeUInt32BE(crc32(body, crc32(head.subarray(0, 4))), 4);
  return Buffer.concat([head, body]);
}

export interface Frames {
  readonly bodies: readonly Buffer[];
  /** Bytes of head and whole frames. */
  readonly length: number;
  /** Whole frames stand behind what is not whole: that is no write which was interrupted. */
  readonly damaged: boolean;
}

/** Undefined where it is no journal of this device and version. */
export function readFrames(bytes: Buffer, device: DeviceId): Frames | undefined {
  if (bytes.length < HEAD_BYTES || !bytes.subarray(0, HEAD_BYTES).equals(encodeHead(device)))
    return undefined;
  const bodies: Buffer[] = [];
  let offset = HEAD_BYTES;
  for (let body = frameAt(bytes, offset); body !== undefined; body = frameAt(bytes, offset)) {
    bodies.push(body);
    offset += FRAME_HEAD_BYTES + body.length;
  }
  return { bodies, length: offset, damaged: isDamaged(bytes, offset) };
}

function isDamaged(bytes: Buffer, offset: number): boolean {
  if (bytes.length - offset > FRAME_BYTES_MAX + FRAME_HEAD_BYTES)
    return bytes.subarray(offset).some((byte) => byte !== 0);
  for (let later = offset + 1; later + FRAME_HEAD_BYTES <= bytes.length; later++)
    if (frameAt(bytes, later) !== undefined) return true;
  return false;
}

function frameAt(bytes: Buffer, offset: number): Buffer | undefined {
  if (offset + FRAME_HEAD_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32BE(offset);
  const end = offset + FRAME_HEAD_BYTES + length;
  if (length === 0 || length > FRAME_BYTES_MAX || end > bytes.length) return undefined;
  const body = bytes.subarray(offset + FRAME_HEAD_BYTES, end);
  return crc32(body, crc32(bytes.subarray(offset, offset + 4))) === bytes.readUInt32BE(offset + 4)
    ? body
    : undefined;
}
