import { createCipheriv, createDecipheriv, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import type { DeviceId } from '../../../protocol/identity.ts';

/**
 * The checkpoint file: a head, then frames that only this device can open.
 *
 *   head   "HESDAY" version:u16 device:8 salt:32
 *   frame  length:u32 ciphertext… tag:16
 *
 * AES-256-GCM (NIST SP 800-38D) under a key of the file's own: HKDF-SHA-256 (RFC 5869) of the device's
 * key-agreement key with the file's random salt. The nonce is the number of the frame and the head is
 * authenticated with each: a frame cannot be moved, left out or taken from another file, and no nonce is used
 * twice, since a process never goes on with a file that it did not begin.
 */
export const HEAD_BYTES = 48;
const MAGIC = Buffer.from('HESDAY', 'latin1');
const VERSION = 1;
const SALT_OFFSET = 16;
const SALT_BYTES = HEAD_BYTES - SALT_OFFSET;
const LENGTH_BYTES = 4;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const CIPHER = 'aes-256-gcm';
const INFO = 'hes edge day checkpoint 1';

/** Five meters for each of seven owners, with nine days of eight profiles, stay under a tenth of it. */
const PLAIN_BYTES_MAX = 8 * 1024 * 1024;

/** One file being written: what has to be known for its next frame. */
export class FrameSealer {
  readonly head: Buffer;
  readonly #key: Buffer;
  #frames = 0;

  constructor(secret: KeyObject, device: DeviceId) {
    this.head = Buffer.alloc(HEAD_BYTES);
    MAGIC.copy(this.head);
    this.head.writeUInt16BE(VERSION, 6);
    this.head.write(device, 8, 'hex');
    randomBytes(SALT_BYTES).copy(this.head, SALT_OFFSET);
    this.#key = keyOf(secret, this.head);
  }

  seal(plain: string): Buffer {
    const cipher = createCipheriv(CIPHER, this.#key, nonceOf(this.#frames++));
    cipher.setAAD(this.head);
    const sealed = Buffer.concat([cipher.update(deflateRawSync(plain)), cipher.final(), cipher.getAuthTag()]);
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(sealed.length);
    return Buffer.concat([length, sealed]);
  }
}

export interface OpenedFrames {
  readonly frames: readonly string[];
  /** Bytes behind the last good frame: an unfinished write, or damage. */
  readonly tornBytes: number;
}

/** What can be opened from the start on, or undefined where not even the first frame can. */
export function openFrames(secret: KeyObject, device: DeviceId, bytes: Buffer): OpenedFrames | undefined {
  const head = bytes.subarray(0, HEAD_BYTES);
  if (head.length < HEAD_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  if (head.readUInt16BE(6) !== VERSION || head.toString('hex', 8, SALT_OFFSET) !== device) return undefined;
  const key = keyOf(secret, head);
  const frames: string[] = [];
  let offset = HEAD_BYTES;
  while (offset < bytes.length) {
    const sealed = frameAt(bytes, offset);
    const plain = sealed === undefined ? undefined : open(key, head, frames.length, sealed);
    if (sealed === undefined || plain === undefined) break;
    frames.push(plain);
    offset += LENGTH_BYTES + sealed.length;
  }
  return frames.length === 0 ? undefined : { frames, tornBytes: bytes.length - offset };
}

function frameAt(bytes: Buffer, offset: number): Buffer | undefined {
  if (offset + LENGTH_BYTES > bytes.length) return undefined;
  const length = bytes.readUInt32BE(offset);
  const start = offset + LENGTH_BYTES;
  return length < TAG_BYTES || start + length > bytes.length
    ? undefined
    : bytes.subarray(start, start + length);
}

function open(key: Buffer, head: Buffer, index: number, sealed: Buffer): string | undefined {
  const decipher = createDecipheriv(CIPHER, key, nonceOf(index), { authTagLength: TAG_BYTES });
  decipher.setAAD(head);
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    const packed = Buffer.concat([decipher.update(sealed.subarray(0, -TAG_BYTES)), decipher.final()]);
    return inflateRawSync(packed, { maxOutputLength: PLAIN_BYTES_MAX }).toString();
  } catch {
    return undefined;
  }
}

function keyOf(secret: KeyObject, head: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, head.subarray(SALT_OFFSET), INFO, KEY_BYTES));
}

function nonceOf(index: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32BE(index, NONCE_BYTES - 4);
  return nonce;
}
