import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Shape } from '../cbor/shape.ts';

/** An uncompressed point: 0x04, x, y (SEC 1 §2.3.3). */
export const POINT_BYTES = 65;
const COORDINATE_BYTES = 32;

/** COSE_Key parameters of an EC2 key (RFC 9053 §7.1). */
const KEY = { kty: 1, crv: -1, x: -2, y: -3 } as const;
const KTY_EC2 = 2;
const CRV_P256 = 1;
const UNCOMPRESSED = Uint8Array.of(4);

/**
 * A point as a COSE_Key of exactly these members (RFC 9053 §7.1.1), in the order of deterministic encoding.
 * A compressed key would save 31 bytes and cost its reader a square root.
 */
export const POINT_AS_COSE_KEY: Shape<Uint8Array> = {
  write(writer, point) {
    writer.map(4);
    writer.integer(KEY.kty);
    writer.integer(KTY_EC2);
    writer.integer(KEY.crv);
    writer.integer(CRV_P256);
    writer.integer(KEY.x);
    writer.bytes(point.subarray(1, 1 + COORDINATE_BYTES));
    writer.integer(KEY.y);
    writer.bytes(point.subarray(1 + COORDINATE_BYTES));
  },
  read(reader) {
    reader.map(4, 4);
    reader.expect(KEY.kty);
    reader.expect(KTY_EC2);
    reader.expect(KEY.crv);
    reader.expect(CRV_P256);
    reader.expect(KEY.x);
    const x = reader.bytesOf(COORDINATE_BYTES);
    reader.expect(KEY.y);
    const y = reader.bytesOf(COORDINATE_BYTES);
    return Buffer.concat([UNCOMPRESSED, x, y], POINT_BYTES);
  },
};

const SPKI_PREFIX = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');

/** SubjectPublicKeyInfo of a point: a constant and the point. */
function spkiOfPoint(point: Uint8Array): Buffer {
  return Buffer.concat([SPKI_PREFIX, point]);
}

/** The point of a public (or private) P-256 key. */
export function pointOfKey(key: KeyObject): Uint8Array {
  const publicKey = key.type === 'private' ? createPublicKey(key) : key;
  return publicKey.export({ format: 'der', type: 'spki' }).subarray(SPKI_PREFIX.length);
}

/**
 * ECDH. OpenSSL refuses a point that is not on the curve when it imports it, so a bad one gives undefined
 * and never a secret (an invalid-curve attack would read the private key out of those).
 *
 * `diffieHellman` with the public key as bytes was measured beside `createECDH().computeSecret` (one tenth
 * slower) and beside a key object imported first (no difference).
 */
export function agree(privateKey: KeyObject, point: Uint8Array): Uint8Array | undefined {
  if (point.length !== POINT_BYTES || point[0] !== 4) return undefined;
  try {
    return diffieHellman({ privateKey, publicKey: { key: spkiOfPoint(point), format: 'der', type: 'spki' } });
  } catch {
    return undefined;
  }
}

/** Whether it is a point of the curve: asked where the secret is made by a token, which may not look. */
export function isPoint(point: Uint8Array): boolean {
  if (point.length !== POINT_BYTES || point[0] !== 4) return false;
  try {
    return createPublicKey({ key: spkiOfPoint(point), format: 'der', type: 'spki' }).type === 'public';
  } catch {
    return false;
  }
}

/** A key pair for one message. The public half as a raw point: that export costs half of what DER does. */
export function ephemeralKey(): { readonly privateKey: KeyObject; readonly point: Uint8Array } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { format: 'raw-public' },
  });
  return { privateKey, point: publicKey };
}
