import { createDecipheriv } from 'node:crypto';
import { AUTHENTICATION_TAG_BYTES, type GloFrame, readGloFrame } from './glo-frame.ts';
import type { P1Keys } from './glo-keys.ts';
import type { P1Fault } from './telegram.ts';

export type GloOutcome =
  | { readonly ok: true; readonly plaintext: Buffer; readonly verified: boolean }
  | { readonly ok: false; readonly fault: P1Fault };

export interface GloOptions {
  /** Null: encrypted telegrams are counted, not opened. */
  readonly keys: P1Keys | null;
  /**
   * Also take what no tag vouches for. The cipher is a key stream: whoever is on the cable can then turn any digit
   * into another without knowing the key. Only for looking at a port whose authentication key nobody will tell.
   */
  readonly acceptUnverified: boolean;
}

/**
 * Open a frame (IEC 62056-5-3 §5.3.7): AES-128-GCM, IV = title ‖ counter, additional data = security byte ‖
 * authentication key. Nothing of the plaintext leaves before the tag was found right.
 */
export function openGlo(bytes: Buffer, { keys, acceptUnverified }: GloOptions): GloOutcome {
  if (keys === null) return { ok: false, fault: 'encrypted' };
  const frame = readGloFrame(bytes);
  const verified = frame.tag === null ? null : verifiedByAny(frame, frame.tag, keys);
  if (verified !== null) return { ok: true, plaintext: verified, verified: true };
  if (acceptUnverified) return { ok: true, plaintext: unverifiedPlaintext(frame, keys), verified: false };
  return { ok: false, fault: frame.tag === null ? 'untagged' : 'tag-invalid' };
}

const NO_ADDITIONAL_DATA = Buffer.alloc(0);

function verifiedByAny(frame: GloFrame, tag: Buffer, keys: P1Keys): Buffer | null {
  const additional = Buffer.concat([Uint8Array.of(frame.security), keys.authentication]);
  const plaintext = verifiedPlaintext(frame, tag, keys, additional);
  if (plaintext !== null || keys.authenticationUnknown !== true) return plaintext;
  return verifiedPlaintext(frame, tag, keys, NO_ADDITIONAL_DATA);
}

function verifiedPlaintext(
  frame: GloFrame,
  tag: Buffer,
  keys: P1Keys,
  additional: Uint8Array,
): Buffer | null {
  const decipher = createDecipheriv('aes-128-gcm', keys.encryption, initialVector(frame), {
    authTagLength: AUTHENTICATION_TAG_BYTES,
  });
  decipher.setAAD(additional);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(frame.ciphertext);
  try {
    decipher.final();
  } catch {
    return null;
  }
  return plaintext;
}

/** The tag of a data-notification (IEC 62056-5-3 §8.2): a DLMS push, with its 4-byte id and its time behind it. */
const DATA_NOTIFICATION = 0x0f;
const TIME_LENGTH_AT = 5;
/** No time, or a DLMS date-time of 12 bytes, with or without its octet-string tag. */
const TIME_LENGTHS: ReadonlySet<number> = new Set([0, 9, 12]);

/** Whether what was opened is a DLMS notification and no text: Austria, Norway and Slovenia push these. */
export function isDlmsNotification(plaintext: Uint8Array): boolean {
  return plaintext[0] === DATA_NOTIFICATION && TIME_LENGTHS.has(plaintext[TIME_LENGTH_AT] ?? -1);
}

/** NIST SP 800-38D §7.1: a GCM of a 96-bit IV encrypts in counter mode from IV ‖ 2 on (1 is the tag's). */
const GCM_FIRST_BLOCK = Uint8Array.of(0, 0, 0, 2);

function unverifiedPlaintext(frame: GloFrame, { encryption }: P1Keys): Buffer {
  const counterBlock = Buffer.concat([initialVector(frame), GCM_FIRST_BLOCK]);
  return createDecipheriv('aes-128-ctr', encryption, counterBlock).update(frame.ciphertext);
}

function initialVector({ title, counter }: GloFrame): Buffer {
  return Buffer.concat([title, counter]);
}
