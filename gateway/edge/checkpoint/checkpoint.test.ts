import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { issueDevice } from '../../../pki/development/development.ts';
import { type DailyIndex, QUALITY } from '../../../protocol/reading.ts';
import { dayAfter, type LocalDay, QUARTER_SECONDS } from '../days/calendar.ts';
import type { EdgeDevice, EdgeDeviceOptions } from '../device.ts';
import { nodeFiles, type OutboxFiles } from '../outbox/files.ts';
import type { Instant, MeterSnapshot } from '../source.ts';
import { DAY, deviceBench, SERIAL, WATER_SERIAL } from '../testing/device.ts';
import { releaseLock } from '../testing/kill.ts';
import { captured, GAS, IMPORT_DAY, meter, ORES, register, snapshot, WATER } from '../testing/meters.ts';
import { CHECKPOINT_BYTES_MAX } from './checkpoint.ts';

const bench = deviceBench();
const file = (): string => join(bench.directory, 'day');

const open = ({ files = nodeFiles, ...extra }: Partial<EdgeDeviceOptions> = {}): EdgeDevice =>
  bench.openDevice({ checkpoint: true, files: watched(files), ...extra });

/** As kill -9 leaves it: what was handed to the disk is there, the lock names a process that is gone. */
async function killAndOpen(extra: Partial<EdgeDeviceOptions> = {}): Promise<EdgeDevice> {
  await settled();
  releaseLock(bench.directory);
  return open(extra);
}

/** Writes that run in the background. */
const writing = new Set<Promise<void>>();

function watched(files: OutboxFiles): OutboxFiles {
  const seen = (write: Promise<void>): Promise<void> => {
    writing.add(write);
    const over = (): boolean => writing.delete(write);
    write.then(over, over);
    return write;
  };
  return {
    ...files,
    appendDurably: (path, bytes) => seen(files.appendDurably(path, bytes)),
    replaceDurably: (path, bytes) => seen(files.replaceDurably(path, bytes)),
  };
}

/** They come to their end, and so does what begins at their end, however slow the disk is. */
async function settled(): Promise<void> {
  do {
    await Promise.allSettled(writing);
    await setImmediate();
  } while (writing.size > 0);
}

const volts = (value: number): Instant => ({
  obis: '1-0:32.7.0' as Instant['obis'],
  value,
  scaler: -1,
  unit: 'V',
});

const indexAt = (quarter: number, day = DAY): number => {
  const since = Math.round((day.start - DAY.start) / QUARTER_SECONDS + quarter);
  return 5_000_000 + since * 40 + (since % 7);
};

function show(device: EdgeDevice, day: LocalDay, quarter: number, extra: Partial<MeterSnapshot> = {}): void {
  const time = day.start + quarter * QUARTER_SECONDS;
  const own = meter(
    [register(IMPORT_DAY, indexAt(quarter, day)), captured(GAS, 700_000 + quarter, time - (time % 3600))],
    { serial: SERIAL, instants: [volts(2_300 + (quarter % 5))], ...extra },
  );
  const water = meter([captured(WATER, 90_000 + quarter, time)], {
    medium: 'water',
    channel: 2,
    serial: WATER_SERIAL,
  });
  device.observe(snapshot(time, [own, water]));
}

async function deliverDay(device: EdgeDevice, day: LocalDay): Promise<readonly DailyIndex[]> {
  show(device, dayAfter(day), 0);
  await device.closeDay(day);
  await device.wake();
  return bench.headEnd.received.filter((index) => index.day === day.name);
}

const withoutCapture = ({ meters, clock, day, tenant }: DailyIndex) => ({ meters, clock, day, tenant });

