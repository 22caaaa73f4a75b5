import type { KeyObject } from 'node:crypto';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { PROFILES } from '../x509/profiles.ts';
import { type DeviceNames, DeviceVerifier } from './device-certificate.ts';
import { Ground, type Grounded, type GroundOptions } from './ground.ts';

/**
 * How many verified signers a router remembers: about 3.5 KiB each, so 56 MiB; beyond that the longest unused is
 * verified again, which costs some 150 µs.
 */
export const SIGNERS_MAX = 16_384;
/** A new key is told of once every few years, and maybe twice in a row. */
const AGREEMENTS_MAX = 256;

/**
 * `issuers`: the tenant's own issuing CA, and those of the tenants whose devices may carry its meters as guests.
 */
export interface DeviceTrustOptions extends Omit<GroundOptions, 'world'> {
  readonly tenant: TenantId;
  readonly signersMax?: number;
}

/** Which devices one operator believes. */
export interface DeviceTrust extends Grounded {
  readonly tenant: TenantId;

  /**
   * The key that a device signs with, after every check of its signature certificate (DER).
   * `atMs` is real time, never a simulated clock's.
   *
   * @throws ERR_TRUST_MALFORMED, _ISSUER, _SIGNATURE, _PROFILE, _IDENTITY, _NOT_YET_VALID, _EXPIRED, _REVOKED,
   *   _CRL_STALE, _TENANT (no guest of this tenant), _DEVICE (somebody else's certificate)
   */
  signer(certificate: Uint8Array, sent: At): KeyObject;

  /**
   * That a device agrees on keys with this certificate (DER), after every check: what commands may be sealed to.
   * @throws as `signer`
   */
  agreement(certificate: Uint8Array, about: At): { readonly notBeforeMs: number };
}

interface At {
  readonly device: DeviceId;
  readonly atMs: number;
}

class OperatorDeviceTrust extends Ground implements DeviceTrust {
  readonly tenant: TenantId;
  readonly #signers: DeviceVerifier<KeyObject>;
  readonly #agreements: DeviceVerifier<null>;

  constructor(options: DeviceTrustOptions) {
    super(options);
    this.tenant = options.tenant;
    this.#signers = new DeviceVerifier(this, {
      profile: PROFILES.deviceSign,
      cachedMax: options.signersMax ?? SIGNERS_MAX,
      keep: (x509) => x509.publicKey,
    });
    this.#agreements = new DeviceVerifier(this, {
      profile: PROFILES.deviceAgree,
      cachedMax: AGREEMENTS_MAX,
      keep: () => null,
    });
  }

  signer(certificate: Uint8Array, { device, atMs }: At): KeyObject {
    const verified = this.#signers.verify(certificate, atMs);
    this.#checkNames(verified, device);
    return verified.key;
  }

  agreement(certificate: Uint8Array, { device, atMs }: At): { readonly notBeforeMs: number } {
    const verified = this.#agreements.verify(certificate, atMs);
    this.#checkNames(verified, device);
    return { notBeforeMs: verified.notBeforeMs };
  }

  #checkNames(verified: DeviceNames, device: DeviceId): void {
    const { tenant } = this;
    if (verified.home !== tenant && !verified.guests.includes(tenant))
      throw pkiError('ERR_TRUST_TENANT', 'the device is no guest of this tenant', { context: { tenant } });
    if (verified.device !== device)
      throw pkiError('ERR_TRUST_DEVICE', 'the certificate belongs to another device', {
        context: { tenant, device },
      });
  }
}

/** @throws ERR_TRUST_ROOT, ERR_TRUST_AUTHORITY, ERR_TRUST_DEVELOPMENT, ERR_TRUST_CRL, ERR_TRUST_MALFORMED */
export const createDeviceTrust = (options: DeviceTrustOptions): DeviceTrust =>
  new OperatorDeviceTrust(options);
