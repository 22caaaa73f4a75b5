import { type KeyObject, X509Certificate } from 'node:crypto';
import type { TenantId } from '../../protocol/identity.ts';
import { type PkiErrorCode, pkiError } from '../errors.ts';
import { type Certificate, isDevelopmentCertificate, parseCertificate } from '../x509/certificate.ts';
import { derOid, equalBytes } from '../x509/der.ts';
import { derOf, readPem } from '../x509/pem.ts';
import { keyUsageOctets, type Profile, PURPOSE } from '../x509/profiles.ts';
import { FIELD, type World } from './worlds.ts';

/** An issuing CA as configuration pins it: whose devices it vouches for, and its certificate (PEM or DER; PEM of several). */
export interface PinnedIssuer {
  readonly tenant: TenantId;
  readonly certificate: string | Uint8Array;
}

/** A pinned issuing CA after its own certificate was checked. */
export interface Authority {
  readonly tenant: TenantId;
  /** Hex of its subject key identifier: the name under which leaves and revocation lists point at it. */
  readonly keyId: string;
  readonly certificate: Certificate;
  readonly publicKey: KeyObject;
}

export interface Anchors {
  readonly root: Certificate;
  readonly authorities: ReadonlyMap<string, Authority>;
}

/**
 * The whole of path building: leaf ← pinned issuing CA ← pinned root, never deeper and never anything that the
 * other side sent along. A library's chain builder was seen to walk through a leaf that is no CA.
 *
 * @throws ERR_TRUST_ROOT, ERR_TRUST_AUTHORITY, ERR_TRUST_DEVELOPMENT, ERR_TRUST_MALFORMED
 */
export function pinAuthorities(options: {
  readonly root: string | Uint8Array;
  readonly issuers: readonly PinnedIssuer[];
  readonly development?: boolean;
  /** Field where it is left out. */
  readonly world?: World;
}): Anchors {
  const { world = FIELD } = options;
  const root = parseCertificate(derOf('CERTIFICATE', options.root));
  const rootX509 = openX509(root.der);
  if (
    !equalBytes(root.issuerName, root.subjectName) ||
    !hasProfile(root, world.root) ||
    !isNamed(root, world.rootUri) ||
    !signedBy(rootX509, rootX509.publicKey)
  )
    throw pkiError(
      'ERR_TRUST_ROOT',
      `the ${world.name} root is no self-signed root certificate of that name`,
    );
  if (isDevelopmentCertificate(root) && options.development !== true)
    throw pkiError(
      'ERR_TRUST_DEVELOPMENT',
      `the ${world.name} root belongs to a development PKI; use the production root, or say development: true`,
    );
  const authorities = new Map<string, Authority>();
  for (const issuer of options.issuers.flatMap(eachOf)) {
    const authority = pin(issuer, root, rootX509.publicKey, world);
    if (authorities.has(authority.keyId))
      throw refusedAuthority(issuer.tenant, 'its key is pinned twice; every issuing CA has a key of its own');
    authorities.set(authority.keyId, authority);
  }
  return { root, authorities };
}

/** A text may hold several, one after the other: the present CA of a tenant and the former one, during a roll-over. */
const eachOf = ({ tenant, certificate }: PinnedIssuer): PinnedIssuer[] =>
  (typeof certificate === 'string' ? readPem('CERTIFICATE', certificate) : [certificate]).map((der) => ({
    tenant,
    certificate: der,
  }));

function pin(
  { tenant, certificate: source }: PinnedIssuer,
  root: Certificate,
  rootKey: KeyObject,
  world: World,
): Authority {
  const certificate = parseCertificate(derOf('CERTIFICATE', source));
  const x509 = openX509(certificate.der);
  if (!equalBytes(certificate.issuerName, root.subjectName) || !signedBy(x509, rootKey))
    throw refusedAuthority(tenant, `it is not signed by the ${world.name} root`);
  if (!hasProfile(certificate, world.issuing) || certificate.subjectKeyId === null)
    throw refusedAuthority(tenant, `it is no issuing CA of the ${world.name}, of depth 0`);
  if (!isNamed(certificate, world.issuingUri(tenant)))
    throw refusedAuthority(tenant, 'it names another tenant');
  return { tenant, keyId: certificate.subjectKeyId, certificate, publicKey: x509.publicKey };
}

