import { dirname } from 'node:path';
import { type DeviceId, isDeviceId, isTenantId, type TenantId } from '../protocol/identity.ts';
import { type PkiErrorCode, pkiError } from './errors.ts';
import { makeFolder, readText, replaceFile } from './files.ts';
import { deviceIdentityFile } from './layout.ts';

/** A private key (PKCS#8 PEM) and its certificate (PEM). */
export interface KeyAndCertificate {
  readonly key: string;
  readonly certificate: string;
}

/** An owner's sealing key as a device knows it: `certificate` holds the issuing CA's after its own (PEM). */
export interface OwnerKey {
  /** Hex. */
  readonly kid: string;
  readonly certificate: string;
}

/** The offices that may command a device: their root and, per tenant, their issuing CA (PEM). */
export interface OfficeAnchors {
  readonly root: string;
  readonly issuers: Readonly<Record<string, string>>;
}

/** All that a device is given at enrolment: `<data>/devices/<id>/identity.json`, readable by its owner only. */
export interface DeviceIdentity {
  readonly version: 1;
  readonly device: DeviceId;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
  readonly tls: KeyAndCertificate;
  readonly sign: KeyAndCertificate;
  readonly agree: KeyAndCertificate;
  /** The field root (PEM): what the front's certificate and the owners' are checked against. */
  readonly root: string;
  /** For home and every guest. */
  readonly owners: Readonly<Record<string, OwnerKey>>;
  /** Of home and every guest. A device that was enrolled without it takes no command (office/device.ts). */
  readonly office?: OfficeAnchors;
}

const damaged = (what: string, cause?: unknown) =>
  pkiError('ERR_PKI_IDENTITY' satisfies PkiErrorCode, `no usable device identity: ${what}`, { cause });

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function pem(value: unknown, what: string): string {
  if (typeof value === 'string' && value.startsWith('-----BEGIN ') && value.trimEnd().endsWith('-----'))
    return value;
  throw damaged(`${what} is no PEM text`);
}

function keyAndCertificate(value: unknown, what: string): KeyAndCertificate {
  if (!isRecord(value)) throw damaged(`${what} is missing`);
  return {
    key: pem(value['key'], `${what}.key`),
    certificate: pem(value['certificate'], `${what}.certificate`),
  };
}

/** @throws ERR_PKI_IDENTITY */
export function parseDeviceIdentity(text: string): DeviceIdentity {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    // The cause of a JSON error quotes the text, and the text holds keys.
    throw damaged(`no JSON (${text.length} characters, ${cause instanceof Error ? cause.name : 'error'})`);
  }
  if (!isRecord(value)) throw damaged('no object');
  if (value['version'] !== 1) throw damaged('another version');
  const { device, home, guests, owners } = value;
  if (!isDeviceId(device) || !isTenantId(home)) throw damaged('device or home');
  if (!Array.isArray(guests) || !guests.every(isTenantId)) throw damaged('guests');
  if (!isRecord(owners)) throw damaged('owners');
  const ownerKeys: Record<string, OwnerKey> = {};
  for (const tenant of [home, ...guests]) {
    const owner = owners[tenant];
    if (!isRecord(owner)) throw damaged(`owners.${tenant} is missing`);
    const { kid } = owner;
    if (typeof kid !== 'string' || !/^[0-9a-f]{16}$/.test(kid)) throw damaged(`owners.${tenant}.kid`);
    ownerKeys[tenant] = { kid, certificate: pem(owner['certificate'], `owners.${tenant}.certificate`) };
  }
  const office = officeOf(value['office'], [home, ...guests]);
  return {
    version: 1,
    device,
    home,
    guests,
    tls: keyAndCertificate(value['tls'], 'tls'),
    sign: keyAndCertificate(value['sign'], 'sign'),
    agree: keyAndCertificate(value['agree'], 'agree'),
    root: pem(value['root'], 'root'),
    owners: ownerKeys,
    ...(office === undefined ? {} : { office }),
  };
}

function officeOf(value: unknown, tenants: readonly TenantId[]): OfficeAnchors | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value) || !isRecord(value['issuers'])) throw damaged('office');
  const issuers: Record<string, string> = {};
  for (const tenant of tenants) issuers[tenant] = pem(value['issuers'][tenant], `office.issuers.${tenant}`);
  return { root: pem(value['root'], 'office.root'), issuers };
}

/** @throws ERR_PKI_IDENTITY, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function readDeviceIdentity(file: string): DeviceIdentity {
  const text = readText(file);
  try {
    return parseDeviceIdentity(text);
  } catch (cause) {
    throw pkiError('ERR_PKI_IDENTITY', `${file} is damaged: enrol the device again`, {
      cause,
      context: { file },
    });
  }
}

/**
 * Write `<devicesDirectory>/<device>/identity.json`, whole or not at all, and return its path. `durable: false`
 * leaves the flushing to the system, for emulated fleets of thousands.
 *
 * @throws ERR_PKI_RIGHTS, ERR_PKI_DAMAGED
 */
export function saveDeviceIdentity(
  devicesDirectory: string,
  identity: DeviceIdentity,
  options: { readonly durable?: boolean } = {},
): string {
  const file = deviceIdentityFile(devicesDirectory, identity.device);
  makeFolder(dirname(file));
  replaceFile(file, `${JSON.stringify(identity)}\n`, options.durable ?? true);
  return file;
}
