import type { KeyObject, X509Certificate } from 'node:crypto';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { isNamed } from '../verify/anchors.ts';
import { Ground, type Grounded, type GroundOptions } from '../verify/ground.ts';
import { CertificateVerifier } from '../verify/verifier.ts';
import { OFFICE } from '../verify/worlds.ts';
import type { Certificate } from '../x509/certificate.ts';
import { deskUri, type OfficeName, parsePersonUri } from '../x509/names.ts';
import { PROFILES } from '../x509/profiles.ts';

/** How many verified people a desk remembers, of each kind: more than an operator has, about 3.5 KiB each. */
export const OFFICE_PEOPLE_MAX = 1_024;

/** `root`: the office's, never the field's; `issuers`: a desk pins its tenant's, a device those of its home and guests. */
export interface OfficeTrustOptions extends Omit<GroundOptions, 'world'> {
  /** Real time, never a simulated clock's. */
  readonly clock: { nowMs(): number };
  readonly peopleMax?: number;
}

/** Somebody who signs, and the key that his signature is checked with. */
export interface OfficeSigner extends OfficeName {
  readonly publicKey: KeyObject;
}

/** Somebody at the other end of a TLS connection. */
export interface OfficeCaller extends OfficeName {
  /** With `issuer` what a revocation names; both lower-case hex. */
  readonly serial: string;
  readonly issuer: string;
  /** For closing a session that outlives its certificate. */
  readonly notAfterMs: number;
}

/** Whom an operator's people and systems are believed to be: asked by its desk, and by every meter. */
export interface OfficeTrust extends Grounded {
  /**
   * Who signed with the key of this certificate (DER), of the profile `personSign`. Which tenant may command what is
   * the caller's to check.
   * @throws ERR_TRUST_MALFORMED, _ISSUER, _SIGNATURE, _PROFILE, _IDENTITY, _NOT_YET_VALID, _EXPIRED, _REVOKED,
   *   _CRL_STALE
   */
  signer(certificate: Uint8Array): OfficeSigner;
  /** Who calls over TLS, of the profile `personTls`: `TLSSocket.getPeerX509Certificate()`. @throws as `signer` */
  caller(certificate: X509Certificate | Uint8Array): OfficeCaller;
  /** Whose API a server is, of the profile `deskServer`. @throws as `signer` */
  desk(certificate: X509Certificate | Uint8Array): { readonly tenant: TenantId };
  /** For the sweep over live sessions after `replaceCrls` and `replace`: also where his CA is not trusted any more. */
  isRevoked(caller: Pick<OfficeCaller, 'issuer' | 'serial'>): boolean;
}

class OperatorOfficeTrust extends Ground implements OfficeTrust {
  readonly #clock: OfficeTrustOptions['clock'];
  readonly #signers: CertificateVerifier<OfficeName, KeyObject>;
  readonly #callers: CertificateVerifier<OfficeName, null>;
  readonly #desks: CertificateVerifier<{ readonly tenant: TenantId }, null>;

  constructor(options: OfficeTrustOptions) {
    super({ ...options, world: OFFICE });
    const { clock, peopleMax = OFFICE_PEOPLE_MAX } = options;
    this.#clock = clock;
    this.#signers = new CertificateVerifier(this, {
      profile: PROFILES.personSign,
      readNames: readPersonNames,
      cachedMax: peopleMax,
      keep: (x509) => x509.publicKey,
    });
    // TLS proves possession of the key itself; nothing is checked with it afterwards.
    this.#callers = new CertificateVerifier(this, {
      profile: PROFILES.personTls,
      readNames: readPersonNames,
      cachedMax: peopleMax,
      keep: () => null,
    });
    this.#desks = new CertificateVerifier(this, {
      profile: PROFILES.deskServer,
      readNames: readDeskName,
      cachedMax: 1,
      keep: () => null,
    });
  }

  signer(certificate: Uint8Array): OfficeSigner {
    const { tenant, role, person, key } = this.#signers.verify(certificate, this.#clock.nowMs());
    return { tenant, role, person, publicKey: key };
  }

  caller(certificate: X509Certificate | Uint8Array): OfficeCaller {
    const verified = this.#callers.verify(derOfPeer(certificate), this.#clock.nowMs());
    const { tenant, role, person, serial, authority, notAfterMs } = verified;
    return { tenant, role, person, serial, issuer: authority.keyId, notAfterMs };
  }

  desk(certificate: X509Certificate | Uint8Array): { readonly tenant: TenantId } {
    const { tenant } = this.#desks.verify(derOfPeer(certificate), this.#clock.nowMs());
    return { tenant };
  }
}

/** @throws ERR_TRUST_ROOT, ERR_TRUST_AUTHORITY, ERR_TRUST_DEVELOPMENT, ERR_TRUST_CRL, ERR_TRUST_MALFORMED */
export const createOfficeTrust = (options: OfficeTrustOptions): OfficeTrust =>
  new OperatorOfficeTrust(options);

const derOfPeer = (certificate: X509Certificate | Uint8Array): Uint8Array =>
  certificate instanceof Uint8Array ? certificate : certificate.raw;

/**
 * One name, of the tenant whose CA signed, and a CN that agrees. Without the tenant, one operator's CA could make
 * people of another.
 */
function readPersonNames(certificate: Certificate, tenant: TenantId): OfficeName {
  const { uris, dns, addresses } = certificate.alternativeNames;
  const name = uris.length === 1 ? parsePersonUri(uris[0]!) : undefined;
  if (
    name === undefined ||
    dns.length + addresses.length > 0 ||
    name.tenant !== tenant ||
    name.person !== certificate.commonName
  )
    throw wrongNames('one person or system of its issuer');
  return name;
}

function readDeskName(certificate: Certificate, tenant: TenantId): { readonly tenant: TenantId } {
  if (!isNamed(certificate, deskUri(tenant))) throw wrongNames('the desk of its issuer');
  return { tenant };
}

const wrongNames = (whom: string) =>
  pkiError('ERR_TRUST_IDENTITY', `the names in the certificate do not agree on ${whom}`);