describe('the running day', () => {
  test('after kills at any quarter-hour is closed as if there had been none', async () => {
    const plain = open();
    for (let quarter = 0; quarter < DAY.quarters; quarter++) show(plain, DAY, quarter);
    const expected = (await deliverDay(plain, DAY)).map(withoutCapture);
    expect(expected[0]!.meters[0]).toMatchObject({ flags: 0, extremes: [{ min: 2_300, max: 2_304 }] });
    await plain.close();

    bench.headEnd.reset();
    bench.directory = `${bench.directory}-killed`;
    let device = open();
    for (let quarter = 0; quarter < DAY.quarters; quarter++) {
      show(device, DAY, quarter);
      if (quarter % 11 === 5) device = await killAndOpen();
    }
    expect((await deliverDay(device, DAY)).map(withoutCapture)).toEqual(expected);
    expect(bench.counters.get('edge.checkpoint.restored')).toBe(9);
  });

  test('has the outage for its only gap', async () => {
    let device = open();
    for (let quarter = 0; quarter <= 40; quarter++) show(device, DAY, quarter);
    device = await killAndOpen();
    expect(device.restored).toBe('restored');
    for (let quarter = 44; quarter < DAY.quarters; quarter++) show(device, DAY, quarter);
    const { deltas } = (await deliverDay(device, DAY))[0]!.meters[0]!.profiles[0]!;
    const gaps = deltas.flatMap((delta, quarter) => (delta === null ? [quarter] : []));
    expect(gaps).toEqual([40, 41, 42, 43]);
  });

  test('keeps flags, falls and jumps that came before the kill', async () => {
    let device = open();
    show(device, DAY, 0);
    show(device, DAY, 1, { registers: [register(IMPORT_DAY, 4_000_000)] });
    show(device, DAY, 1.1, { flags: QUALITY.powerFail });
    device = await killAndOpen();
    for (let quarter = 2; quarter < DAY.quarters; quarter++) show(device, DAY, quarter);
    const [own] = (await deliverDay(device, DAY))[0]!.meters;
    expect(own!.flags & QUALITY.powerFail).toBe(QUALITY.powerFail);
    expect(own!.registers[0]!.flags & (QUALITY.registerFell | QUALITY.registerJumped)).not.toBe(0);
  });

  test('goes on without a gap when the device is closed and opened again within one quarter-hour', async () => {
    const device = open();
    for (let quarter = 0; quarter <= 30; quarter++) show(device, DAY, quarter);
    show(device, DAY, 30.98, { registers: [register(IMPORT_DAY, indexAt(31))], instants: [volts(1_999)] });
    await device.close();
    const again = open();
    // The last telegram before the boundary stands for it: 18 s before, and nothing within a minute after.
    show(again, DAY, 31.2);
    for (let quarter = 32; quarter < DAY.quarters; quarter++) show(again, DAY, quarter);
    const [own] = (await deliverDay(again, DAY))[0]!.meters;
    expect(own!.profiles[0]!.deltas.includes(null)).toBe(false);
    expect(own!.extremes[0]!.min).toBe(1_999);
  });

  test('that ended before the kill, and was not closed, is closed after it with its profile and on time', async () => {
    let device = open();
    for (let quarter = 0; quarter <= DAY.quarters; quarter++) show(device, DAY, quarter);
    device = await killAndOpen();
    expect(device.due().map(({ day }) => day.name)).toEqual([DAY.name, DAY.name]);
    await device.closeDay();
    await device.wake();
    expect(bench.headEnd.received[0]!.meters[0]!.flags).toBe(0);
    expect(bench.headEnd.received[0]!.capturedAt.epochSeconds).toBe(DAY.end);
    // What was closed is gone from the file: nothing is due a second time.
    device = await killAndOpen();
    expect(device.due()).toEqual([]);
  });

  test('is closed once, although the kill came between the outbox and the checkpoint', async () => {
    const device = open();
    for (let quarter = 0; quarter <= DAY.quarters; quarter++) show(device, DAY, quarter);
    await settled();
    const before = readFileSync(file());
    await device.closeDay();
    await settled();
    writeFileSync(file(), before);
    const again = await killAndOpen();
    expect(again.due()).toEqual([]);
    expect(again.pending()).toBe(2);
    for (let quarter = 1; quarter <= DAY.quarters; quarter++) show(again, dayAfter(DAY), quarter);
    await again.closeDay();
    await again.wake();
    const own = bench.headEnd.received.filter(({ tenant }) => tenant === ORES);
    expect(own.map(({ day }) => day)).toEqual([DAY.name, dayAfter(DAY).name]);
    expect(own[1]!.meters[0]!.profiles[0]!.deltas.includes(null)).toBe(false);
  });
});

