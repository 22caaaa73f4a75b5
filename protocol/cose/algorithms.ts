import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { HASH_BYTES, hmacSha256 } from './hkdf.ts';

/** COSE algorithm numbers (IANA "COSE Algorithms") that this protocol, or its test vectors, use. */
export const ALG = {
  A128GCM: 1,
  A256GCM: 3,
  HMAC_256_256: 5,
  HMAC_512_512: 7,
  AES_CCM_16_64_128: 10,
  AES_CCM_16_64_256: 11,
  ES256: -7,
  DIRECT: -6,
  DIRECT_HKDF_SHA_256: -10,
  ECDH_ES_HKDF_256: -25,
  ECDH_SS_HKDF_256: -27,
} as const;

/** An AEAD of RFC 9053 §4. The tag follows the ciphertext in one byte string. */
export interface Aead {
  readonly alg: number;
  readonly mode: 'gcm' | 'ccm';
  readonly cipher: 'aes-128-gcm' | 'aes-256-gcm' | 'aes-128-ccm' | 'aes-256-ccm';
  readonly keyBytes: number;
  readonly ivBytes: number;
  readonly tagBytes: number;
}

const aead = (
  alg: number,
  cipher: Aead['cipher'],
  keyBytes: number,
  ivBytes: number,
  tagBytes: number,
): readonly [number, Aead] => [
  alg,
  { alg, mode: cipher.endsWith('ccm') ? 'ccm' : 'gcm', cipher, keyBytes, ivBytes, tagBytes },
];

export const AEADS: ReadonlyMap<number, Aead> = new Map([
  aead(ALG.A128GCM, 'aes-128-gcm', 16, 12, 16),
  aead(ALG.A256GCM, 'aes-256-gcm', 32, 12, 16),
  aead(ALG.AES_CCM_16_64_128, 'aes-128-ccm', 16, 13, 8),
  aead(ALG.AES_CCM_16_64_256, 'aes-256-ccm', 32, 13, 8),
]);

/** A MAC of RFC 9053 §3.1. */
export interface Mac {
  readonly alg: number;
  readonly keyBytes: number;
  readonly tagBytes: number;
  readonly compute: (key: Uint8Array, structure: Uint8Array) => Uint8Array;
}

export const HMAC_256_256: Mac = {
  alg: ALG.HMAC_256_256,
  keyBytes: HASH_BYTES,
  tagBytes: HASH_BYTES,
  compute: (key, structure) => hmacSha256(key, structure),
};

export const MACS: ReadonlyMap<number, Mac> = new Map([
  [ALG.HMAC_256_256, HMAC_256_256],
  [
    ALG.HMAC_512_512,
    {
      alg: ALG.HMAC_512_512,
      keyBytes: 64,
      tagBytes: 64,
      compute: (key, structure) => createHmac('sha512', key).update(structure).digest(),
    },
  ],
]);

// One code path for both modes: node wants the tag length for both and, for CCM, the plaintext length first.
export function aeadSeal(
  row: Aead,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(row.cipher as 'aes-128-gcm', key, iv, { authTagLength: row.tagBytes });
  cipher.setAAD(aad, { plaintextLength: plaintext.length });
  const body = cipher.update(plaintext);
  // Empty for both modes, which are stream modes, but the tag is there only after it.
  cipher.final();
  return Buffer.concat([body, cipher.getAuthTag()]);
}

/** The plaintext, or undefined where the tag does not hold. Lengths are checked here, before node sees them. */
export function aeadOpen(
  row: Aead,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  if (iv.length !== row.ivBytes || key.length !== row.keyBytes || sealed.length < row.tagBytes)
    return undefined;
  const bodyBytes = sealed.length - row.tagBytes;
  const decipher = createDecipheriv(row.cipher as 'aes-128-gcm', key, iv, { authTagLength: row.tagBytes });
  decipher.setAAD(aad, { plaintextLength: bodyBytes });
  decipher.setAuthTag(sealed.subarray(bodyBytes));
  try {
    const plaintext = decipher.update(sealed.subarray(0, bodyBytes));
    decipher.final();
    return plaintext;
  } catch {
    // The one thing that node reports here is a tag that does not hold; its message adds nothing.
    return undefined;
  }
}

export function macHolds(row: Mac, key: Uint8Array, structure: Uint8Array, tag: Uint8Array): boolean {
  return tag.length === row.tagBytes && timingSafeEqual(row.compute(key, structure), tag);
}
