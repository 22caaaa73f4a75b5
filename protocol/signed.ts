import { type KeyObject, sign, verify } from 'node:crypto';
import { CborError } from './cbor/error.ts';
import { CborReader } from './cbor/reader.ts';
import { CborWriter } from './cbor/writer.ts';
import { ALG } from './cose/algorithms.ts';
import { COSE_TAG, HEADER } from './cose/message.ts';
import { sign1Structure } from './cose/structures.ts';
import { HesError } from './errors.ts';
import { type Binding, topicBytes } from './keys.ts';
import { CERTIFICATE_BYTES_MAX, PAYLOAD_BYTES_MAX, SIGNED_BYTES_MAX } from './limits.ts';

/** The inner layer of an uplink: COSE_Sign1 with ES256, the signer's certificate in its protected header. */

/** r and s, 32 bytes each (RFC 9053 §2.1). */
export const SIGNATURE_BYTES = 64;
/** The protected header of a signature: two keys, an algorithm and a certificate. */
export const HEADER_BYTES_MAX = CERTIFICATE_BYTES_MAX + 16;

export interface SignerKey {
  readonly privateKey: KeyObject;
  /** DER of the device's signature certificate, sent as x5chain. */
  readonly certificate: Uint8Array;
}

interface Signed {
  readonly header: Uint8Array;
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

const writer = new CborWriter(SIGNED_BYTES_MAX);

/**
 * The protected header of a signature: ES256 and the signer's certificate.
 * @throws ERR_ENVELOPE_SIZE where the certificate is empty or larger than its limit
 */
export function signerHeader(certificate: Uint8Array): Uint8Array {
  if (certificate.length === 0 || certificate.length > CERTIFICATE_BYTES_MAX)
    throw new HesError('ERR_ENVELOPE_SIZE', 'the signature certificate is empty or larger than the limit', {
      context: { length: certificate.length, lengthMax: CERTIFICATE_BYTES_MAX },
    });
  return writer.write(() => {
    writer.map(2);
    writer.integer(HEADER.alg);
    writer.integer(ALG.ES256);
    writer.integer(HEADER.x5chain);
    writer.bytes(certificate);
  });
}

/**
 * The certificate stands in the protected header (RFC 9360 §2 leaves the choice), so that the signature covers
 * it: one with the same key and other names cannot be put in its place.
 * @throws ERR_ENVELOPE_SIZE where the certificate is larger than its limit
 */
export function signPayload(payload: Uint8Array, externalAad: Uint8Array, signer: SignerKey): Uint8Array {
  const { certificate, privateKey } = signer;
  return signPayloadBy(payload, externalAad, {
    certificate,
    sign: (structure) => signEs256(structure, privateKey),
  });
}

/** The same by a key that is not in this process: `sign` gives r and s over the bytes. @throws ERR_ENVELOPE_SIZE */
export function signPayloadBy(
  payload: Uint8Array,
  externalAad: Uint8Array,
  signer: { readonly certificate: Uint8Array; readonly sign: (structure: Uint8Array) => Uint8Array },
): Uint8Array {
  const header = signerHeader(signer.certificate);
  const structure = sign1Structure(header, externalAad, payload);
  const signature = signer.sign(structure);
  structure.fill(0);
  return writer.write(() => {
    writer.tag(COSE_TAG.sign1);
    writer.array(4);
    writer.bytes(header);
    writer.map(0);
    writer.bytes(payload);
    writer.bytes(signature);
  });
}

/**
 * The certificate that a message says it was signed with. Nothing about it is trusted yet.
 * @throws ERR_ENVELOPE_SIGNED where the bytes are not this protocol's COSE_Sign1
 */
export function readSigner(signed: Uint8Array): Uint8Array {
  return certificateOf(readSigned(signed).header);
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
  return verifySigned(signed, topicBytes(binding), publicKey);
}

/** The same, over whatever the message is bound to. @throws ERR_ENVELOPE_SIGNED, ERR_ENVELOPE_SIGNATURE */
export function verifySigned(signed: Uint8Array, externalAad: Uint8Array, publicKey: KeyObject): Uint8Array {
  const { header, payload, signature } = readSigned(signed);
  const structure = sign1Structure(header, externalAad, payload);
  const holds = verifyEs256(structure, publicKey, signature);
  // It is cut from a block that other buffers share, and would lie there as long as the last of them lives.
  structure.fill(0);
  if (!holds)
    throw new HesError(
      'ERR_ENVELOPE_SIGNATURE',
      'altered, signed by another key, or moved from another topic',
    );
  return payload;
}

/** The payload that a message claims to be signed over. Nothing about it is trusted. @throws ERR_ENVELOPE_SIGNED */
export const claimedPayload = (signed: Uint8Array): Uint8Array => readSigned(signed).payload;

/** This protocol's COSE_Sign1 (RFC 9052 §4.2): every header is protected. */
function readSigned(signed: Uint8Array): Signed {
  return asSigned(() => {
    const reader = new CborReader(signed);
    reader.tag(COSE_TAG.sign1);
    reader.array(4, 4);
    const header = reader.bytes(HEADER_BYTES_MAX);
    reader.map(0, 0);
    const payload = reader.bytes(PAYLOAD_BYTES_MAX);
    const signature = reader.bytesOf(SIGNATURE_BYTES);
    reader.end();
    return { header, payload, signature };
  });
}

function certificateOf(header: Uint8Array): Uint8Array {
  return asSigned(() => {
    const reader = new CborReader(header);
    reader.map(2, 2);
    reader.expect(HEADER.alg);
    reader.expect(ALG.ES256);
    reader.expect(HEADER.x5chain);
    const certificate = reader.bytes(CERTIFICATE_BYTES_MAX);
    reader.end();
    return certificate;
  });
}

function asSigned<T>(step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (cause instanceof CborError)
      throw new HesError('ERR_ENVELOPE_SIGNED', `not a signed message: ${cause.message}`, { cause });
    throw cause;
  }
}

/** RFC 9053 §2.1: ECDSA with SHA-256, the signature as r and s, not as DER. */
export function signEs256(structure: Uint8Array, privateKey: KeyObject): Uint8Array {
  return sign('sha256', structure, { key: privateKey, dsaEncoding: 'ieee-p1363' });
}

export function verifyEs256(structure: Uint8Array, publicKey: KeyObject, signature: Uint8Array): boolean {
  if (signature.length !== SIGNATURE_BYTES) return false;
  return verify('sha256', structure, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature);
}
