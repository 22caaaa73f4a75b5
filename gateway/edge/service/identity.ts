import { createPrivateKey, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { recipientOf } from '../../../pki/trust.ts';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { Ending } from '../../runtime/expiry.ts';
import type { Log } from '../../runtime/log.ts';
import type { OwnerMap } from '../days/day.ts';
import type { IdentityPort } from '../device-options.ts';
import type { EdgeConfig, EdgeDeviceConfig } from './config.ts';
import type { EdgeServiceErrorCode } from './errors.ts';
import { LiveIdentity } from './live-identity.ts';

/** Nobody but its user has business with a file of private keys. */
const OTHERS_MASK = 0o077;
const DAY_MS = 86_400_000;
/** From then on `hes edge status` and the log say that a certificate ends soon: time for a request and its answer. */
export const EXPIRY_WARN_DAYS = 30;
/** Before that it is mentioned. */
export const EXPIRY_MENTION_DAYS = 90;
/** And from here on it is shouted. */
export const EXPIRY_ALARM_DAYS = 7;

/** Until when each certificate of a device is valid, and those of the owners that it seals to (ISO 8601). */
export interface CertificatesStatus {
  readonly tls: string;
  readonly sign: string;
  readonly agree: string;
  readonly owners: Readonly<Record<string, string>>;
}

export interface LoadedIdentity {
  /** As it is at this moment. */
  readonly identity: DeviceIdentity;
  /** Where it is read and replaced; without it, it stays as it is. */
  readonly port?: IdentityPort;
  readonly certificates: CertificatesStatus;
  readonly owners: OwnerMap;
}

/**
 * Read the identities of all devices and check what can be checked before a day is to be sealed.
 * @throws ERR_CONFIG_IDENTITY naming the device by its place in the configuration
 */
export function loadIdentities(config: EdgeConfig, nowMs: number, log: Log): LoadedIdentity[] {
  const seen = new Map<DeviceId, number>();
  return config.devices.map((device, index) => {
    const loaded = loadIdentity(device, index, config.development, nowMs, log);
    const other = seen.get(loaded.identity.device);
    if (other !== undefined)
      throw failure(`devices[${other}].identity and devices[${index}].identity are of one device`);
    seen.set(loaded.identity.device, index);
    return loaded;
  });
}

function loadIdentity(
  config: EdgeDeviceConfig,
  index: number,
  development: boolean,
  nowMs: number,
  log: Log,
): LoadedIdentity {
  const path = `devices[${index}].identity`;
  let port: LiveIdentity;
  let identity: DeviceIdentity;
  try {
    port = new LiveIdentity(config.identity);
    identity = port.load();
    for (const { key } of [identity.tls, identity.sign, identity.agree]) createPrivateKey(key);
    certificatesOf(identity);
  } catch (cause) {
    const why = isHesError(cause) ? cause.message : `${config.identity} is damaged: enrol the device again`;
    throw failure(`${path}: ${why}`, cause);
  }
  const { device } = identity;
  for (const [at, { tenant }] of config.owners.entries())
    if (identity.owners[tenant] === undefined)
      throw failure(
        `devices[${index}].owners[${at}].tenant: device ${device} is not enrolled for ${tenant}: enrol it again with that guest`,
      );
  if ((statSync(config.identity).mode & OTHERS_MASK) !== 0)
    log.warn({ device, file: config.identity }, 'OTHER USERS MAY READ THE KEYS OF THIS DEVICE: chmod 600');
  checkOwners(identity, path, { development, nowMs, log });
  return {
    port,
    get identity() {
      return port.load();
    },
    get certificates() {
      return certificatesOf(port.load());
    },
    owners: ownerMapOf(config, identity.home),
  };
}

/** What time alone mends, or a new certificate. */
const PASSING: ReadonlySet<string> = new Set(['ERR_TRUST_EXPIRED', 'ERR_TRUST_NOT_YET_VALID']);

/** A certificate that has ended stops no start: the days are kept, and the clock may be what is wrong. */
function checkOwners(
  { device, root, owners }: DeviceIdentity,
  path: string,
  { development, nowMs, log }: { development: boolean; nowMs: number; log: Log },
): void {
  for (const [tenant, { certificate }] of Object.entries(owners))
    try {
      recipientOf(certificate, { tenant: tenant as TenantId, root, atMs: nowMs, development });
    } catch (cause) {
      if (!isHesError(cause)) throw failure(`${path}: the certificate of ${tenant} cannot be read`, cause);
      if (!PASSING.has(cause.code)) throw failure(`${path}: ${cause.message}`, cause);
      log.error(
        { device, tenant, code: cause.code },
        'an owner’s certificate is not valid now: days stay open',
      );
    }
}

/** What ends, by the names of metrics (gateway/runtime/expiry.ts). */
export function endingsOf({ tls, sign, agree, owners }: CertificatesStatus): Ending[] {
  const ending = (what: string, end: string): Ending => ({
    kind: 'certificate',
    what,
    notAfterMs: Date.parse(end),
  });
  return [
    ...Object.entries({ tls, sign, agree }).map(([key, end]) => ending(`device.${key}`, end)),
    ...Object.entries(owners).map(([tenant, end]) => ending(`sealing.${tenant}`, end)),
  ];
}

export function certificatesOf({ tls, sign, agree, owners }: DeviceIdentity): CertificatesStatus {
  return {
    tls: endOf(tls.certificate),
    sign: endOf(sign.certificate),
    agree: endOf(agree.certificate),
    owners: Object.fromEntries(
      Object.entries(owners).map(([tenant, { certificate }]) => [tenant, endOf(certificate)]),
    ),
  };
}

function endOf(pem: string): string {
  return new X509Certificate(pem).validToDate.toISOString();
}

/** When the first of a device's certificates ends, its owners' included (ms since 1970 UTC). */
export function firstEndMs({ owners, tls, sign, agree }: CertificatesStatus): number {
  return Math.min(...[tls, sign, agree, ...Object.values(owners)].map((end) => Date.parse(end)));
}

/** Days until then, rounded down; negative when one has ended. */
export function daysLeft(certificates: CertificatesStatus, nowMs: number): number {
  return Math.floor((firstEndMs(certificates) - nowMs) / DAY_MS);
}

/** By serial number, then by channel; everything else is the home operator's. */
function ownerMapOf({ owners }: EdgeDeviceConfig, home: TenantId): OwnerMap {
  if (owners.length === 0) return () => home;
  const serials = new Map(
    owners.flatMap(({ serial, tenant }) => (serial ? [[serial, tenant] as const] : [])),
  );
  const channels = new Map(
    owners.flatMap(({ channel, tenant }) => (channel === undefined ? [] : [[channel, tenant] as const])),
  );
  return ({ serial, channel }) => serials.get(serial) ?? channels.get(channel) ?? home;
}

function failure(message: string, cause?: unknown): HesError {
  const code: EdgeServiceErrorCode = 'ERR_CONFIG_IDENTITY';
  return new HesError(code, message, cause === undefined ? {} : { cause });
}
