import { hash, type X509Certificate } from 'node:crypto';
import { type DeviceId, isDeviceId, parseDeviceUri, type TenantId } from '../protocol/identity.ts';
import { type Anchors, type Authority, checkValidity, hasProfile, issuerOf, openX509 } from './anchors.ts';
import { CERTIFICATE_BYTES_MAX, type Certificate, parseCertificate } from './certificate.ts';
import { pkiError } from './errors.ts';
import { LruMap } from './lru.ts';
import type { Profile } from './profiles.ts';
import { checkRevocation, type RevocationList } from './revocations.ts';

/** An M-Bus master has four channels, and a gateway box may stand for a few meters more. */
export const GUESTS_MAX = 16;

/** What a device's certificate says, after its issuer, profile and names were checked. Time still has to be. */
export interface VerifiedDevice<Key> {
  readonly device: DeviceId;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
  readonly serial: string;
  readonly authority: Authority;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** What the caller asked to keep of the certificate. */
  readonly key: Key;
}

/**
 * The checks that TLS identity and signature have in common, with a cache of those that do not change:
 * issuer, signature, profile and names of one thumbprint are what they are, while validity and revocation
 * are asked again at every use.
 */
export class DeviceVerifier<Key> {
  readonly anchors: Anchors;
  readonly #profile: Profile;
  readonly #keep: (x509: X509Certificate) => Key;
  readonly #verified: LruMap<VerifiedDevice<Key>>;

  constructor(
    anchors: Anchors,
    options: {
      readonly profile: Profile;
      readonly cachedMax: number;
      readonly keep: (x509: X509Certificate) => Key;
    },
  ) {
    this.anchors = anchors;
    this.#profile = options.profile;
    this.#keep = options.keep;
    this.#verified = new LruMap(options.cachedMax);
  }

  /** @throws ERR_TRUST_* */
  verify(der: Uint8Array, revocations: RevocationList, atMs: number): VerifiedDevice<Key> {
    if (der.length > CERTIFICATE_BYTES_MAX)
      throw pkiError('ERR_TRUST_MALFORMED', 'no certificate of ours: too long');
    const thumbprint = hash('sha256', der, 'latin1');
    let verified = this.#verified.get(thumbprint);
    if (verified === undefined) {
      verified = this.#verifyAnew(der);
      // What is expired or revoked already takes no place in the cache from what is in use.
      this.#checkNow(verified, revocations, atMs);
      this.#verified.set(thumbprint, verified);
    } else this.#checkNow(verified, revocations, atMs);
    return verified;
  }

  #checkNow(verified: VerifiedDevice<Key>, revocations: RevocationList, atMs: number): void {
    checkValidity([this.anchors.root, verified.authority.certificate, verified], atMs);
    checkRevocation(revocations, verified.authority.keyId, verified.serial, atMs);
  }

  #verifyAnew(der: Uint8Array): VerifiedDevice<Key> {
    const certificate = parseCertificate(der);
    const x509 = openX509(der);
    const authority = issuerOf(this.anchors, certificate, x509);
    if (!hasProfile(certificate, this.#profile))
      throw pkiError(
        'ERR_TRUST_PROFILE',
        `the certificate was not issued under the profile ${this.#profile.name}`,
      );
    return {
      ...readDeviceNames(certificate, authority.tenant),
      serial: certificate.serial,
      authority,
      notBeforeMs: certificate.notBeforeMs,
      notAfterMs: certificate.notAfterMs,
      key: this.#keep(x509),
    };
  }
}

/**
 * CN and every SAN URI name one device, and one of them is of the tenant whose CA signed: its home. Without that,
 * one operator's CA could make meters of another.
 */
function readDeviceNames(
  certificate: Certificate,
  home: TenantId,
): Pick<VerifiedDevice<never>, 'device' | 'home' | 'guests'> {
  const { uris, dns, addresses } = certificate.alternativeNames;
  const device = certificate.commonName;
  if (!isDeviceId(device) || dns.length + addresses.length > 0 || uris.length > GUESTS_MAX + 1)
    throw wrongNames();
  const tenants = new Set<TenantId>();
  for (const uri of uris) {
    const name = parseDeviceUri(uri);
    if (name === undefined || name.device !== device || tenants.has(name.tenant)) throw wrongNames();
    tenants.add(name.tenant);
  }
  if (!tenants.delete(home)) throw wrongNames();
  return { device, home, guests: Object.freeze([...tenants]) };
}

const wrongNames = () =>
  pkiError('ERR_TRUST_IDENTITY', 'the names in the certificate do not agree on one device of its issuer');
