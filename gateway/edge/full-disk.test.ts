import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type DailyIndex, QUALITY } from '../../protocol/reading.ts';
import { createLog } from '../runtime/log.ts';
import { seededRandom } from '../runtime/random.ts';
import { dayAfter, QUARTER_SECONDS } from './days/calendar.ts';
import type { EdgeDevice } from './device.ts';
import { DAY, deviceBench, live, SERIAL } from './testing/device.ts';
import { SimulatedDisk } from './testing/disk.ts';
import { FARYS, IMPORT_DAY, meter, ORES, register, snapshot } from './testing/meters.ts';

const bench = deviceBench();
const DAYS = 3;
/** Every fourth hour is enough for what is tested here. */
const EVERY_QUARTERS = 16;

function show(device: EdgeDevice, quarter: number): void {
  const time = DAY.start + quarter * QUARTER_SECONDS;
  device.observe(snapshot(time, [meter([register(IMPORT_DAY, 70_000 + quarter)], { serial: SERIAL })]));
}

/** Three days on a disk that refuses some writes; days are closed as soon as it lets them. */
async function liveOn(disk: SimulatedDisk): Promise<void> {
  bench.directory = mkdtempSync(join(bench.home, 'full-'));
  let device = bench.openDevice({ files: disk.files(), checkpoint: true });
  for (let quarter = 0; quarter <= DAYS * 96; quarter += EVERY_QUARTERS) {
    show(device, quarter);
    await nextTurn();
    if (device.due().length > 0)
      await device.closeDay().catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'ERR_OUTBOX_WRITE' });
        expect(device.outboxStatus().failing).toBe(true);
      });
  }
  disk.refuses = () => false;
  await device.closeDay();
  await device.close();
  // What counts is what is on the disk.
  device = bench.openDevice({ files: disk.files(), checkpoint: true });
  await device.wake();
  expect([device.pending(), device.due().length]).toEqual([0, 0]);
  await device.close();
}

const byDay = (indexes: readonly DailyIndex[]) =>
  indexes.map(({ day, meters }) => [day, meters[0]!.registers[0]!.value] as const).toSorted();

describe('a disk that refuses writes', () => {
  const expected = Array.from({ length: DAYS }, (_, index) => [
    dayAfter(DAY, index).name,
    70_000 + (index + 1) * 96,
  ]);

  test.each([1, 2, 5])(
    '%i in a row, wherever they begin, loses no day, stores none twice and stops no telegram',
    async (count) => {
      const counting = new SimulatedDisk(seededRandom('disk'));
      await liveOn(counting);
      expect(byDay(bench.headEnd.received)).toEqual(expected);
      expect(counting.writes).toBeGreaterThan(20);
      for (let first = 0; first < counting.writes; first += count) {
        bench.headEnd.reset();
        const disk = new SimulatedDisk(seededRandom('disk', first));
        disk.refuses = (write) => write >= first && write < first + count;
        await liveOn(disk);
        expect({ first, received: byDay(bench.headEnd.received) }).toEqual({ first, received: expected });
      }
    },
  );

  test('for two days keeps all of it in memory, says so once, and stores it when it takes writes again', async () => {
    const disk = new SimulatedDisk(seededRandom('disk'));
    const lines: string[] = [];
    const log = createLog({ name: 'test', destination: { write: (line) => void lines.push(line) } });
    const device = bench.openDevice({ files: disk.files(), checkpoint: true, log });
    show(device, 0);
    await nextTurn();
    disk.full = true;
    for (let quarter = 1; quarter <= 192; quarter++) {
      show(device, quarter);
      await nextTurn();
    }
    await expect(device.closeDay()).rejects.toThrow(expect.objectContaining({ code: 'ERR_OUTBOX_WRITE' }));
    expect(lines.filter((line) => line.includes('cannot be kept on the disk'))).toHaveLength(1);
    disk.full = false;
    expect(await device.closeDay()).toBe(2);
    await nextTurn();
    expect(device.outboxStatus().failing).toBe(false);
    await device.wake();
    for (const { meters } of bench.headEnd.received) {
      expect(meters[0]!.flags).toBe(0);
      expect(meters[0]!.profiles[0]!.deltas).toEqual(new Array(96).fill(1));
    }
  });

  test('does not keep a device from starting, whatever an unfinished write left', async () => {
    const disk = new SimulatedDisk(seededRandom('disk'));
    const device = bench.openDevice({ files: disk.files(), checkpoint: true });
    live(device, DAY);
    await nextTurn();
    disk.full = true;
    await device.closeDay().catch(() => {});
    disk.powerCut();
    bench.abandon(device);
    const again = bench.openDevice({ files: disk.files(), checkpoint: true });
    expect(again.restored).toBe('restored');
    disk.full = false;
    await again.closeDay();
    await again.wake();
    expect(bench.headEnd.received).toHaveLength(2);
  });
});

describe('sixty days without network', () => {
  async function sixtyDays(bytesMax: number): Promise<EdgeDevice> {
    const disk = new SimulatedDisk(seededRandom('disk'));
    const limits = { outbox: { bytesMax }, uplink: { window: 8 } };
    let device = bench.openDevice({ files: disk.files(), checkpoint: true, limits });
    for (let index = 0; index < 60; index++) {
      live(device, dayAfter(DAY, index));
      await nextTurn();
      await device.closeDay();
      expect(disk.bytes(`${bench.directory}/outbox`)).toBeLessThanOrEqual(bytesMax);
      if (index % 17 === 5) {
        disk.powerCut();
        bench.abandon(device);
        device = bench.openDevice({ files: disk.files(), checkpoint: true, limits });
      }
    }
    return device;
  }

  const names = Array.from({ length: 60 }, (_, index) => dayAfter(DAY, index).name);
  const daysOf = (tenant: typeof ORES): string[] =>
    bench.headEnd.received.filter((index) => index.tenant === tenant).map(({ day }) => day);

  test('are all delivered, each once and with its profile', async () => {
    const device = await sixtyDays(1024 * 1024);
    expect(device.outboxStatus()).toMatchObject({ pending: 120, thinned: 0, dropped: 0 });
    await device.wake();
    expect([daysOf(ORES), daysOf(FARYS)]).toEqual([names, names]);
    for (const { meters } of bench.headEnd.received) expect(meters[0]!.profiles).toHaveLength(1);
  });

  test('in too small an outbox cost the oldest profiles, said in the reading, and no register', async () => {
    const device = await sixtyDays(150_000);
    const { thinned, dropped, pending } = device.outboxStatus();
    expect([pending, dropped]).toEqual([120, 0]);
    expect(thinned).toBeGreaterThan(20);
    expect(bench.counters.get('edge.outbox.thinned')).toBeGreaterThanOrEqual(thinned);
    await device.wake();
    expect([daysOf(ORES), daysOf(FARYS)]).toEqual([names, names]);
    const thin = bench.headEnd.received.filter(({ meters }) => meters[0]!.profiles.length === 0);
    expect(thin).toHaveLength(thinned);
    for (const { day, meters, sequence } of thin) {
      expect(meters[0]!.flags).toBe(QUALITY.profileGap);
      expect(meters[0]!.registers).toHaveLength(1);
      expect(names[sequence - DAY.ordinal]).toBe(day);
    }
    // The oldest of each: nobody younger has lost its profile.
    const thinDays = thin.map(({ day }) => day).toSorted();
    expect(Math.max(...thinDays.map((day) => names.indexOf(day)))).toBeLessThan(thinned / 2 + 1);
  });
});
