import type { X509Certificate } from 'node:crypto';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { PROFILES } from '../x509/profiles.ts';
import { type PinnedIssuer, pinAuthorities } from './anchors.ts';
import { DeviceVerifier } from './device-certificate.ts';
import { type Ending, endingsOf } from './endings.ts';
import { loadRevocations, type RevocationList } from './revocations.ts';

/** How many verified TLS certificates a front remembers: as many as it has devices connected, about 2 KiB each (64 MiB). */
export const TLS_IDENTITIES_MAX = 32_768;

export interface TlsTrustOptions {
  readonly root: string | Uint8Array;
  /** The issuing CAs of all tenants that this front serves. */
  readonly issuers: readonly PinnedIssuer[];
  readonly crls?: readonly (string | Uint8Array)[];
  /** How long after its next update a list still counts; 0, unless told: then its CA's certificates are refused. */
  readonly crlGraceMs?: number;
  readonly development?: boolean;
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
export interface TlsTrust {
  readonly revocations: RevocationList;
  /** When the CAs and their lists end. */
  readonly endings: readonly Ending[];
  /** @throws ERR_TRUST_* as DeviceTrust.signer, save _TENANT and _DEVICE */
  identity(certificate: X509Certificate | Uint8Array, options: { readonly atMs: number }): TlsIdentity;
  /** For the sweep over live sessions after `replaceCrls` and `replace`: also where its CA is not trusted any more. */
  isRevoked(identity: Pick<TlsIdentity, 'issuer' | 'serial'>): boolean;
  /** @throws ERR_TRUST_CRL, ERR_TRUST_MALFORMED; then the old lists stay in force */
  replaceCrls(crls: readonly (string | Uint8Array)[]): void;
  /**
   * Put other issuing CAs in force with their lists, as in a roll-over.
   * @throws as `createTlsTrust`; then all stays as it was
   */
  replace(what: Pick<TlsTrustOptions, 'issuers' | 'crls'>): void;
}

/** @throws ERR_TRUST_ROOT, ERR_TRUST_AUTHORITY, ERR_TRUST_DEVELOPMENT, ERR_TRUST_CRL, ERR_TRUST_MALFORMED */
export function createTlsTrust(options: TlsTrustOptions): TlsTrust {
  let inForce = openTlsTrust(options);
  return {
    get revocations() {
      return inForce.revocations;
    },
    get endings() {
      return inForce.endings;
    },
    identity: (certificate, at) => inForce.identity(certificate, at),
    isRevoked: (identity) => inForce.isRevoked(identity),
    replaceCrls: (crls) => inForce.replaceCrls(crls),
    replace({ issuers, crls = [] }) {
      inForce = openTlsTrust({ ...options, issuers, crls }, inForce.revocations);
    },
  };
}

function openTlsTrust(options: TlsTrustOptions, previous?: RevocationList): Omit<TlsTrust, 'replace'> {
  const anchors = pinAuthorities(options);
  const verifier = new DeviceVerifier(anchors, {
    profile: PROFILES.deviceTls,
    cachedMax: options.identitiesMax ?? TLS_IDENTITIES_MAX,
    // TLS proves possession of the key itself; nothing is checked with it afterwards.
    keep: () => null,
  });
  const { guestHomes } = options;
  let revocations = loadRevocations(options.crls ?? [], anchors.authorities, {
    graceMs: options.crlGraceMs ?? 0,
    ...(previous === undefined ? {} : { previous }),
  });
  return {
    get revocations() {
      return revocations;
    },
    get endings() {
      return endingsOf(anchors, revocations);
    },
    identity(certificate, { atMs }) {
      const der = certificate instanceof Uint8Array ? certificate : certificate.raw;
      const { home, device, guests, serial, authority, notAfterMs } = verifier.verify(der, revocations, atMs);
      return {
        tenant: home,
        device,
        guests:
          guestHomes === undefined
            ? guests
            : guests.filter((owner) => guestHomes[owner]?.includes(home) === true),
        serial,
        issuer: authority.keyId,
        notAfterMs,
      };
    },
    isRevoked: ({ issuer, serial }) => !anchors.authorities.has(issuer) || revocations.has(issuer, serial),
    replaceCrls(crls) {
      revocations = loadRevocations(crls, anchors.authorities, { previous: revocations });
    },
  };
}

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
