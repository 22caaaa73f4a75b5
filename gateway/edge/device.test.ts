import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DeviceIdentity, issueDevice } from '../../pki/development.ts';
import { QUALITY } from '../../protocol/reading.ts';
import { manualClock } from '../runtime/clock.ts';
import { Counters } from '../runtime/counters.ts';
import { seededRandom } from '../runtime/random.ts';
import { dayAfter, dayNamed, type LocalDay, QUARTER_SECONDS } from './calendar.ts';
import type { OwnerMap } from './day.ts';
import { EdgeDevice, type EdgeDeviceOptions } from './device.ts';
import { FakeHeadEnd } from './testing/head-end.ts';
import { captured, FARYS, IMPORT_DAY, meter, ORES, register, snapshot, WATER } from './testing/meters.ts';

const DAY = dayNamed('2026-05-12');
const SERIAL = '1SAG1100000292';
const byMedium: OwnerMap = ({ medium }) => (medium === 'water' ? FARYS : ORES);
const clock = manualClock(Date.now());

let home: string;
let headEnd: FakeHeadEnd;
let identity: DeviceIdentity;
let directory: string;
let counters: Counters;
const open: EdgeDevice[] = [];

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hes-edge-'));
  headEnd = await FakeHeadEnd.start(join(home, 'pki'), [ORES, FARYS]);
  identity = issueDevice(headEnd.pki, { home: ORES, guests: [FARYS], nowMs: Date.now() });
});

afterAll(async () => {
  await headEnd.stop();
  rmSync(home, { recursive: true });
});

beforeEach(() => {
  directory = mkdtempSync(join(home, 'device-'));
  headEnd.received.length = 0;
  headEnd.handshakes.length = 0;
  headEnd.heldMax = 0;
  headEnd.answer = () => ({ verdict: 'delivered' });
  counters = new Counters();
});

afterEach(async () => {
  for (const device of open.splice(0)) await device.close();
});

function openDevice(extra: Partial<EdgeDeviceOptions> = {}): EdgeDevice {
  const device = EdgeDevice.open({
    directory,
    identity,
    owners: byMedium,
    headEnd: { host: '127.0.0.1', port: headEnd.port },
    clock,
    random: seededRandom(3, 'edge'),
    counters,
    development: true,
    ...extra,
    limits: {
      uplink: { receiptGraceMs: 100, answerTimeoutMs: 400, connectTimeoutMs: 2_000 },
      ...extra.limits,
    },
  });
  open.push(device);
  return device;
}

const water = (time: number, litres: number) =>
  meter([captured(WATER, litres, time)], { medium: 'water', channel: 2, serial: '8ITR0000000001' });

/** A day of quarter-hours, for the home tenant and for the guest unless told otherwise. */
function live(device: EdgeDevice, day: LocalDay, { guest = true } = {}): void {
  for (let quarter = 0; quarter <= day.quarters; quarter++) {
    const time = day.start + quarter * QUARTER_SECONDS;
    const own = meter([register(IMPORT_DAY, 1_000_000 + day.ordinal * 1_000 + quarter)], { serial: SERIAL });
    device.observe(snapshot(time, guest ? [own, water(time, day.ordinal * 100 + quarter)] : [own]));
  }
}

async function liveDays(device: EdgeDevice, count: number, options = {}): Promise<void> {
  let day = DAY;
  for (let index = 0; index < count; index++) {
    live(device, day, options);
    await device.closeDay();
    day = dayAfter(day);
  }
}

const code = (wanted: string) => expect.objectContaining({ code: wanted });

