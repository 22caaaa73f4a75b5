import { pkiError } from '../errors.ts';
import { contextTag, DerCursor, der, derOid, derUnsigned, equalBytes, TAG } from '../x509/der.ts';

/**
 * RFC 5652 §5 in the one form that RFC 7030 §4.1.3 and §4.2.3 use: SignedData that signs nothing and carries
 * certificates ("certs-only"). What counts is the signature in each certificate, so nothing here is trusted by itself.
 */

const SIGNED_DATA = derOid('1.2.840.113549.1.7.2');
const DATA = derOid('1.2.840.113549.1.7.1');
const VERSION_1 = derUnsigned(Uint8Array.of(1));
const EMPTY_SET = der(TAG.set);
/** A root, an issuing CA and its successor, and as much again. */
const CERTIFICATES_MAX = 8;

/** @param certificates DER each */
export function writeCertsOnly(certificates: readonly Uint8Array[]): Uint8Array {
  // X.690 §11.6: what is in a SET OF is sorted, whatever order it was given in.
  const sorted = [...certificates].sort((left, right) => Buffer.compare(left, right));
  const signedData = der(
    TAG.sequence,
    VERSION_1,
    EMPTY_SET,
    der(TAG.sequence, DATA),
    der(contextTag(0, 'constructed'), ...sorted),
    EMPTY_SET,
  );
  return der(TAG.sequence, SIGNED_DATA, der(contextTag(0, 'constructed'), signedData));
}

/** The certificates in it, DER each, unverified. @throws ERR_TRUST_MALFORMED, also where something is signed */
export function readCertsOnly(bytes: Uint8Array): Uint8Array[] {
  const outer = new DerCursor(bytes);
  const info = outer.enter(TAG.sequence);
  outer.end();
  expectElement(info, SIGNED_DATA);
  const wrapped = info.enter(contextTag(0, 'constructed'));
  info.end();
  const signedData = wrapped.enter(TAG.sequence);
  wrapped.end();
  expectElement(signedData, VERSION_1);
  expectElement(signedData, EMPTY_SET);
  expectElement(signedData, der(TAG.sequence, DATA));
  const list = signedData.enter(contextTag(0, 'constructed'));
  expectElement(signedData, EMPTY_SET);
  signedData.end();
  const certificates: Uint8Array[] = [];
  while (!list.done) {
    if (certificates.length === CERTIFICATES_MAX) throw malformed('too many certificates');
    certificates.push(list.read(TAG.sequence).whole);
  }
  return certificates;
}

function expectElement(cursor: DerCursor, expected: Uint8Array): void {
  if (!equalBytes(cursor.read().whole, expected)) throw malformed('something other than certificates');
}

const malformed = (what: string) => pkiError('ERR_TRUST_MALFORMED', `no certs-only message: ${what}`);
