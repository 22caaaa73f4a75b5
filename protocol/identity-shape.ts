import { fits } from './cbor/error.ts';
import { mapped, type Shape, text } from './cbor/shape.ts';
import { type DeviceId, isDeviceId, isTenantId, type TenantId } from './identity.ts';

/** The 64 bits of a device id. */
const DEVICE_BYTES = 8;
const TENANT_LENGTH_MAX = 32;

const tenantOf = (word: string): TenantId | undefined => (isTenantId(word) ? word : undefined);

export const TENANT_SHAPE: Shape<TenantId> = mapped(
  text(/^[a-z0-9]+$/, TENANT_LENGTH_MAX),
  'a tenant',
  tenantOf,
  tenantOf,
);

/** Eight bytes: what the sixteen digits spell. */
export const DEVICE_SHAPE: Shape<DeviceId> = {
  write(writer, device) {
    fits(isDeviceId(device), 'a device id');
    writer.hexAsBytes(device);
  },
  read(reader) {
    const bytes = reader.bytes(DEVICE_BYTES);
    fits(bytes.length === DEVICE_BYTES, 'a device id of 8 bytes');
    return bytes.toString('hex') as DeviceId;
  },
};
