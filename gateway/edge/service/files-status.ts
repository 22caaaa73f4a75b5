import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeviceIdentity, readDeviceIdentity } from '../../../pki/identity.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { dayOfOrdinal } from '../calendar.ts';
import { recover } from '../outbox/recover.ts';
import { OutboxState } from '../outbox/state.ts';
import type { EdgeConfig } from './config.ts';
import type { EdgeServiceErrorCode } from './errors.ts';
import { certificatesOf } from './identity.ts';
import { deviceDirectory } from './service.ts';
import type { DeviceStatus, EdgeStatus } from './status.ts';

/** What the files of a configuration say while no process runs. Nothing is locked and nothing written. */
export function statusOfFiles(config: EdgeConfig, nowMs: number): EdgeStatus {
  const { data, development, headEnd } = config;
  return {
    version: 1,
    running: false,
    pid: null,
    startedAtMs: null,
    nowMs,
    development,
    headEnd,
    devices: config.devices.map((device) => deviceOfFiles(data, device.identity)),
  };
}

const NOTHING: Omit<DeviceStatus, 'device' | 'home' | 'guests' | 'trouble' | 'certificates'> = {
  sources: [],
  lastReceipt: null,
  lastWake: null,
  outbox: null,
  lastClosedDay: {},
  openDays: 0,
  nextWakeMs: null,
};

function deviceOfFiles(data: string, file: string): DeviceStatus {
  let identity: DeviceIdentity;
  let known: Omit<DeviceStatus, keyof typeof NOTHING>;
  try {
    identity = readDeviceIdentity(file);
    const { device, home, guests } = identity;
    known = { device, home, guests, trouble: null, certificates: certificatesOf(identity) };
  } catch (error) {
    return { ...NOTHING, device: null, home: null, guests: [], trouble: codeOf(error), certificates: null };
  }
  try {
    return { ...NOTHING, ...known, ...outboxOfFile(deviceDirectory(data, identity.device), identity) };
  } catch (error) {
    return { ...NOTHING, ...known, trouble: codeOf(error) };
  }
}

function outboxOfFile(directory: string, { device }: DeviceIdentity): Partial<DeviceStatus> {
  const path = join(directory, 'outbox');
  if (!existsSync(path)) return {};
  const state = new OutboxState();
  for (const { record, sealedAt } of recover(path, readFileSync(path), device).records)
    state.replay(record, sealedAt);
  return {
    outbox: { pending: state.pendingCount, parked: state.parked().length },
    lastClosedDay: Object.fromEntries(
      [...state.owners].map(([owner, { through }]) => [owner, dayOfOrdinal(through).name]),
    ),
  };
}

function codeOf(error: unknown): string {
  if (isHesError(error)) return error.code;
  if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  return 'ERR_EDGE_DATA' satisfies EdgeServiceErrorCode;
}
