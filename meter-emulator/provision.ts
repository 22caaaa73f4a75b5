import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { DevelopmentPki } from '../pki/development/development.ts';
import { issueDevice, withOffice } from '../pki/development/devices.ts';
import { deviceIdentityFile } from '../pki/files/layout.ts';
import { readDeviceIdentity, saveDeviceIdentity } from '../pki/identity.ts';
import { isHesError } from '../protocol/errors.ts';
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
 * One that was made before its owners had an office is told of it: without that a device refuses every command.
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
    } else tellOffice(pki, folder, id);
    if (performance.now() < sliceEndMs) continue;
    onProgress?.({ done: index + 1, total: devices.length });
    await setImmediate();
    signal?.throwIfAborted();
    sliceEndMs = performance.now() + SLICE_MS;
  }
  onProgress?.({ done: devices.length, total: devices.length });
  return made;
}

function tellOffice(pki: DevelopmentPki, folder: string, id: DeviceId): void {
  try {
    const known = readDeviceIdentity(deviceIdentityFile(folder, id));
    // Who commands it, notices have told it since, and they know of newer CAs than this start does.
    if (known.notices !== undefined) return;
    const told = withOffice(pki, known);
    if (told !== known) saveDeviceIdentity(folder, told, { durable: false });
  } catch (error) {
    // The device itself says what is wrong with it, and what to do.
    if (!isHesError(error, 'ERR_PKI_IDENTITY')) throw error;
  }
}
