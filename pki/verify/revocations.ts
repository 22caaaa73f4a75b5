import { pkiError } from '../errors.ts';
import { readCrl } from '../x509/crl.ts';
import { derUnsigned, equalBytes } from '../x509/der.ts';
import { readPem } from '../x509/pem.ts';
import { SerialSet } from '../x509/serials.ts';
import type { Authority } from './anchors.ts';

/** Octets of an entry with a serial number of ours, a time and a reason. */
const ENTRY_BYTES = 49;
/** A head of two octets goes before a serial's content. */
const HEAD_BYTES = 2;
/** How long a list that was not renewed in time still counts, at most: longer is no mistake of a night but a loss. */
export const CRL_GRACE_MS_MAX = 30 * 86_400_000;

/** What the issuing CAs have taken back: one verified list per CA. */
export interface RevocationList {
  /** `issuer`: hex key identifier of the issuing CA; `serial`: lower-case hex. Both as in TlsIdentity. */
  has(issuer: string, serial: string): boolean;
  /** When the CA promised its next list by, or undefined where there is no list of this CA. */
  nextUpdateMs(issuer: string): number | undefined;
  /** How long after that nobody is refused yet (docs/adr/0173); none where it is left out. */
  readonly graceMs?: number;
  /** How many certificates are on the lists together. */
  readonly size: number;
}

interface IssuerList {
  readonly number: bigint;
  readonly nextUpdateMs: number;
  readonly serials: SerialSet;
}

class VerifiedRevocations implements RevocationList {
  readonly lists: ReadonlyMap<string, IssuerList>;
  readonly size: number;
  readonly graceMs: number;

  constructor(lists: ReadonlyMap<string, IssuerList>, graceMs: number) {
    this.lists = lists;
    this.graceMs = graceMs;
    let size = 0;
    for (const { serials } of lists.values()) size += serials.size;
    this.size = size;
  }

  has(issuer: string, serial: string): boolean {
    const serials = this.lists.get(issuer)?.serials;
    return serials !== undefined && serials.size > 0 && serials.has(contentOf(serial));
  }

  nextUpdateMs(issuer: string): number | undefined {
    return this.lists.get(issuer)?.nextUpdateMs;
  }
}

export interface RevocationOptions {
  /** The lists in force so far. */
  readonly previous?: RevocationList;
  readonly graceMs?: number;
}

/**
 * Read and verify the lists (PEM or DER) of pinned CAs. `previous` guards against an old list being played back:
 * numbers must not fall (RFC 5280 §5.2.3), and a CA that had a list must still have one. `graceMs` is how long after its
 * next update a list still counts; beyond that everybody of its CA is refused. It is that of `previous` where there is one.
 *
 * @throws ERR_TRUST_CRL, ERR_TRUST_MALFORMED; the caller keeps the lists that it had
 */
export function loadRevocations(
  crls: readonly (string | Uint8Array)[],
  authorities: ReadonlyMap<string, Authority>,
  { previous, graceMs = previous?.graceMs ?? 0 }: RevocationOptions = {},
): RevocationList {
  if (!(graceMs >= 0 && graceMs <= CRL_GRACE_MS_MAX))
    throw new RangeError(`graceMs: ${graceMs} is not 0 to ${CRL_GRACE_MS_MAX}`);
  const lists = new Map<string, IssuerList>();
  for (const der of crls.flatMap(eachOf)) {
    const serials = new SerialSet(Math.floor(der.length / ENTRY_BYTES));
    const crl = readCrl(der, (serial) => serials.add(serial.content));
    const authority = authorities.get(crl.authorityKeyId);
    if (authority === undefined || !equalBytes(crl.issuerName, authority.certificate.subjectName))
      throw refused('a revocation list is of a CA that is not pinned here');
    if (!crl.signedBy(authority.publicKey)) throw refused('a revocation list is not signed by its CA');
    if (lists.has(authority.keyId)) throw refused('there are two revocation lists of one CA');
    lists.set(authority.keyId, {
      number: crl.number,
      nextUpdateMs: crl.nextUpdateMs,
      serials,
    });
  }
  if (previous instanceof VerifiedRevocations)
    for (const [keyId, { number }] of previous.lists) {
      const next = lists.get(keyId);
      // With its CA its list goes, too.
      if (next === undefined && !authorities.has(keyId)) continue;
      if (next === undefined) throw refused('a revocation list that was in use is missing');
      if (next.number < number) throw refused('a revocation list is older than the one in use');
    }
  return new VerifiedRevocations(lists, graceMs);
}

/** A file may hold the lists of several CAs, one after the other: during a roll-over. */
const eachOf = (source: string | Uint8Array): readonly Uint8Array[] =>
  typeof source === 'string' ? readPem('X509 CRL', source) : [source];

/** @throws ERR_TRUST_REVOKED, ERR_TRUST_CRL_STALE */
export function checkRevocation(list: RevocationList, issuer: string, serial: string, atMs: number): void {
  if (list.has(issuer, serial)) throw pkiError('ERR_TRUST_REVOKED', 'the certificate has been revoked');
  const nextUpdateMs = list.nextUpdateMs(issuer);
  if (nextUpdateMs !== undefined && atMs > nextUpdateMs + (list.graceMs ?? 0))
    throw pkiError('ERR_TRUST_CRL_STALE', 'the revocation list of the issuing CA is past its next update');
}

const refused = (message: string) => pkiError('ERR_TRUST_CRL', message);

/** The content octets of an INTEGER, as they stand in a list. */
const contentOf = (serial: string): Uint8Array =>
  derUnsigned(Buffer.from(serial, 'hex')).subarray(HEAD_BYTES);
