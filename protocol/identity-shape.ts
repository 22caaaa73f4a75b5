import { byteString, mapped, type Shape, text } from './cbor/shape.ts';
import { type DeviceId, isDeviceId, isTenantId, type TenantId } from './identity.ts';

/** The 64 bits of a device id. */
const DEVICE_BYTES = 8;

/** The bytes that a device id is the hex of. */
export function deviceBytes(device: DeviceId): Uint8Array {
  return Buffer.from(device, 'hex');
}

export const TENANT_SHAPE: Shape<TenantId> = mapped(
  text(/^[a-z][a-z0-9]+$/, 32),
  'a tenant',
  (tenant) => (isTenantId(tenant) ? tenant : undefined),
  (word) => (isTenantId(word) ? word : undefined),
);

export const DEVICE_SHAPE: Shape<DeviceId> = mapped(
  byteString(DEVICE_BYTES, DEVICE_BYTES),
  'a device id',
  (device) => (isDeviceId(device) ? deviceBytes(device) : undefined),
  (bytes) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex') as DeviceId,
);
