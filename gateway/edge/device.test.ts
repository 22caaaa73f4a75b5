import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { issueDevice } from '../../pki/development/development.ts';
import { QUALITY } from '../../protocol/reading.ts';
import { dayAfter } from './days/calendar.ts';
import { DAY, deviceBench, live, liveDays, SERIAL, WATER_SERIAL } from './testing/device.ts';
import { FARYS, IMPORT_DAY, meter, ORES, register, snapshot, WATER } from './testing/meters.ts';

const bench = deviceBench();
const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe('a day', () => {
  test('becomes one payload per owner, sealed to that owner, with its own meters and the number of its day', async () => {
    const device = bench.openDevice();
    await liveDays(device, 1);
    expect(await device.wake()).toMatchObject({ delivered: 2, connections: 1, failure: null });
    const [own, guest] = bench.headEnd.received;
    expect(own).toMatchObject({
      tenant: ORES,
      device: bench.identity.device,
      day: DAY.name,
      sequence: DAY.ordinal,
    });
    expect(guest).toMatchObject({
      tenant: FARYS,
      device: bench.identity.device,
      day: DAY.name,
      sequence: DAY.ordinal,
    });
    expect(own!.meters.map(({ medium, flags }) => [medium, flags])).toEqual([['electricity', 0]]);
    expect(guest!.meters.map(({ medium, flags }) => [medium, flags])).toEqual([['water', 0]]);
    expect(own!.meters[0]!.profiles[0]!.deltas).toEqual(new Array(96).fill(1));
    expect(device.pending()).toBe(0);
  });

  test('is closed once, however often it is asked for, over a restart', async () => {
    const device = bench.openDevice();
    live(device, DAY);
    expect(await device.closeDay()).toBe(2);
    expect(await device.closeDay()).toBe(0);
    await device.close();
    const again = bench.openDevice();
    live(again, DAY);
    expect(await again.closeDay()).toBe(0);
    expect(again.pending()).toBe(2);
    await again.wake();
    expect(bench.headEnd.received.map(({ sequence }) => sequence)).toEqual([DAY.ordinal, DAY.ordinal]);
  });

  test('that a restart cut is closed after it, late, and none is skipped', async () => {
    const device = bench.openDevice();
    device.observe(snapshot(DAY.start + 40_000, [meter([register(IMPORT_DAY, 7)])]));
    await device.close();
    const again = bench.openDevice();
    const later = dayAfter(DAY, 2);
    again.observe(snapshot(later.start + 40_000, [meter([register(IMPORT_DAY, 9)])]));
    expect(await again.closeDay()).toBe(2);
    await again.wake();
    expect(bench.headEnd.received.map(({ day }) => day)).toEqual([DAY.name, dayAfter(DAY).name]);
    for (const { meters } of bench.headEnd.received)
      expect(meters[0]!.flags).toBe(QUALITY.closedLate | QUALITY.profileGap);
  });

  test('stays open while the outbox is full, and closes when there is room', async () => {
    const device = bench.openDevice({ limits: { outbox: { entriesMax: 1 } } });
    await liveDays(device, 1, { guest: false });
    live(device, dayAfter(DAY), { guest: false });
    await expect(device.closeDay()).rejects.toThrow(code('ERR_OUTBOX_FULL'));
    expect([device.pending(), device.due().length]).toEqual([1, 1]);
    expect(bench.counters.get('edge.unstored.ERR_OUTBOX_FULL')).toBe(1);
    await device.wake();
    expect(await device.closeDay()).toBe(1);
    await device.wake();
    expect(bench.headEnd.received.map(({ day }) => day)).toEqual([DAY.name, dayAfter(DAY).name]);
  });

  test('of an owner that the device was not enrolled for is refused by name, and holds up nobody else', async () => {
    const device = bench.openDevice({
      identity: issueDevice(bench.headEnd.pki, { home: ORES, nowMs: Date.now() }),
    });
    live(device, DAY);
    live(device, dayAfter(DAY));
    await expect(device.closeDay()).rejects.toThrow(code('ERR_EDGE_OWNER'));
    expect(device.due().map(({ owner, day }) => [owner, day.name])).toEqual([
      [FARYS, DAY.name],
      [FARYS, dayAfter(DAY).name],
    ]);
    expect(device.pending()).toBe(2);
  });
});

describe('an owner in trouble', () => {
  test.each(['close', 'silence'] as const)(
    '(%s) does not hold up the reading of the other',
    async (trouble) => {
      const device = bench.openDevice();
      await liveDays(device, 2);
      bench.headEnd.answer = ({ tenant }) => (tenant === ORES ? trouble : { verdict: 'delivered' });
      const result = await device.wake();
      expect(result).toMatchObject({ delivered: 2, failed: 2, connections: 2 });
      expect(device.pending()).toBe(2);
      // The backoff is the troubled owner's; readings of the other go with the next wake.
      live(device, dayAfter(DAY, 2));
      await device.closeDay();
      const sent = bench.headEnd.received.length;
      const again = await device.wake();
      expect(again.delivered).toBe(1);
      expect(bench.headEnd.received.slice(sent).map(({ tenant }) => tenant)).toContain(FARYS);
      bench.headEnd.held = 0;
    },
  );
});

test('a guest whose head-end stands still does not delay the home tenant, although its reading is older', async () => {
  const device = bench.openDevice();
  const water = meter([register(WATER, 5, { unit: 'm3' })], {
    medium: 'water',
    channel: 2,
    serial: WATER_SERIAL,
  });
  const own = meter([register(IMPORT_DAY, 7)]);
  device.observe(snapshot(DAY.start, [water]));
  device.observe(snapshot(dayAfter(DAY).start, [water, own]));
  device.observe(snapshot(dayAfter(DAY, 2).start, [water, own]));
  await device.closeDay();
  expect(device.waiting().map(({ owner }) => owner)).toEqual([FARYS, FARYS, ORES]);
  bench.headEnd.answer = ({ tenant }) => (tenant === FARYS ? 'silence' : { verdict: 'delivered' });
  const result = await device.wake();
  expect(bench.headEnd.received[0]!.tenant).toBe(ORES);
  expect(result).toMatchObject({ delivered: 1, failed: 2, connections: 1 });
  expect(device.waiting().map(({ owner }) => owner)).toEqual([FARYS, FARYS]);
  bench.headEnd.held = 0;
});

describe('the disk', () => {
  test('never holds a serial number, an EAN or a register of a reading, whatever became of it', async () => {
    const device = bench.openDevice();
    await liveDays(device, 2);
    bench.headEnd.answer = ({ tenant }) =>
      tenant === FARYS ? { verdict: 'refused', code: 'schema' } : { verdict: 'later', seconds: 60 };
    await device.wake();
    const value = Buffer.alloc(4);
    value.writeUInt32BE(1_000_000 + DAY.ordinal * 1_000 + 96);
    const files = readdirSync(bench.directory).filter((name) =>
      lstatSync(join(bench.directory, name)).isFile(),
    );
    expect(files).toEqual(['outbox']);
    for (const name of files) {
      const bytes = readFileSync(join(bench.directory, name));
      for (const needle of [SERIAL, '8ITR0000000001', '541448820000000016'])
        for (const form of [
          needle,
          Buffer.from(needle).toString('hex'),
          Buffer.from(needle).toString('base64').slice(0, -2),
        ])
          expect(bytes.includes(form)).toBe(false);
      expect(bytes.includes(value)).toBe(false);
    }
  });
});
