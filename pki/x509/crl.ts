import { type KeyObject, verify } from 'node:crypto';
import { pkiError } from '../errors.ts';
import { ECDSA_SHA256 } from './certificate.ts';
import type { SigningAuthority } from './certify.ts';
import {
  type RevocationReason,
  type RevokedEntry,
  readEntries,
  readExtensions,
  serialText,
  type TakeEntry,
  writeEntries,
} from './crl-entries.ts';
import {
  contextTag,
  DerCursor,
  der,
  derBits,
  derOid,
  derTime,
  derUnsigned,
  equalBytes,
  readOctetBits,
  readTimeMs,
  readUnsigned,
  TAG,
} from './der.ts';
import { signDer } from './signature.ts';

export { REVOCATION_REASONS } from './crl-entries.ts';
export type { RevocationReason, RevokedEntry };

/** A million devices of one operator, all revoked, is about 40 MB: a list beyond that is none of ours. */
export const CRL_BYTES_MAX = 64 * 1024 * 1024;
const CRL_NUMBER_BYTES_MAX = 20;

const OID = {
  authorityKeyId: derOid('2.5.29.35'),
  crlNumber: derOid('2.5.29.20'),
};

/** A revocation list as read. `signedBy` is the one thing that makes it trustworthy. */
export interface CertificateRevocations {
  readonly issuerName: Uint8Array;
  readonly authorityKeyId: string;
  readonly number: bigint;
  readonly thisUpdateMs: number;
  readonly nextUpdateMs: number;
  readonly entries: readonly RevokedEntry[];
  signedBy(publicKey: KeyObject): boolean;
}

const VERSION_2 = derUnsigned(Uint8Array.of(1));

/** RFC 5280 §5: a version 2 list, signed by the issuing CA. */
export function makeCrl(
  authority: SigningAuthority,
  list: Pick<CertificateRevocations, 'number' | 'thisUpdateMs' | 'nextUpdateMs' | 'entries'>,
): Uint8Array {
  const revoked = writeEntries(list.entries);
  const keyId = Buffer.from(authority.certificate.subjectKeyId ?? '', 'hex');
  const tbs = der(
    TAG.sequence,
    VERSION_2,
    ECDSA_SHA256,
    authority.certificate.subjectName,
    derTime(list.thisUpdateMs),
    derTime(list.nextUpdateMs),
    // §5.1.2.6: an empty list of entries must be left out.
    ...(revoked.length === 0 ? [] : [der(TAG.sequence, revoked)]),
    der(
      contextTag(0, 'constructed'),
      der(
        TAG.sequence,
        extension(OID.authorityKeyId, der(TAG.sequence, der(contextTag(0, 'primitive'), keyId))),
        extension(OID.crlNumber, derUnsigned(numberBytes(list.number))),
      ),
    ),
  );
  return der(TAG.sequence, tbs, ECDSA_SHA256, derBits(signDer(authority.privateKey, tbs)));
}

const extension = (id: Uint8Array, value: Uint8Array): Uint8Array =>
  der(TAG.sequence, id, der(TAG.octetString, value));

function numberBytes(number: bigint): Uint8Array {
  const digits = number.toString(16);
  return Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
}

const malformed = (what: string) => pkiError('ERR_TRUST_MALFORMED', `no revocation list of ours: ${what}`);

/**
 * A list with its entries, for whoever writes the next one.
 * @throws ERR_TRUST_MALFORMED, also for delta and indirect lists, which this system does not have
 */
export function parseCrl(bytes: Uint8Array): CertificateRevocations {
  const entries: RevokedEntry[] = [];
  const list = readCrl(bytes, (serial, atMs, why) =>
    entries.push({ serial: serialText(serial), atMs, ...why }),
  );
  return { ...list, entries };
}

/**
 * The same for whoever only asks who is on it: each entry is told once and kept nowhere.
 * @throws ERR_TRUST_MALFORMED
 */
export function readCrl(bytes: Uint8Array, take: TakeEntry): Omit<CertificateRevocations, 'entries'> {
  if (bytes.length > CRL_BYTES_MAX) throw malformed('too long');
  const outer = new DerCursor(bytes);
  const list = outer.enter(TAG.sequence);
  outer.end();
  const tbs = list.read(TAG.sequence);
  const algorithm = list.read(TAG.sequence).whole;
  const signature = readOctetBits(list.read(TAG.bitString));
  list.end();

  const body = new DerCursor(tbs.content);
  if (readUnsigned(body.read(TAG.integer), 1) !== '01') throw malformed('not version 2');
  if (!equalBytes(algorithm, ECDSA_SHA256) || !equalBytes(body.read(TAG.sequence).whole, ECDSA_SHA256))
    throw malformed('not signed with ES256');
  const issuerName = body.read(TAG.sequence).whole;
  const thisUpdateMs = readTimeMs(body.read());
  const nextUpdateMs = readTimeMs(body.read());
  const revoked = body.optional(TAG.sequence);
  if (revoked !== undefined) readEntries(revoked.content, take);
  const wrapper = body.enter(contextTag(0, 'constructed'));
  const { authorityKeyId, number } = readListExtensions(wrapper.enter(TAG.sequence));
  wrapper.end();
  body.end();
  return {
    issuerName,
    authorityKeyId,
    number,
    thisUpdateMs,
    nextUpdateMs,
    signedBy: (publicKey) => verify('sha256', tbs.whole, publicKey, signature),
  };
}

function readListExtensions(list: DerCursor): { authorityKeyId: string; number: bigint } {
  let authorityKeyId: string | undefined;
  let number: bigint | undefined;
  for (const { id, critical, value } of readExtensions(list)) {
    if (equalBytes(id, OID.authorityKeyId)) {
      const keyId = new DerCursor(value).enter(TAG.sequence).read(contextTag(0, 'primitive'));
      authorityKeyId = Buffer.from(keyId.content).toString('hex');
    } else if (equalBytes(id, OID.crlNumber))
      number = BigInt(`0x${readUnsigned(new DerCursor(value).read(TAG.integer), CRL_NUMBER_BYTES_MAX)}`);
    else if (critical) throw malformed('an unknown critical extension');
  }
  if (authorityKeyId === undefined || number === undefined) throw malformed('no number or no key identifier');
  return { authorityKeyId, number };
}
