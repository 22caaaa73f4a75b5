import { hash, type X509Certificate } from 'node:crypto';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { CERTIFICATE_BYTES_MAX, type Certificate, parseCertificate } from '../x509/certificate.ts';
import type { Profile } from '../x509/profiles.ts';
import { type Anchors, type Authority, checkValidity, hasProfile, issuerOf, openX509 } from './anchors.ts';
import type { Ground } from './ground.ts';
import { LruMap } from './lru.ts';
import { checkRevocation } from './revocations.ts';

/** What every certificate says, after its issuer, profile and names were checked. Time still has to be. */
export interface Verified<Key> {
  readonly serial: string;
  readonly authority: Authority;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** What the caller asked to keep of the certificate. */
  readonly key: Key;
}

/**
 * The checks that all kinds of certificates have in common, of field and office, with a cache of those that do not
 * change: issuer, signature, profile and names of one thumbprint are what they are, while validity and revocation
 * are asked again at every use.
 */
export class CertificateVerifier<Names extends object, Key> {
  readonly #ground: Ground;
  readonly #profile: Profile;
  readonly #readNames: (certificate: Certificate, tenant: TenantId) => Names;
  readonly #keep: (x509: X509Certificate) => Key;
  readonly #verified: LruMap<Verified<Key> & Names>;
  /** The thumbprint of the certificate that was seen under a serial number. */
  readonly #serials: LruMap<string>;
  /** Under which CAs what is remembered was verified. */
  #anchors: Anchors;

  constructor(
    ground: Ground,
    options: {
      readonly profile: Profile;
      /** Who the certificate names; it throws where that is nobody whom the CA of `tenant` may name. */
      readonly readNames: (certificate: Certificate, tenant: TenantId) => Names;
      readonly cachedMax: number;
      readonly keep: (x509: X509Certificate) => Key;
    },
  ) {
    this.#ground = ground;
    this.#anchors = ground.anchors;
    this.#profile = options.profile;
    this.#readNames = options.readNames;
    this.#keep = options.keep;
    this.#verified = new LruMap(options.cachedMax);
    this.#serials = new LruMap(options.cachedMax);
  }

  /** @throws ERR_TRUST_* */
  verify(der: Uint8Array, atMs: number): Verified<Key> & Names {
    this.#forgetIfReplaced();
    if (der.length > CERTIFICATE_BYTES_MAX)
      throw pkiError('ERR_TRUST_MALFORMED', 'no certificate of ours: too long');
    const thumbprint = hash('sha256', der, 'latin1');
    let verified = this.#verified.get(thumbprint);
    if (verified === undefined) {
      verified = this.#verifyAnew(der);
      // What is expired or revoked already takes no place in the cache from what is in use.
      this.#checkNow(verified, atMs);
      this.#checkSerial(verified);
      this.#verified.set(thumbprint, verified);
      this.#serials.set(verified.serial, thumbprint);
    } else this.#checkNow(verified, atMs);
    return verified;
  }

  /** Whoever was verified under a CA that is no longer pinned is not believed for having been so. */
  #forgetIfReplaced(): void {
    const { anchors } = this.#ground;
    if (anchors === this.#anchors) return;
    this.#verified.clear();
    this.#serials.clear();
    this.#anchors = anchors;
  }

  #checkNow(verified: Verified<Key>, atMs: number): void {
    checkValidity([this.#anchors.root, verified.authority.certificate, verified], atMs);
    checkRevocation(this.#ground.revocations, verified.authority.keyId, verified.serial, atMs);
  }

  /**
   * RFC 5280 §4.1.2.2: one serial number of one CA is one certificate, because a revocation names nothing else. Of two
   * the one that is in use stands; how far back that is known is the bound of the cache.
   */
  #checkSerial({ serial, authority }: Verified<Key>): void {
    const known = this.#serials.get(serial);
    const other = known === undefined ? undefined : this.#verified.get(known);
    if (other?.authority.keyId === authority.keyId)
      throw pkiError('ERR_TRUST_SERIAL', 'another certificate of this CA has the same serial number');
  }

  #verifyAnew(der: Uint8Array): Verified<Key> & Names {
    const certificate = parseCertificate(der);
    const x509 = openX509(der);
    const authority = issuerOf(this.#anchors, certificate, x509);
    if (!hasProfile(certificate, this.#profile))
      throw pkiError(
        'ERR_TRUST_PROFILE',
        `the certificate was not issued under the profile ${this.#profile.name}`,
      );
    return {
      ...this.#readNames(certificate, authority.tenant),
      serial: certificate.serial,
      authority,
      notBeforeMs: certificate.notBeforeMs,
      notAfterMs: certificate.notAfterMs,
      key: this.#keep(x509),
    };
  }
}
