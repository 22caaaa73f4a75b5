import type { Authority } from './anchors.ts';
import { parseCrl } from './crl.ts';
import { equalBytes } from './der.ts';
import { pkiError } from './errors.ts';
import { derOf } from './pem.ts';

/** What the issuing CAs have taken back: one verified list per CA. */
export interface RevocationList {
  /** `issuer`: hex key identifier of the issuing CA; `serial`: lower-case hex. Both as in TlsIdentity. */
  has(issuer: string, serial: string): boolean;
  /** When the CA promised its next list by, or undefined where there is no list of this CA. */
  nextUpdateMs(issuer: string): number | undefined;
  /** How many certificates are on the lists together. */
  readonly size: number;
}

interface IssuerList {
  readonly number: bigint;
  readonly nextUpdateMs: number;
  readonly serials: ReadonlySet<string>;
}

class VerifiedRevocations implements RevocationList {
  readonly lists: ReadonlyMap<string, IssuerList>;
  readonly size: number;

  constructor(lists: ReadonlyMap<string, IssuerList>) {
    this.lists = lists;
    let size = 0;
    for (const { serials } of lists.values()) size += serials.size;
    this.size = size;
  }

  has(issuer: string, serial: string): boolean {
    return this.lists.get(issuer)?.serials.has(serial) === true;
  }

  nextUpdateMs(issuer: string): number | undefined {
    return this.lists.get(issuer)?.nextUpdateMs;
  }
}

/**
 * Read and verify the lists (PEM or DER) of pinned CAs. `previous` guards against an old list being played back:
 * numbers must not fall (RFC 5280 §5.2.3), and a CA that had a list must still have one.
 *
 * @throws ERR_TRUST_CRL, ERR_TRUST_MALFORMED; the caller keeps the lists that it had
 */
export function loadRevocations(
  crls: readonly (string | Uint8Array)[],
  authorities: ReadonlyMap<string, Authority>,
  previous?: RevocationList,
): RevocationList {
  const lists = new Map<string, IssuerList>();
  for (const source of crls) {
    const crl = parseCrl(derOf('X509 CRL', source));
    const authority = authorities.get(crl.authorityKeyId);
    if (authority === undefined || !equalBytes(crl.issuerName, authority.certificate.subjectName))
      throw refused('a revocation list is of a CA that is not pinned here');
    if (!crl.signedBy(authority.publicKey)) throw refused('a revocation list is not signed by its CA');
    if (lists.has(authority.keyId)) throw refused('there are two revocation lists of one CA');
    lists.set(authority.keyId, {
      number: crl.number,
      nextUpdateMs: crl.nextUpdateMs,
      serials: new Set(crl.entries.map(({ serial }) => serial)),
    });
  }
  if (previous instanceof VerifiedRevocations)
    for (const [keyId, { number }] of previous.lists) {
      const next = lists.get(keyId);
      if (next === undefined) throw refused('a revocation list that was in use is missing');
      if (next.number < number) throw refused('a revocation list is older than the one in use');
    }
  return new VerifiedRevocations(lists);
}

/** @throws ERR_TRUST_REVOKED, ERR_TRUST_CRL_STALE */
export function checkRevocation(list: RevocationList, issuer: string, serial: string, atMs: number): void {
  if (list.has(issuer, serial)) throw pkiError('ERR_TRUST_REVOKED', 'the certificate has been revoked');
  const nextUpdateMs = list.nextUpdateMs(issuer);
  if (nextUpdateMs !== undefined && atMs > nextUpdateMs)
    throw pkiError('ERR_TRUST_CRL_STALE', 'the revocation list of the issuing CA is past its next update');
}

const refused = (message: string) => pkiError('ERR_TRUST_CRL', message);
