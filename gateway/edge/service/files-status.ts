import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type DeviceIdentity, readDeviceIdentity } from '../../../pki/identity.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import { dayOfOrdinal } from '../days/calendar.ts';
import { inspectOperations } from '../operations/inspect.ts';
import { inspectOutbox } from '../outbox/inspect.ts';
import { recover } from '../outbox/recover.ts';
import { OutboxState } from '../outbox/state.ts';
import type { EdgeConfig } from './config.ts';
import type { EdgeServiceErrorCode } from './errors.ts';
import { certificatesOf } from './identity.ts';
import { deviceDirectory } from './service.ts';
import type { DeviceStatus, EdgeStatus } from './status.ts';

/** What the files of a configuration say while no process runs. Nothing is locked and nothing written. */
export function statusOfFiles(config: EdgeConfig, nowMs: number): EdgeStatus {
  const { development, headEnd } = config;
  return {
    version: 1,
    running: false,
    pid: null,
    startedAtMs: null,
    nowMs,
    development,
    headEnd,
    devices: config.devices.map((device) => deviceOfFiles(config, device.identity)),
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
  commands: null,
  renewal: null,
};

function deviceOfFiles(config: EdgeConfig, file: string): DeviceStatus {
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
    return { ...NOTHING, ...known, ...outboxOfFile(config, identity.device) };
  } catch (error) {
    return { ...NOTHING, ...known, trouble: codeOf(error) };
  }
}

function outboxOfFile({ data, outbox: limits }: EdgeConfig, device: DeviceId): Partial<DeviceStatus> {
  const directory = deviceDirectory(data, device);
  const outbox = inspectOutbox({ directory, device, limits });
  const operations = inspectOperations(directory, device);
  const commands = operations === undefined ? null : { last: null, connected: false, ...operations };
  if (outbox === undefined) return { commands };
  const path = join(directory, 'outbox');
  const state = new OutboxState();
  for (const { record, sealedAt } of recover(path, readFileSync(path), device).records)
    state.replay(record, sealedAt);
  const closed = [...state.owners].map(([owner, { through }]) => [owner, dayOfOrdinal(through).name]);
  return { outbox, commands, lastClosedDay: Object.fromEntries(closed) as Record<string, string> };
}

function codeOf(error: unknown): string {
  if (isHesError(error)) return error.code;
  if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  return 'ERR_EDGE_DATA' satisfies EdgeServiceErrorCode;
}