describe('the file', () => {
  test('holds no serial number, EAN or register that could be read, at no time of the day', async () => {
    const device = open();
    const needles = [SERIAL, WATER_SERIAL, '541448820000000016', IMPORT_DAY, 'Wh'].flatMap((text) => [
      Buffer.from(text),
      Buffer.from(Buffer.from(text).toString('hex')),
    ]);
    for (let quarter = 0; quarter <= 96; quarter++) {
      show(device, DAY, quarter);
      if (quarter % 24 !== 0) continue;
      await settled();
      const bytes = readFileSync(file());
      const value = Buffer.alloc(4);
      value.writeUInt32BE(indexAt(quarter));
      for (const needle of [...needles, value, value.toReversed(), Buffer.from(String(indexAt(quarter)))])
        if (needle.length > 3) expect(bytes.includes(needle)).toBe(false);
      expect(bytes.length).toBeLessThanOrEqual(CHECKPOINT_BYTES_MAX);
    }
  });

  test('is never the same twice: another salt for each', async () => {
    const device = open();
    show(device, DAY, 0);
    await device.close();
    const first = readFileSync(file());
    await open().close();
    const second = readFileSync(file());
    expect(second.subarray(0, 16).equals(first.subarray(0, 16))).toBe(true);
    expect(second.subarray(16, 48).equals(first.subarray(16, 48))).toBe(false);
  });

  test.each([
    ['another device', 9],
    ['another version', 7],
    ['another salt', 20],
    ['a damaged first frame', 80],
    ['no head', 0],
  ])('of %s is ignored, counted and replaced', async (_, offset) => {
    const device = open();
    for (let quarter = 0; quarter <= 8; quarter++) show(device, DAY, quarter);
    await device.close();
    const bytes = readFileSync(file());
    bytes[offset]! ^= 1;
    writeFileSync(file(), bytes);
    const again = open();
    expect(again.restored).toBe('ignored');
    expect(bench.counters.get('edge.checkpoint.ignored')).toBe(1);
    show(again, DAY, 9);
    await again.close();
    expect(open().restored).toBe('restored');
  });

  test('cannot be opened with the key of another device', async () => {
    const device = open();
    show(device, DAY, 0);
    await device.close();
    const other = issueDevice(bench.headEnd.pki, { home: ORES, nowMs: Date.now() });
    const renewed = { ...bench.identity, agree: other.agree };
    expect(open({ identity: renewed }).restored).toBe('ignored');
  });

  test('is not there at all unless it was asked for', async () => {
    const device = bench.openDevice();
    show(device, DAY, 0);
    await device.close();
    expect(nodeFiles.read(file())).toBeUndefined();
  });
});

describe('a disk that takes no writes', () => {
  test.each(['appendDurably', 'replaceDurably'] as const)(
    'at %s stops no telegram, is said once, and the day is kept again as soon as it can be',
    async (operation) => {
      let full = false;
      const files: OutboxFiles = {
        ...nodeFiles,
        async [operation](path: string, bytes: Uint8Array) {
          if (full && path.endsWith('/day')) {
            if (operation === 'appendDurably') await nodeFiles.appendDurably(path, bytes.subarray(0, 20));
            throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
          }
          await nodeFiles[operation](path, bytes);
        },
      };
      const device = open({ files });
      for (let quarter = 0; quarter <= 20; quarter++) {
        show(device, DAY, quarter);
        await settled();
        full = operation === 'appendDurably' ? quarter === 10 : quarter >= 10 && quarter < 15;
      }
      full = false;
      for (let quarter = 21; quarter <= 30; quarter++) show(device, DAY, quarter);
      const again = await killAndOpen({ files });
      for (let quarter = 31; quarter < DAY.quarters; quarter++) show(again, DAY, quarter);
      const [own] = (await deliverDay(again, DAY))[0]!.meters;
      expect(own!.profiles[0]!.deltas.includes(null)).toBe(false);
    },
  );
});
