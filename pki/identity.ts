import { dirname } from 'node:path';
import { type DeviceId, isDeviceId, isTenantId, type TenantId } from '../protocol/identity.ts';
import { NOTICE_REVOKED_MAX } from '../protocol/limits.ts';
import { type PkiErrorCode, pkiError } from './errors.ts';
import { makeFolder, readText, replaceFile } from './files/files.ts';
import { deviceIdentityFile } from './files/layout.ts';

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

/**
 * The offices that may command a device: their root and, per tenant, their issuing CA (PEM); while one is rolled over
 * several, one after the other. Of a tenant that is missing nobody is believed.
 */
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
  /**
   * Earlier key-agreement keys, newest first: commands may still come sealed to them, and what was kept on the disk
   * for this device lies sealed to them (docs/adr/0180).
   */
  readonly agreeBefore?: readonly KeyAndCertificate[];
  /** By tenant, the number of the last notice that was taken (notice-apply.ts): none below it is taken any more. */
  readonly notices?: Readonly<Record<string, number>>;
  /** By tenant, serial numbers (lower-case hex) of people of its office who were revoked. */
  readonly revokedPeople?: Readonly<Record<string, readonly string[]>>;
  /** Whose desk has not been told of the present `agree` certificate yet; it changes in one write with that. */
  readonly untold?: readonly TenantId[];
}

/** One a renewal; more than two of them within a third of a certificate's life is somebody's commands, not time. */
export const AGREE_BEFORE_MAX = 4;

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
  const tenants = [home, ...guests];
  const office = officeOf(value['office'], tenants);
  const notices = byTenant(value['notices'], tenants, 'notices', noticeNumber);
  const revokedPeople = byTenant(value['revokedPeople'], tenants, 'revokedPeople', serials);
  const agreeBefore = agreeBeforeOf(value['agreeBefore']);
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
    ...(agreeBefore.length === 0 ? {} : { agreeBefore }),
    ...(notices === undefined ? {} : { notices }),
    ...(revokedPeople === undefined ? {} : { revokedPeople }),
    ...untoldOf(value['untold'], tenants),
  };
}

function agreeBeforeOf(value: unknown): KeyAndCertificate[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || value.length > AGREE_BEFORE_MAX) throw damaged('agreeBefore');
  return value.map((pair, at) => keyAndCertificate(pair, `agreeBefore.${at}`));
}

function untoldOf(value: unknown, tenants: readonly TenantId[]): Pick<DeviceIdentity, 'untold'> {
  if (value === undefined) return {};
  if (!Array.isArray(value)) throw damaged('untold');
  const untold = tenants.filter((tenant) => value.includes(tenant));
  if (untold.length !== value.length) throw damaged('untold');
  return untold.length === 0 ? {} : { untold };
}

function officeOf(value: unknown, tenants: readonly TenantId[]): OfficeAnchors | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value) || !isRecord(value['issuers'])) throw damaged('office');
  const issuers: Record<string, string> = {};
  for (const tenant of tenants) {
    const issuer = value['issuers'][tenant];
    if (issuer !== undefined) issuers[tenant] = pem(issuer, `office.issuers.${tenant}`);
  }
  if (Object.keys(issuers).length === 0) throw damaged('office.issuers');
  return { root: pem(value['root'], 'office.root'), issuers };
}

/** A member with something for each tenant; undefined where there is none. */
function byTenant<T>(
  value: unknown,
  tenants: readonly TenantId[],
  name: string,
  read: (value: unknown, what: string) => T,
): Readonly<Record<string, T>> | undefined {
  if (value === undefined) return undefined;
  if (!isRecord(value)) throw damaged(name);
  return Object.fromEntries(
    tenants
      .filter((tenant) => value[tenant] !== undefined)
      .map((tenant) => [tenant, read(value[tenant], `${name}.${tenant}`)]),
  );
}

function noticeNumber(value: unknown, what: string): number {
  if (!Number.isSafeInteger(value)) throw damaged(what);
  return value as number;
}

function serials(value: unknown, what: string): readonly string[] {
  if (!Array.isArray(value) || value.length > NOTICE_REVOKED_MAX) throw damaged(what);
  if (!value.every((serial) => typeof serial === 'string' && /^([0-9a-f]{2}){1,20}$/.test(serial)))
    throw damaged(what);
  return value as string[];
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
 * Put another identity of the same device in the place of the one in this file, whole or not at all, and on the disk
 * before this returns. @throws ERR_PKI_RIGHTS, ERR_PKI_DAMAGED
 */
export function replaceDeviceIdentity(file: string, identity: DeviceIdentity): void {
  replaceFile(file, `${JSON.stringify(identity)}\n`);
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
