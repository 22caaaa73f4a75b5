import { type KeyObject, sign, verify } from 'node:crypto';
import { encodeCbor } from './cbor/codec.ts';
import { ALG } from './cose/algorithms.ts';
import { COSE_TAG, HEADER, headerMap, readSign1, type Sign1, writeMessage } from './cose/message.ts';
import { sign1Structure } from './cose/structures.ts';
import { HesError } from './errors.ts';
import type { Binding } from './keys.ts';
import { CERTIFICATE_BYTES_MAX, HEADER_BOUNDS, SIGNED_BOUNDS } from './limits.ts';
import { upTopic } from './topics.ts';

/** The inner layer of an uplink: COSE_Sign1 with ES256, the signer's certificate in its protected header. */

/** r and s, 32 bytes each (RFC 9053 §2.1). */
const SIGNATURE_BYTES = 64;

export interface SignerKey {
  readonly privateKey: KeyObject;
  /** DER of the device's signature certificate, sent as x5chain. */
  readonly certificate: Uint8Array;
}

const NO_HEADERS: ReadonlyMap<number, number> = new Map();

/**
 * The certificate stands in the protected header (RFC 9360 §2 leaves the choice), so that the signature covers
 * it: one with the same key and other names cannot be put in its place.
 * @throws ERR_ENVELOPE_SIZE where the certificate is larger than its limit
 */
export function signPayload(payload: Uint8Array, externalAad: Uint8Array, signer: SignerKey): Uint8Array {
  const { certificate, privateKey } = signer;
  if (certificate.length === 0 || certificate.length > CERTIFICATE_BYTES_MAX)
    throw new HesError('ERR_ENVELOPE_SIZE', 'the signature certificate is empty or larger than the limit', {
      context: { length: certificate.length, lengthMax: CERTIFICATE_BYTES_MAX },
    });
  const header = encodeCbor(
    new Map<number, number | Uint8Array>([
      [HEADER.alg, ALG.ES256],
      [HEADER.x5chain, certificate],
    ]),
    HEADER_BOUNDS,
  );
  const signature = signEs256(sign1Structure(header, externalAad, payload), privateKey);
  return writeMessage(COSE_TAG.sign1, [header, NO_HEADERS, payload, signature], SIGNED_BOUNDS);
}

/**
 * The certificate that a message says it was signed with. Nothing about it is trusted yet.
 * @throws ERR_ENVELOPE_SIGNED where the bytes are not this protocol's COSE_Sign1
 */
export function readSigner(signed: Uint8Array): Uint8Array {
  return certificateOf(readSigned(signed));
}

/**
 * The payload, once the signature holds under the key of a signer that the caller trusts, over this topic.
 * @throws ERR_ENVELOPE_SIGNED; ERR_ENVELOPE_SIGNATURE where it does not hold: altered, signed by another key,
 *   or moved from another topic
 */
export function verifyUplink(message: {
  readonly signed: Uint8Array;
  readonly binding: Binding;
  readonly publicKey: KeyObject;
}): Uint8Array {
  const { signed, binding, publicKey } = message;
  const { header, payload, signature } = readSigned(signed);
  const topic = Buffer.from(upTopic(binding.tenant, binding.device, binding.kind), 'latin1');
  if (!verifyEs256(sign1Structure(header, topic, payload), publicKey, signature))
    throw new HesError(
      'ERR_ENVELOPE_SIGNATURE',
      'altered, signed by another key, or moved from another topic',
    );
  return payload;
}

function readSigned(signed: Uint8Array): Sign1 {
  let inner: Sign1;
  try {
    inner = readSign1(signed, SIGNED_BOUNDS);
  } catch (cause) {
    throw refused('not a COSE_Sign1', cause);
  }
  if (inner.unprotected.size > 0) throw refused('unprotected headers beside the signed ones');
  return inner;
}

function certificateOf(inner: Sign1): Uint8Array {
  let alg: unknown;
  let certificate: unknown;
  let size: number;
  try {
    const header = headerMap(inner.header, HEADER_BOUNDS);
    size = header.size;
    alg = header.get(HEADER.alg);
    certificate = header.get(HEADER.x5chain);
  } catch (cause) {
    throw refused('the protected header is not a map', cause);
  }
  if (size !== 2 || alg !== ALG.ES256) throw refused('not ES256, or headers beyond ours');
  if (!(certificate instanceof Uint8Array) || certificate.length > CERTIFICATE_BYTES_MAX)
    throw refused('not one certificate');
  return certificate;
}

/** RFC 9053 §2.1: ECDSA with SHA-256, the signature as r and s, not as DER. */
export function signEs256(structure: Uint8Array, privateKey: KeyObject): Uint8Array {
  return sign('sha256', structure, { key: privateKey, dsaEncoding: 'ieee-p1363' });
}

export function verifyEs256(structure: Uint8Array, publicKey: KeyObject, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  return verify('sha256', structure, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}

function refused(what: string, cause?: unknown): HesError {
  return new HesError('ERR_ENVELOPE_SIGNED', what, { cause });
}
