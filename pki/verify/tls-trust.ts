import type { X509Certificate } from 'node:crypto';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { PROFILES } from '../x509/profiles.ts';
import { DeviceVerifier } from './device-certificate.ts';
import { Ground, type Grounded, type GroundOptions } from './ground.ts';

/** How many verified TLS certificates a front remembers: as many as it has devices connected, about 2 KiB each (64 MiB). */
export const TLS_IDENTITIES_MAX = 32_768;

/** `issuers`: the issuing CAs of all tenants that this front serves. */
export interface TlsTrustOptions extends Omit<GroundOptions, 'world'> {
  /**
   * Per tenant, the homes whose devices it takes in as guests. Where it is left out the names in the certificate
   * stand, and each owner's router decides (it has to in any case: the front is not trusted with that).
   */
  readonly guestHomes?: Readonly<Record<string, readonly TenantId[]>>;
  readonly identitiesMax?: number;
}

/** Who is at the other end of a TLS connection. */
export interface TlsIdentity {
  /** Home tenant: the one whose CA issued the certificate. */
  readonly tenant: TenantId;
  readonly device: DeviceId;
  /** Other tenants whose meters the device carries. */
  readonly guests: readonly TenantId[];
  /** Lower-case hex; with `issuer` it is what a revocation names. */
  readonly serial: string;
  readonly issuer: string;
  /** The last moment at which the certificate is valid, for closing a session that outlives it. */
  readonly notAfterMs: number;
}

/** Which devices the front lets in. */
export interface TlsTrust extends Grounded {
  /** @throws ERR_TRUST_* as DeviceTrust.signer, save _TENANT and _DEVICE */
  identity(certificate: X509Certificate | Uint8Array, options: { readonly atMs: number }): TlsIdentity;
  /** For the sweep over live sessions after `replaceCrls` and `replace`: also where its CA is not trusted any more. */
  isRevoked(identity: Pick<TlsIdentity, 'issuer' | 'serial'>): boolean;
}

class FieldTlsTrust extends Ground implements TlsTrust {
  readonly #verifier: DeviceVerifier<null>;
  readonly #guestHomes: TlsTrustOptions['guestHomes'];

  constructor(options: TlsTrustOptions) {
    super(options);
    this.#guestHomes = options.guestHomes;
    this.#verifier = new DeviceVerifier(this, {
      profile: PROFILES.deviceTls,
      cachedMax: options.identitiesMax ?? TLS_IDENTITIES_MAX,
      // TLS proves possession of the key itself; nothing is checked with it afterwards.
      keep: () => null,
    });
  }

  identity(certificate: X509Certificate | Uint8Array, { atMs }: { readonly atMs: number }): TlsIdentity {
    const der = certificate instanceof Uint8Array ? certificate : certificate.raw;
    const { home, device, guests, serial, authority, notAfterMs } = this.#verifier.verify(der, atMs);
    const homes = this.#guestHomes;
    return {
      tenant: home,
      device,
      guests: homes === undefined ? guests : guests.filter((owner) => homes[owner]?.includes(home) === true),
      serial,
      issuer: authority.keyId,
      notAfterMs,
    };
  }
}

/** @throws ERR_TRUST_ROOT, ERR_TRUST_AUTHORITY, ERR_TRUST_DEVELOPMENT, ERR_TRUST_CRL, ERR_TRUST_MALFORMED */
export const createTlsTrust = (options: TlsTrustOptions): TlsTrust => new FieldTlsTrust(options);

/**
 * The identity in a client's TLS certificate, from `TLSSocket.getPeerX509Certificate()` or its DER. It depends on
 * the certificate alone, so it is the same on a resumed session, for which TLS itself checks nothing again:
 * ask it on every connection, with the time of now.
 *
 * @throws ERR_TRUST_*
 */
export function identityOfTlsCertificate(
  certificate: X509Certificate | Uint8Array,
  options: { readonly trust: TlsTrust; readonly atMs: number },
): TlsIdentity {
  return options.trust.identity(certificate, options);
}
