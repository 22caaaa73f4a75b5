import { HesError } from './errors.ts';

/** An operator that shares the head-end: 2 to 32 lower-case letters and digits, starting with a letter. */
export type TenantId = string & { readonly __brand: 'TenantId' };

/** A device's pseudonym: a random 64-bit number as 16 lower-case hex digits. Never a serial number or an EAN. */
export type DeviceId = string & { readonly __brand: 'DeviceId' };

const TENANT_PATTERN = /^[a-z][a-z0-9]{1,31}$/;
const DEVICE_PATTERN = /^[0-9a-f]{16}$/;

export function isTenantId(text: unknown): text is TenantId {
  return typeof text === 'string' && TENANT_PATTERN.test(text);
}

export function isDeviceId(text: unknown): text is DeviceId {
  return typeof text === 'string' && DEVICE_PATTERN.test(text);
}

/** @throws ERR_IDENTITY_TENANT */
export function parseTenantId(text: unknown): TenantId {
  if (isTenantId(text)) return text;
  throw new HesError(
    'ERR_IDENTITY_TENANT',
    'a tenant is 2 to 32 lower-case letters and digits, a letter first',
  );
}

/** @throws ERR_IDENTITY_DEVICE */
export function parseDeviceId(text: unknown): DeviceId {
  if (isDeviceId(text)) return text;
  throw new HesError('ERR_IDENTITY_DEVICE', 'a device id is 16 lower-case hex digits');
}

/** The certificate name that ties a device to a tenant: its home, or one whose meter it carries as a guest. */
export function deviceUri(tenant: TenantId, device: DeviceId): string {
  return `urn:hes:${tenant}:device:${device}`;
}

const DEVICE_URI_PATTERN = /^urn:hes:([a-z][a-z0-9]{1,31}):device:([0-9a-f]{16})$/;

/** The tenant and device that a SAN URI names, or undefined where it is not one of ours. */
export function parseDeviceUri(uri: string): { tenant: TenantId; device: DeviceId } | undefined {
  const match = DEVICE_URI_PATTERN.exec(uri);
  return match === null ? undefined : { tenant: match[1] as TenantId, device: match[2] as DeviceId };
}
