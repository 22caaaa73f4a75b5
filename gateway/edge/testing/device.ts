import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type DeviceIdentity, issueDevice } from '../../../pki/development/development.ts';
import { type ManualClock, manualClock } from '../../runtime/clock.ts';
import { Counters } from '../../runtime/counters.ts';
import { seededRandom } from '../../runtime/random.ts';
import type { EdgeCommands } from '../commands.ts';
import { dayAfter, dayNamed, type LocalDay, QUARTER_SECONDS } from '../days/calendar.ts';
import { EdgeDevice, type EdgeDeviceOptions } from '../device.ts';
import { FakeHeadEnd } from './head-end.ts';
import { releaseLock } from './kill.ts';
import { captured, FARYS, IMPORT_DAY, meter, ORES, register, snapshot, WATER } from './meters.ts';

export const DAY = dayNamed('2026-05-12');
export const SERIAL = '1SAG1100000292';
export const WATER_SERIAL = '8ITR0000000001';

export interface Bench {
  home: string;
  headEnd: FakeHeadEnd;
  identity: DeviceIdentity;
  /** A fresh folder for each test: the device's. */
  directory: string;
  counters: Counters;
  readonly clock: ManualClock;
  openDevice(extra?: Partial<EdgeDeviceOptions>): EdgeDevice;
  /** A device that takes commands. */
  startDevice(commands: EdgeCommands, extra?: Partial<EdgeDeviceOptions>): Promise<EdgeDevice>;
  /** The device's process is gone: nobody closes it. */
  abandon(device: EdgeDevice): void;
}

/** A head-end for the whole file, and a device folder for each of its tests; every device is closed after its test. */
export function deviceBench(): Bench {
  const open: EdgeDevice[] = [];
  const bench: Bench = {
    clock: manualClock(Date.now()),
    openDevice(extra = {}) {
      const device = EdgeDevice.open(optionsOf(extra));
      open.push(device);
      return device;
    },
    async startDevice(commands, extra = {}) {
      const { limits } = extra;
      // A slow machine is no head-end that stands still: tests of silence say how long they wait for it.
      const uplink = { answerTimeoutMs: 15_000, connectTimeoutMs: 15_000, ...limits?.uplink };
      const options = optionsOf({ ...extra, limits: { ...limits, uplink } });
      const device = await EdgeDevice.start({ ...options, commands });
      open.push(device);
      return device;
    },
    abandon(device) {
      open.splice(open.indexOf(device), 1);
      releaseLock(bench.directory);
    },
  } as Bench;
  const optionsOf = (extra: Partial<EdgeDeviceOptions>): EdgeDeviceOptions => ({
    directory: bench.directory,
    identity: bench.identity,
    owners: ({ medium }) => (medium === 'water' ? FARYS : ORES),
    headEnd: { host: '127.0.0.1', port: bench.headEnd.port },
    clock: bench.clock,
    random: seededRandom(3, 'edge'),
    counters: bench.counters,
    development: true,
    ...extra,
    limits: {
      ...extra.limits,
      uplink: {
        receiptGraceMs: 100,
        answerTimeoutMs: 400,
        connectTimeoutMs: 2_000,
        ...extra.limits?.uplink,
      },
    },
  });

  beforeAll(async () => {
    bench.home = mkdtempSync(join(tmpdir(), 'hes-edge-'));
    bench.headEnd = await FakeHeadEnd.start(join(bench.home, 'pki'), [ORES, FARYS]);
    bench.identity = issueDevice(bench.headEnd.pki, { home: ORES, guests: [FARYS], nowMs: Date.now() });
  });
  afterAll(async () => {
    await bench.headEnd.stop();
    rmSync(bench.home, { recursive: true });
  });
  beforeEach(() => {
    bench.directory = mkdtempSync(join(bench.home, 'device-'));
    bench.counters = new Counters();
    bench.headEnd.reset();
  });
  afterEach(async () => {
    for (const device of open.splice(0)) await device.close();
  });
  return bench;
}

const water = (time: number, litres: number) =>
  meter([captured(WATER, litres, time)], { medium: 'water', channel: 2, serial: WATER_SERIAL });

/** A day of quarter-hours, for the home tenant and for the guest unless told otherwise. */
export function live(device: EdgeDevice, day: LocalDay, { guest = true } = {}): void {
  for (let quarter = 0; quarter <= day.quarters; quarter++) {
    const time = day.start + quarter * QUARTER_SECONDS;
    const own = meter([register(IMPORT_DAY, 1_000_000 + day.ordinal * 1_000 + quarter)], { serial: SERIAL });
    device.observe(snapshot(time, guest ? [own, water(time, day.ordinal * 100 + quarter)] : [own]));
  }
}

export async function liveDays(device: EdgeDevice, count: number, options = {}): Promise<void> {
  let day = DAY;
  for (let index = 0; index < count; index++) {
    live(device, day, options);
    await device.closeDay();
    day = dayAfter(day);
  }
}
