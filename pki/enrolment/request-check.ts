import 'reflect-metadata';
import { createHash, createPublicKey, verify } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { pkiError } from '../errors.ts';
import { ECDSA_SHA256, P256_POINT_BYTES, P256_SPKI_PREFIX } from '../x509/certificate.ts';
import { contextTag, DerCursor, equalBytes, readOctetBits, TAG } from '../x509/der.ts';
import { readPem } from '../x509/pem.ts';
import {
  asRefused,
  CREDENTIAL_NAMES,
  CREDENTIALS,
  type CredentialName,
  type EnrolmentRequest,
  requestedUris,
  requestIdOf,
} from './request.ts';
import { type AskedFor, askedExtensions } from './request-write.ts';

/** Far above what a request of ours needs (about 420 bytes and 60 for each guest), far below what could hurt. */
export const CERTIFICATE_REQUEST_BYTES_MAX = 4096;

/** What a certificate request says, after its key was seen to have signed it. */
export interface CertificateRequest {
  readonly spki: Uint8Array;
  readonly commonName: string | null;
  /**
   * The extensions that it asks for, DER each. They are read where somebody asks, and EST does not: it was half of what a
   * renewal cost. @throws ERR_ENROL_REQUEST
   */
  readonly extensions: readonly Uint8Array[];
}

export interface CheckedEnrolment {
  readonly request: EnrolmentRequest;
  readonly spkis: Readonly<Record<CredentialName, Uint8Array>>;
}

/**
 * Check all that a request says of itself: each part is signed by its own key, asks for exactly the use and the names
 * that its place in the document means, and the three keys are three.
 *
 * @throws ERR_ENROL_REQUEST, ERR_ENROL_KEY
 */
export function checkEnrolmentRequest(request: EnrolmentRequest): CheckedEnrolment {
  const parts = Object.fromEntries(
    CREDENTIAL_NAMES.map((name) => [name, readCertificateRequest(request[name])]),
  ) as Record<CredentialName, CertificateRequest>;
  const spkis = { tls: parts.tls.spki, sign: parts.sign.spki, agree: parts.agree.spki };
  if (new Set(CREDENTIAL_NAMES.map((name) => keyHash(spkis[name]))).size !== CREDENTIAL_NAMES.length)
    throw pkiError('ERR_ENROL_KEY', 'the request names one key for two uses');
  if (requestIdOf(spkis) !== request.request)
    throw pkiError('ERR_ENROL_REQUEST', 'the request is not named after its own three keys');
  if (new Set([request.home, ...request.guests]).size !== request.guests.length + 1)
    throw pkiError('ERR_ENROL_REQUEST', 'the request names a tenant twice');
  const uris = requestedUris(request, request.request);
  for (const name of CREDENTIAL_NAMES)
    if (!asksFor(parts[name], { profile: CREDENTIALS[name], commonName: request.request, uris }))
      throw pkiError('ERR_ENROL_REQUEST', `the certificate request ${name} asks for another use or name`);
  return { request, spkis };
}

/** Under which name the register remembers a public key. */
export const keyHash = (spki: Uint8Array): string => createHash('sha256').update(spki).digest('hex');

/** Byte for byte: object identifiers of 128 bits are more than the library can print. */
function asksFor(part: CertificateRequest, asked: AskedFor): boolean {
  const expected = askedExtensions(asked);
  return (
    part.commonName === asked.commonName &&
    part.extensions.length === expected.length &&
    part.extensions.every((extension, at) => equalBytes(extension, rawOf(expected[at]!)))
  );
}

const rawOf = ({ rawData }: { readonly rawData: ArrayBuffer }): Uint8Array => new Uint8Array(rawData);

const NO_REQUEST = 'no certificate request (PKCS#10, PEM)';

/**
 * Read a PKCS#10 request (PEM) and have its own key vouch for it. The frame, the algorithm and the key are read by
 * our strict reader, the signature by OpenSSL (node:crypto), what is asked for by the library: bytes on which they
 * disagree do not pass.
 *
 * @throws ERR_ENROL_REQUEST, ERR_ENROL_KEY
 */
export function readCertificateRequest(pem: string): CertificateRequest {
  return asRefused('ERR_ENROL_REQUEST', NO_REQUEST, () => {
    const blocks = readPem('CERTIFICATE REQUEST', pem);
    if (blocks.length !== 1) throw new Error('more than one request');
    const der = blocks[0]!;
    if (der.length > CERTIFICATE_REQUEST_BYTES_MAX) throw new Error('too long');
    const { tbs, spki, signature } = readFrame(der);
    const request = new x509.Pkcs10CertificateRequest(der);
    if (!equalBytes(rawOf(request.publicKey), spki)) throw new Error('two keys');
    checkKey(spki, tbs, signature);
    const commonNames = request.subjectName.getField('CN');
    return {
      spki,
      commonName: commonNames.length === 1 ? commonNames[0]! : null,
      get extensions() {
        return asRefused('ERR_ENROL_REQUEST', NO_REQUEST, () => request.extensions.map(rawOf));
      },
    };
  });
}

/** RFC 2986 §4: what is signed and the key in it, with which algorithm, and the signature; strict to the last byte. */
function readFrame(der: Uint8Array): Readonly<Record<'tbs' | 'spki' | 'signature', Uint8Array>> {
  const outer = new DerCursor(der);
  const body = outer.enter(TAG.sequence);
  outer.end();
  const tbs = body.read(TAG.sequence);
  const algorithm = body.read(TAG.sequence).whole;
  const signature = readOctetBits(body.read(TAG.bitString));
  body.end();
  if (!equalBytes(algorithm, ECDSA_SHA256)) throw new Error('not signed with ES256');
  const info = new DerCursor(tbs.content);
  info.read(TAG.integer);
  info.read(TAG.sequence);
  const spki = info.read(TAG.sequence).whole;
  info.read(contextTag(0, 'constructed'));
  info.end();
  return { tbs: tbs.whole, spki, signature };
}

function checkKey(spki: Uint8Array, tbs: Uint8Array, signature: Uint8Array): void {
  const refused = (why: string, cause?: unknown) => pkiError('ERR_ENROL_KEY', why, { cause });
  if (
    spki.length !== P256_SPKI_PREFIX.length + P256_POINT_BYTES ||
    !equalBytes(spki.subarray(0, P256_SPKI_PREFIX.length), P256_SPKI_PREFIX)
  )
    throw refused('the key of a certificate request is no P-256 key');
  let vouched: boolean;
  try {
    // OpenSSL also refuses a point that is not on the curve.
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    vouched = verify('sha256', tbs, key, signature);
  } catch (cause) {
    throw refused('the key of a certificate request is no point of P-256', cause);
  }
  if (!vouched) throw refused('a certificate request is not signed by its own key');
}
