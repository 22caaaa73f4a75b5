import type { KeyObject } from 'node:crypto';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { PROFILES } from '../x509/profiles.ts';
import { type PinnedIssuer, pinAuthorities } from './anchors.ts';
import { type DeviceNames, DeviceVerifier } from './device-certificate.ts';
import { type Ending, endingsOf } from './endings.ts';
import { loadRevocations, type RevocationList } from './revocations.ts';

/**
 * How many verified signers a router remembers: about 3.5 KiB each, so 56 MiB; beyond that the longest unused is
 * verified again, which costs some 150 µs.
 */
export const SIGNERS_MAX = 16_384;
/** A new key is told of once every few years, and maybe twice in a row. */
const AGREEMENTS_MAX = 256;

export interface DeviceTrustOptions {
  readonly tenant: TenantId;
  /** The tenant's own issuing CA, and those of the tenants whose devices may carry its meters as guests. */
  readonly issuers: readonly PinnedIssuer[];
  readonly root: string | Uint8Array;
  readonly crls?: readonly (string | Uint8Array)[];
  /** How long after its next update a list still counts; 0, unless told: then its CA's certificates are refused. */
  readonly crlGraceMs?: number;
  /** Development keys are refused unless this is said. */
  readonly development?: boolean;
  readonly signersMax?: number;
}

/** Which devices one operator believes. */
export interface DeviceTrust {
  readonly tenant: TenantId;
  readonly revocations: RevocationList;
  /** When the CAs and their lists end. */
  readonly endings: readonly Ending[];

  /**
   * The key that a device signs with, after every check of its signature certificate (DER).
   * `atMs` is real time, never a simulated clock's.
   *
   * @throws ERR_TRUST_MALFORMED, _ISSUER, _SIGNATURE, _PROFILE, _IDENTITY, _NOT_YET_VALID, _EXPIRED, _REVOKED,
   *   _CRL_STALE, _TENANT (no guest of this tenant), _DEVICE (somebody else's certificate)
   */
  signer(certificate: Uint8Array, sent: { readonly device: DeviceId; readonly atMs: number }): KeyObject;

  /**
   * That a device agrees on keys with this certificate (DER), after every check: what commands may be sealed to.
   * @throws as `signer`
   */
  agreement(
    certificate: Uint8Array,
    about: { readonly device: DeviceId; readonly atMs: number },
  ): { readonly notBeforeMs: number };

  /** Put newer revocation lists in force. @throws ERR_TRUST_CRL, ERR_TRUST_MALFORMED; then the old ones stay */
  replaceCrls(crls: readonly (string | Uint8Array)[]): void;
  /**
   * Put other issuing CAs in force with their lists, as in a roll-over; what was remembered of signers is forgotten.
   * @throws as `createDeviceTrust`; then all stays as it was
   */
  replace(what: Pick<DeviceTrustOptions, 'issuers' | 'crls'>): void;
}

/** @throws ERR_TRUST_ROOT, ERR_TRUST_AUTHORITY, ERR_TRUST_DEVELOPMENT, ERR_TRUST_CRL, ERR_TRUST_MALFORMED */
export function createDeviceTrust(options: DeviceTrustOptions): DeviceTrust {
  let inForce = openDeviceTrust(options);
  return {
    tenant: options.tenant,
    get revocations() {
      return inForce.revocations;
    },
    get endings() {
      return inForce.endings;
    },
    signer: (certificate, sent) => inForce.signer(certificate, sent),
    agreement: (certificate, about) => inForce.agreement(certificate, about),
    replaceCrls: (crls) => inForce.replaceCrls(crls),
    replace({ issuers, crls = [] }) {
      inForce = openDeviceTrust({ ...options, issuers, crls }, inForce.revocations);
    },
  };
}

function openDeviceTrust(
  options: DeviceTrustOptions,
  previous?: RevocationList,
): Omit<DeviceTrust, 'replace'> {
  const { tenant } = options;
  const anchors = pinAuthorities(options);
  const verifier = new DeviceVerifier(anchors, {
    profile: PROFILES.deviceSign,
    cachedMax: options.signersMax ?? SIGNERS_MAX,
    keep: (x509) => x509.publicKey,
  });
  const agreements = new DeviceVerifier(anchors, {
    profile: PROFILES.deviceAgree,
    cachedMax: AGREEMENTS_MAX,
    keep: () => null,
  });
  const checkNames = (verified: DeviceNames, device: DeviceId): void => {
    if (verified.home !== tenant && !verified.guests.includes(tenant))
      throw pkiError('ERR_TRUST_TENANT', 'the device is no guest of this tenant', { context: { tenant } });
    if (verified.device !== device)
      throw pkiError('ERR_TRUST_DEVICE', 'the certificate belongs to another device', {
        context: { tenant, device },
      });
  };
  let revocations = loadRevocations(options.crls ?? [], anchors.authorities, {
    graceMs: options.crlGraceMs ?? 0,
    ...(previous === undefined ? {} : { previous }),
  });
  return {
    tenant,
    get revocations() {
      return revocations;
    },
    get endings() {
      return endingsOf(anchors, revocations);
    },
    signer(certificate, { device, atMs }) {
      const verified = verifier.verify(certificate, revocations, atMs);
      checkNames(verified, device);
      return verified.key;
    },
    agreement(certificate, { device, atMs }) {
      const verified = agreements.verify(certificate, revocations, atMs);
      checkNames(verified, device);
      return { notBeforeMs: verified.notBeforeMs };
    },
    replaceCrls(crls) {
      revocations = loadRevocations(crls, anchors.authorities, { previous: revocations });
    },
  };
}
