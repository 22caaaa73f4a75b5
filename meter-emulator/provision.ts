import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { DevelopmentPki } from '../pki/development.ts';
import { issueDevice } from '../pki/devices.ts';
import { saveDeviceIdentity } from '../pki/identity.ts';
import { deviceIdentityFile } from '../pki/layout.ts';
import type { DeviceId, TenantId } from '../protocol/identity.ts';

/** How long issuing may hold the event loop before it lets others run. */
const SLICE_MS = 20;

export interface ProvisionOptions {
  readonly devices: readonly {
    readonly id: DeviceId;
    readonly home: TenantId;
    readonly guests: readonly TenantId[];
  }[];
  /** The data folder; identities go to `<data>/devices/<id>/identity.json`. */
  readonly data: string;
  readonly pki: DevelopmentPki;
  /** For certificates: the real time, whatever the simulated one is. */
  readonly nowMs: number;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly signal?: AbortSignal;
}

/**
 * Enrol the devices of a fleet that are not enrolled yet, one by one, so that ten thousand of them never are in
 * memory at once and a start that was cut short carries on. Identities hold keys and pseudonyms, no serial, no EAN.
 *
 * @returns how many were made
 * @throws ERR_PKI_TENANT, ERR_PKI_RIGHTS, ERR_PKI_DAMAGED, AbortError
 */
export async function provisionFleet(options: ProvisionOptions): Promise<number> {
  const { devices, data, pki, nowMs, onProgress, signal } = options;
  const folder = join(data, 'devices');
  let made = 0;
  let sliceEndMs = performance.now() + SLICE_MS;
  for (const [index, { id, home, guests }] of devices.entries()) {
    if (!existsSync(deviceIdentityFile(folder, id))) {
      saveDeviceIdentity(folder, issueDevice(pki, { device: id, home, guests, nowMs }), { durable: false });
      made++;
    }
    if (performance.now() < sliceEndMs) continue;
    onProgress?.({ done: index + 1, total: devices.length });
    await setImmediate();
    signal?.throwIfAborted();
    sliceEndMs = performance.now() + SLICE_MS;
  }
  onProgress?.({ done: devices.length, total: devices.length });
  return made;
}
