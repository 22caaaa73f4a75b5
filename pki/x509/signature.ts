import { hash, type KeyObject, sign } from 'node:crypto';
import { der, derUnsigned, TAG } from './der.ts';

/** ES256 by a key that is here, or by one that never leaves its token (docs/adr/0185). */

/** A P-256 key that signs where it is. */
export interface TokenSigner {
  /**
   * ECDSA of a SHA-256 digest: r and s, 32 octets each. It waits for the token, at most as long as its deadline.
   * @throws ERR_HSM_*
   */
  signDigest(digest: Uint8Array): Uint8Array;
}

export type AuthorityKey = KeyObject | TokenSigner;

const COORDINATE_BYTES = 32;

/** As X.509 has it (RFC 3279 §2.2.3): a SEQUENCE of r and s. @throws ERR_HSM_* */
export function signDer(key: AuthorityKey, bytes: Uint8Array): Uint8Array {
  if (!('signDigest' in key)) return sign('sha256', bytes, key);
  const raw = signRaw(key, bytes);
  return der(
    TAG.sequence,
    derUnsigned(raw.subarray(0, COORDINATE_BYTES)),
    derUnsigned(raw.subarray(COORDINATE_BYTES)),
  );
}

/** As COSE and JOSE have it (RFC 9053 §2.1): r and s, one after the other. @throws ERR_HSM_* */
export function signRaw(key: AuthorityKey, bytes: Uint8Array): Uint8Array {
  return 'signDigest' in key
    ? key.signDigest(hash('sha256', bytes, 'buffer'))
    : sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' });
}