describe('a device keeps its reading', () => {
  test.each([
    ['is closed without an answer', 'close', 'ERR_UPLINK_CLOSED', 0],
    ['does not answer in time', 'silence', 'ERR_UPLINK_TIMEOUT', 0],
    ['is acknowledged without a receipt', 'puback-only', 'ERR_UPLINK_RECEIPT', 0],
    [
      'gets a receipt with an altered byte',
      {
        raw: (bytes: Uint8Array) => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1),
        verdict: { verdict: 'delivered' },
      },
      'ERR_UPLINK_RECEIPT',
      1,
    ],
    [
      'gets rubbish for a receipt',
      { raw: () => new Uint8Array(200).fill(0x9f), verdict: { verdict: 'delivered' } },
      'ERR_UPLINK_RECEIPT',
      1,
    ],
  ] as const)('when it %s', async (_name, answer, failure, ignored) => {
    const device = openDevice();
    await liveDays(device, 1, { guest: false });
    headEnd.answer = () => answer;
    const result = await device.wake();
    expect(result).toMatchObject({ delivered: 0, failed: 1, receiptsIgnored: ignored });
    expect(result.failure).toEqual(code(failure));
    expect(device.pending()).toBe(1);
    expect(device.nextWakeMs()).not.toBeNull();
    headEnd.held = 0;
  });

  test('when the receipt is for another reading of its own', async () => {
    const device = openDevice();
    await liveDays(device, 2, { guest: false });
    const receipts: Uint8Array[] = [];
    headEnd.answer = () => ({
      verdict: { verdict: 'delivered' },
      raw: (bytes) => {
        receipts.push(bytes);
        return receipts[0]!;
      },
    });
    const result = await device.wake();
    expect(result).toMatchObject({ delivered: 1, failed: 1, receiptsIgnored: 1 });
    expect(device.pending()).toBe(1);
  });

  test('when there is no head-end, or one that the root did not certify', async () => {
    const nobody = openDevice({ headEnd: { host: '127.0.0.1', port: 1 } });
    await liveDays(nobody, 1, { guest: false });
    expect(await nobody.wake()).toMatchObject({
      failed: 1,
      failure: code('ERR_UPLINK_CONNECT'),
      connections: 0,
    });
    expect(nobody.pending()).toBe(1);
    await nobody.close();
    const other = await FakeHeadEnd.start(join(mkdtempSync(join(home, 'other-')), 'pki'), [ORES]);
    const stranger = openDevice({ headEnd: { host: '127.0.0.1', port: other.port } });
    const result = await stranger.wake();
    expect(result.failure).toEqual(code('ERR_UPLINK_CONNECT'));
    expect(other.received).toEqual([]);
    await other.stop();
  });

  test('when the wake is ended from outside, at once', async () => {
    const device = openDevice({ limits: { uplink: { answerTimeoutMs: 60_000 } } });
    await liveDays(device, 1, { guest: false });
    headEnd.answer = () => 'silence';
    const abort = new AbortController();
    const waking = device.wake(abort.signal);
    while (headEnd.received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    expect(await waking).toMatchObject({ failed: 1, failure: code('ERR_UPLINK_ABORTED') });
    expect(device.pending()).toBe(1);
    // Nobody was at fault: the owner is not made to wait.
    headEnd.answer = () => ({ verdict: 'duplicate' });
    headEnd.held = 0;
    expect(await device.wake()).toMatchObject({ duplicates: 1, failure: null });
  });

  test('when it is told to come back later, and then comes back no earlier', async () => {
    const device = openDevice();
    await liveDays(device, 3, { guest: false });
    headEnd.answer = () => ({ verdict: 'later', seconds: 300 });
    const before = clock.nowMs();
    expect(await device.wake()).toMatchObject({ delivered: 0, later: 3, failed: 0, failure: null });
    const next = device.nextWakeMs()!;
    expect(next).toBeGreaterThanOrEqual(before + 300_000);
    expect(next).toBeLessThanOrEqual(before + 450_000);
    const sent = headEnd.received.length;
    expect(await device.wake()).toMatchObject({ connections: 0, later: 0 });
    expect(headEnd.received).toHaveLength(sent);
    headEnd.answer = () => ({ verdict: 'delivered' });
    clock.set(next);
    expect(await device.wake()).toMatchObject({ delivered: 3 });
    expect(device.nextWakeMs()).toBeNull();
  });

  test('parked when its owner refuses it: not sent again, the next ones are', async () => {
    const device = openDevice();
    await liveDays(device, 3, { guest: false });
    headEnd.answer = ({ day }) =>
      day === DAY.name ? { verdict: 'refused', code: 'schema' } : { verdict: 'delivered' };
    expect(await device.wake()).toMatchObject({ delivered: 2, refused: 1 });
    expect([device.pending(), device.parked(), device.nextWakeMs()]).toEqual([0, 1, null]);
    expect(await device.wake()).toMatchObject({ connections: 0 });
    expect(counters.get('edge.refused')).toBe(1);
  });
});

