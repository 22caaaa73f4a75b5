import { createCipheriv } from 'node:crypto';
import { AUTHENTICATION_TAG_BYTES, GLO_TAG, SECURITY, TITLE_BYTES } from './glo-frame.ts';
import type { P1Keys } from './glo-keys.ts';

export interface GloSealOptions {
  readonly keys: P1Keys;
  /** Eight bytes; the first three are the manufacturer's letters. */
  readonly title: Uint8Array;
  /** Must never come back under the same key: with it the key stream would. */
  readonly counter: number;
  /** Authenticated and encrypted unless told. */
  readonly security?: number;
  /** Write the length in so many bytes behind its first, as meters do (BER allows more than needed); 2 unless told. */
  readonly lengthBytes?: 0 | 1 | 2 | 3 | 4;
}

const SECURITY_USUAL = SECURITY.authenticated | SECURITY.encrypted;

/** The meter's side of `glo-open.ts`: for emulated meters and tests. */
export function sealGlo(
  plaintext: Uint8Array,
  { keys, title, counter, security = SECURITY_USUAL, lengthBytes = 2 }: GloSealOptions,
): Buffer {
  const counterBytes = Buffer.alloc(4);
  counterBytes.writeUInt32BE(counter);
  const cipher = createCipheriv('aes-128-gcm', keys.encryption, Buffer.concat([title, counterBytes]), {
    authTagLength: AUTHENTICATION_TAG_BYTES,
  });
  cipher.setAAD(Buffer.concat([Uint8Array.of(security), keys.authentication]));
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  const tag = (security & SECURITY.authenticated) === 0 ? Buffer.alloc(0) : cipher.getAuthTag();
  const body = Buffer.concat([Uint8Array.of(security), counterBytes, ciphertext, tag]);
  const head = Uint8Array.of(GLO_TAG, TITLE_BYTES);
  return Buffer.concat([head, title.subarray(0, TITLE_BYTES), berLength(body.length, lengthBytes), body]);
}

function berLength(length: number, lengthBytes: number): Buffer {
  if (lengthBytes === 0) return Buffer.from([length]);
  const field = Buffer.alloc(1 + lengthBytes);
  field[0] = 0x80 | lengthBytes;
  field.writeUIntBE(length, 1, lengthBytes);
  return field;
}