/** Whether this is the one URI that the certificate names. */
export const isNamed = ({ alternativeNames: { uris } }: Certificate, uri: string): boolean =>
  uris.length === 1 && uris[0] === uri;

const refusedAuthority = (tenant: TenantId, why: string) =>
  pkiError('ERR_TRUST_AUTHORITY', `the issuing CA of ${tenant} cannot be pinned: ${why}`, {
    context: { tenant },
  });

/**
 * Who issued this certificate, by key identifier, name and signature.
 * @throws ERR_TRUST_ISSUER, ERR_TRUST_SIGNATURE
 */
export function issuerOf(anchors: Anchors, certificate: Certificate, x509: X509Certificate): Authority {
  const authority =
    certificate.authorityKeyId === null ? undefined : anchors.authorities.get(certificate.authorityKeyId);
  if (authority === undefined || !equalBytes(certificate.issuerName, authority.certificate.subjectName))
    throw pkiError('ERR_TRUST_ISSUER', 'the certificate was not issued by a CA that is trusted here');
  if (!signedBy(x509, authority.publicKey))
    throw pkiError('ERR_TRUST_SIGNATURE', 'the certificate does not carry the signature of its issuing CA');
  return authority;
}

/**
 * Whether a certificate was issued under exactly this row: CA or not, depth, key usage, purposes, and no longer life.
 * People of a development PKI live as long as their CA, so that nobody has to renew them beside `npm start`.
 */
export function hasProfile(certificate: Certificate, profile: Profile): boolean {
  const { basicConstraints, keyUsage, purposes, notBeforeMs, notAfterMs } = certificate;
  const expected = purposeIds(profile);
  return (
    (notAfterMs - notBeforeMs <= profile.validityDays * DAY_MS || isDevelopmentCertificate(certificate)) &&
    basicConstraints !== null &&
    basicConstraints.ca === (profile.pathLength !== null) &&
    basicConstraints.pathLength === profile.pathLength &&
    keyUsage === keyUsageOctets(profile.keyUsage).octet &&
    purposes.length === expected.length &&
    expected.every((id) => purposes.includes(id))
  );
}

const DAY_MS = 86_400_000;

const purposeIdsByProfile = new Map<Profile, readonly string[]>();

function purposeIds(profile: Profile): readonly string[] {
  let ids = purposeIdsByProfile.get(profile);
  if (ids === undefined) {
    ids = profile.purposes.map((purpose) => derOid(PURPOSE[purpose]).subarray(2).toString('hex'));
    purposeIdsByProfile.set(profile, ids);
  }
  return ids;
}

export interface Validity {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** RFC 5280 §4.1.2.5: both ends belong to the period. @throws ERR_TRUST_NOT_YET_VALID, ERR_TRUST_EXPIRED */
export function checkValidity(chain: readonly Validity[], atMs: number): void {
  for (const { notBeforeMs, notAfterMs } of chain) {
    if (!(atMs >= notBeforeMs)) throw invalidNow('ERR_TRUST_NOT_YET_VALID', 'is not valid yet');
    if (atMs > notAfterMs) throw invalidNow('ERR_TRUST_EXPIRED', 'has expired');
  }
}

const invalidNow = (code: PkiErrorCode, what: string) =>
  pkiError(code, `the certificate, or a CA above it, ${what}`);

/** OpenSSL's reading of a certificate, key included. @throws ERR_TRUST_MALFORMED */
export function openX509(der: Uint8Array): X509Certificate {
  try {
    const x509 = new X509Certificate(der);
    void x509.publicKey;
    return x509;
  } catch (cause) {
    throw pkiError('ERR_TRUST_MALFORMED', 'no certificate of ours: its key is no point of P-256', { cause });
  }
}

/** X509Certificate.verify throws on some damaged keys and signatures; both mean no. */
function signedBy(x509: X509Certificate, key: KeyObject): boolean {
  try {
    return x509.verify(key);
  } catch {
    return false;
  }
}