describe('an owner in trouble', () => {
  test.each(['close', 'silence'] as const)(
    '(%s) does not hold up the reading of the other',
    async (trouble) => {
      const device = openDevice();
      await liveDays(device, 2);
      headEnd.answer = ({ tenant }) => (tenant === ORES ? trouble : { verdict: 'delivered' });
      const result = await device.wake();
      expect(result).toMatchObject({ delivered: 2, failed: 2, connections: 2 });
      expect(device.pending()).toBe(2);
      // The backoff is the troubled owner's; readings of the other go with the next wake.
      live(device, dayAfter(DAY, 2));
      await device.closeDay();
      const sent = headEnd.received.length;
      const again = await device.wake();
      expect(again.delivered).toBe(1);
      expect(headEnd.received.slice(sent).map(({ tenant }) => tenant)).toContain(FARYS);
      headEnd.held = 0;
    },
  );
});

describe('a day', () => {
  test('becomes one payload per owner, sealed to that owner, with its own meters and the number of its day', async () => {
    const device = openDevice();
    await liveDays(device, 1);
    expect(await device.wake()).toMatchObject({ delivered: 2, connections: 1, failure: null });
    const [own, guest] = headEnd.received;
    expect(own).toMatchObject({
      tenant: ORES,
      device: identity.device,
      day: DAY.name,
      sequence: DAY.ordinal,
    });
    expect(guest).toMatchObject({
      tenant: FARYS,
      device: identity.device,
      day: DAY.name,
      sequence: DAY.ordinal,
    });
    expect(own!.meters.map(({ medium, flags }) => [medium, flags])).toEqual([['electricity', 0]]);
    expect(guest!.meters.map(({ medium, flags }) => [medium, flags])).toEqual([['water', 0]]);
    expect(own!.meters[0]!.profiles[0]!.deltas).toEqual(new Array(96).fill(1));
    expect(device.pending()).toBe(0);
  });

  test('is closed once, however often it is asked for, over a restart', async () => {
    const device = openDevice();
    live(device, DAY);
    expect(await device.closeDay()).toBe(2);
    expect(await device.closeDay()).toBe(0);
    await device.close();
    const again = openDevice();
    live(again, DAY);
    expect(await again.closeDay()).toBe(0);
    expect(again.pending()).toBe(2);
    await again.wake();
    expect(headEnd.received.map(({ sequence }) => sequence)).toEqual([DAY.ordinal, DAY.ordinal]);
  });

  test('that a restart cut is closed after it, late, and none is skipped', async () => {
    const device = openDevice();
    device.observe(snapshot(DAY.start + 40_000, [meter([register(IMPORT_DAY, 7)])]));
    await device.close();
    const again = openDevice();
    const later = dayAfter(DAY, 2);
    again.observe(snapshot(later.start + 40_000, [meter([register(IMPORT_DAY, 9)])]));
    expect(await again.closeDay()).toBe(2);
    await again.wake();
    expect(headEnd.received.map(({ day }) => day)).toEqual([DAY.name, dayAfter(DAY).name]);
    for (const { meters } of headEnd.received)
      expect(meters[0]!.flags).toBe(QUALITY.closedLate | QUALITY.profileGap);
  });

  test('stays open while the outbox is full, and closes when there is room', async () => {
    const device = openDevice({ limits: { outbox: { entriesMax: 1 } } });
    await liveDays(device, 1, { guest: false });
    live(device, dayAfter(DAY), { guest: false });
    await expect(device.closeDay()).rejects.toThrow(code('ERR_OUTBOX_FULL'));
    expect([device.pending(), device.due().length]).toEqual([1, 1]);
    expect(counters.get('edge.unstored.ERR_OUTBOX_FULL')).toBe(1);
    await device.wake();
    expect(await device.closeDay()).toBe(1);
    await device.wake();
    expect(headEnd.received.map(({ day }) => day)).toEqual([DAY.name, dayAfter(DAY).name]);
  });

  test('of an owner that the device was not enrolled for is refused by name, and holds up nobody else', async () => {
    const device = openDevice({ identity: issueDevice(headEnd.pki, { home: ORES, nowMs: Date.now() }) });
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

describe('the way', () => {
  test('is oldest first, a few at once, and a backlog goes in one connection', async () => {
    const device = openDevice({ limits: { uplink: { window: 3 } } });
    await liveDays(device, 20, { guest: false });
    expect(await device.wake()).toMatchObject({ delivered: 20, connections: 1 });
    expect(headEnd.received.map(({ day }) => day)).toEqual(
      Array.from({ length: 20 }, (_, index) => dayAfter(DAY, index).name),
    );
    expect(headEnd.heldMax).toBe(3);
    expect(headEnd.connected).toBe(0);
  });

  test('resumes its TLS session from one wake to the next, and not from a process before', async () => {
    const device = openDevice();
    await liveDays(device, 1, { guest: false });
    expect((await device.wake()).resumed).toBe(0);
    live(device, dayAfter(DAY), { guest: false });
    await device.closeDay();
    expect((await device.wake()).resumed).toBe(1);
    expect(headEnd.handshakes).toEqual([{ resumed: false }, { resumed: true }]);
    await device.close();
    const again = openDevice();
    live(again, dayAfter(DAY, 2), { guest: false });
    await again.closeDay();
    expect((await again.wake()).resumed).toBe(0);
  });

  test('is spread over the jitter window after midnight, by the seed', async () => {
    const wakes: number[] = [];
    for (let seed = 0; seed < 40; seed++) {
      directory = mkdtempSync(join(home, 'jitter-'));
      const device = openDevice({
        random: seededRandom(seed, 'jitter'),
        limits: { schedule: { jitterMs: 3_600_000 } },
      });
      expect(device.nextWakeMs()).toBeNull();
      live(device, DAY, { guest: false });
      await device.closeDay();
      wakes.push(device.nextWakeMs()! - clock.nowMs());
    }
    expect(Math.min(...wakes)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...wakes)).toBeLessThan(3_600_000);
    const quarters = new Set(wakes.map((ms) => Math.floor(ms / 900_000)));
    expect(quarters.size).toBe(4);
  });

  test('backs off with jitter, up to its bound, while nobody answers', async () => {
    const schedule = { backoffBaseMs: 1_000, backoffMaxMs: 8_000 };
    const device = openDevice({ headEnd: { host: '127.0.0.1', port: 1 }, limits: { schedule } });
    await liveDays(device, 1, { guest: false });
    const delays: number[] = [];
    for (let attempt = 0; attempt < 12; attempt++) {
      await device.wake();
      delays.push(device.nextWakeMs()! - clock.nowMs());
      clock.set(device.nextWakeMs()!);
    }
    delays.forEach((delay, attempt) => {
      expect(delay).toBeLessThanOrEqual(Math.min(8_000, 1_000 * 2 ** attempt));
    });
    expect(Math.max(...delays)).toBeGreaterThan(2_000);
  });
});

describe('the disk', () => {
  test('never holds a serial number, an EAN or a register of a reading, whatever became of it', async () => {
    const device = openDevice();
    await liveDays(device, 2);
    headEnd.answer = ({ tenant }) =>
      tenant === FARYS ? { verdict: 'refused', code: 'schema' } : { verdict: 'later', seconds: 60 };
    await device.wake();
    const value = Buffer.alloc(4);
    value.writeUInt32BE(1_000_000 + DAY.ordinal * 1_000 + 96);
    const files = readdirSync(directory).filter((name) => lstatSync(join(directory, name)).isFile());
    expect(files).toEqual(['outbox']);
    for (const name of files) {
      const bytes = readFileSync(join(directory, name));
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
