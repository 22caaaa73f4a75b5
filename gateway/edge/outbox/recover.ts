import { HesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import { decodeRecords, FRAME_HEAD_BYTES, frameAt, HEAD_BYTES, isHead, type OutboxRecord } from './frames.ts';
import { FRAME_BYTES_MAX } from './limits.ts';

export interface Recovered {
  /** Each record with the offset of its frame's first byte. */
  readonly records: readonly { readonly record: OutboxRecord; readonly sealedAt: number }[];
  /** Bytes of whole frames: the file is to be cut to this length. */
  readonly length: number;
  /** Bytes after them that one unfinished write left. */
  readonly tornBytes: number;
}

/**
 * Read an outbox file back after whatever happened.
 *
 * Only the last write can have been torn, and it was never counted as stored; so what is not whole at the end is
 * cut. What is not whole with whole frames behind it, or is longer than one write, is damage of the disk: it is
 * reported and never passed over, since a reading may be in it.
 *
 * @throws ERR_OUTBOX_FORMAT, ERR_OUTBOX_DAMAGED
 */
export function recover(path: string, bytes: Buffer, device: DeviceId): Recovered {
  if (!isHead(bytes, device))
    throw new HesError('ERR_OUTBOX_FORMAT', `${path} is no outbox of this device: move it aside`, {
      context: { path, bytes: bytes.length },
    });
  const records: { record: OutboxRecord; sealedAt: number }[] = [];
  let offset = HEAD_BYTES;
  while (offset < bytes.length) {
    const body = frameAt(bytes, offset);
    if (body === undefined) break;
    const decoded = decodeRecords(body);
    if (decoded === undefined)
      throw new HesError('ERR_OUTBOX_FORMAT', `${path} was written by another version: use that program`, {
        context: { path, offset },
      });
    for (const record of decoded) {
      const sealedAt = 'sealed' in record ? record.sealed.byteOffset - bytes.byteOffset : 0;
      records.push({ record, sealedAt });
    }
    offset += FRAME_HEAD_BYTES + body.length;
  }
  const tornBytes = bytes.length - offset;
  if (tornBytes > 0 && isDamage(bytes, offset))
    throw new HesError(
      'ERR_OUTBOX_DAMAGED',
      `${path} is damaged at byte ${offset} of ${bytes.length}: move the file aside and keep it, then start again; nothing was removed`,
      { context: { path, offset, bytes: bytes.length } },
    );
  return { records, length: offset, tornBytes };
}

function isDamage(bytes: Buffer, offset: number): boolean {
  // A file system may have grown the file for a write whose bytes never came.
  if (bytes.subarray(offset).every((byte) => byte === 0)) return false;
  if (bytes.length - offset > FRAME_BYTES_MAX + FRAME_HEAD_BYTES) return true;
  for (let later = offset + 1; later + FRAME_HEAD_BYTES <= bytes.length; later++)
    if (frameAt(bytes, later) !== undefined) return true;
  return false;
}
