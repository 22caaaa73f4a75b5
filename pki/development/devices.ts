import { randomBytes } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { type DeviceId, deviceUri, type TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import type { DeviceIdentity, KeyAndCertificate, OwnerKey } from '../identity.ts';
import { officeAnchors } from '../office/development.ts';
import { GUESTS_MAX } from '../verify/device-certificate.ts';
import { certify, newKeyPair, type SigningAuthority } from '../x509/certify.ts';
import { toPem } from '../x509/pem.ts';
import { PROFILES, type Profile } from '../x509/profiles.ts';
import type { DevelopmentPki } from './development-pki.ts';
import { CLOCK_SKEW_MS } from './making.ts';

const DEVICE_ID_BYTES = 8;
const DAY_MS = 86_400_000;
/** How long issuing in bulk may hold the event loop before it lets others run. */
const SLICE_MS = 20;

export interface DeviceRequest {
  readonly home: TenantId;
  readonly guests?: readonly TenantId[];
  /** A fresh random pseudonym where it is left out. */
  readonly device?: DeviceId;
}

export interface BulkOptions {
  readonly nowMs: number;
  /** Called after each slice of work (about every 20 ms) and at the end. */
  readonly onProgress?: (progress: { readonly issued: number; readonly total: number }) => void;
  readonly signal?: AbortSignal;
}

/**
 * Make a device: three key pairs and certificates, and the sealing keys of those whose meters it carries.
 * @throws ERR_PKI_TENANT
 */
export function issueDevice(
  pki: DevelopmentPki,
  request: DeviceRequest & {
    readonly nowMs: number;
    /** Shorter than its profile has it, for tests of what comes at the end of it. */
    readonly lifeDays?: number;
  },
): DeviceIdentity {
  const { home, nowMs, lifeDays } = request;
  const guests = [...(request.guests ?? [])];
  const { authority, owners } = issuersFor(pki, home, guests);
  const device = request.device ?? newDeviceId();
  const uris = [home, ...guests].map((tenant) => deviceUri(tenant, device));
  const credential = (profile: Profile) =>
    newCredential(authority, profile, device, uris, { nowMs, lifeDays });
  return {
    version: 1,
    device,
    home,
    guests,
    tls: credential(PROFILES.deviceTls),
    sign: credential(PROFILES.deviceSign),
    agree: credential(PROFILES.deviceAgree),
    root: pki.root.pem,
    owners,
    ...officeFor(pki, home, guests),
  };
}

/**
 * An identity with the offices of today: those that were issued before there was an office have none.
 * @returns the same object where nothing changes
 * @throws ERR_PKI_TENANT
 */
export function withOffice(pki: DevelopmentPki, identity: DeviceIdentity): DeviceIdentity {
  const { office } = officeFor(pki, identity.home, identity.guests);
  const same = office === undefined || JSON.stringify(office) === JSON.stringify(identity.office);
  return same ? identity : { ...identity, office };
}

/** The `office` of an identity of these tenants; nothing where this PKI has no office. @throws ERR_PKI_TENANT */
export function officeFor(
  { office }: DevelopmentPki,
  home: TenantId,
  guests: readonly TenantId[],
): Pick<DeviceIdentity, 'office'> {
  return office === undefined ? {} : { office: officeAnchors(office, [home, ...guests]) };
}

/** A fresh pseudonym (docs/protocol: never a serial number, never an EAN). */
export function newDeviceId(): DeviceId {
  return randomBytes(DEVICE_ID_BYTES).toString('hex') as DeviceId;
}

/** Who signs for a device of these tenants, and the sealing keys that it is given. @throws ERR_PKI_TENANT */
export function issuersFor(
  pki: DevelopmentPki,
  home: TenantId,
  guests: readonly TenantId[],
): { readonly authority: SigningAuthority; readonly owners: Readonly<Record<string, OwnerKey>> } {
  const authority = pki.authorities.get(home);
  if (authority === undefined) throw wrongTenants(`there is no issuing CA of ${home}`);
  if (new Set([home, ...guests]).size !== guests.length + 1 || guests.length > GUESTS_MAX)
    throw wrongTenants(`guests are up to ${GUESTS_MAX} other tenants than the home, each once`);
  const owners: Record<string, OwnerKey> = {};
  for (const tenant of [home, ...guests]) {
    const owner = pki.owners.get(tenant);
    if (owner === undefined) throw wrongTenants(`there is no sealing key of ${tenant}`);
    owners[tenant] = owner;
  }
  return { authority, owners };
}

/** Make many devices, in the order asked, without holding the event loop. @throws ERR_PKI_TENANT, AbortError */
export async function issueDevices(
  pki: DevelopmentPki,
  requests: readonly DeviceRequest[],
  { nowMs, onProgress, signal }: BulkOptions,
): Promise<DeviceIdentity[]> {
  const issued: DeviceIdentity[] = [];
  let sliceEndMs = performance.now() + SLICE_MS;
  for (const request of requests) {
    issued.push(issueDevice(pki, { ...request, nowMs }));
    if (performance.now() >= sliceEndMs) {
      onProgress?.({ issued: issued.length, total: requests.length });
      await setImmediate();
      signal?.throwIfAborted();
      sliceEndMs = performance.now() + SLICE_MS;
    }
  }
  onProgress?.({ issued: issued.length, total: requests.length });
  return issued;
}

function newCredential(
  authority: SigningAuthority,
  profile: Profile,
  commonName: string,
  uris: readonly string[],
  { nowMs, lifeDays }: { readonly nowMs: number; readonly lifeDays: number | undefined },
): KeyAndCertificate {
  const { privateKeyPem, spki } = newKeyPair();
  const certificate = certify(authority, {
    profile,
    subject: { commonName },
    names: { uris },
    spki,
    notBeforeMs: nowMs - CLOCK_SKEW_MS,
    ...(lifeDays === undefined ? {} : { notAfterMs: nowMs + lifeDays * DAY_MS }),
  });
  return { key: privateKeyPem, certificate: toPem('CERTIFICATE', certificate) };
}

const wrongTenants = (message: string) => pkiError('ERR_PKI_TENANT', message);
