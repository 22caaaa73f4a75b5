import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeHeadEnd } from '../gateway/edge/testing/head-end.ts';
import { manualClock } from '../gateway/runtime/clock.ts';
import { parseConfig } from '../gateway/runtime/config.ts';
import { Counters } from '../gateway/runtime/counters.ts';
import { silentLog } from '../gateway/runtime/log.ts';
import { seededRandom } from '../gateway/runtime/random.ts';
import { CONSORTIUM } from '../protocol/tenants.ts';
import { type FleetConfig, fleetConfig } from './config.ts';
import { planFleet } from './fleet.ts';
import { enrolmentsOf } from './input.ts';
import { eanNumber, serialNumber } from './numbers.ts';
import { provisionFleet } from './provision.ts';
import { type RunningFleet, startFleet } from './start.ts';

/** Telegrams that others published, beside the checkout where there are any. */
const PUBLIC_TELEGRAMS = resolve(import.meta.dirname, '../../shared/telegrams');
const tenants = CONSORTIUM.map(({ id }) => ({ id }));
let home: string;
let data: string;
let headEnd: FakeHeadEnd;
let counters: Counters;
let running: RunningFleet | undefined;

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'hes-fleet-'));
  headEnd = await FakeHeadEnd.start(
    join(home, 'pki'),
    CONSORTIUM.map(({ id }) => id),
  );
  const { devices } = planFleet({ seed: 7, meters: 14, tenants: CONSORTIUM });
  await provisionFleet({ devices, data: join(home, 'enrolled'), pki: headEnd.pki, nowMs: Date.now() });
});
afterAll(async () => {
  await headEnd.stop();
  rmSync(home, { recursive: true });
});
beforeEach(() => {
  data = newData();
  counters = new Counters();
  headEnd.received.length = 0;
  headEnd.answer = () => ({ verdict: 'delivered' });
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

/** A data folder with the devices of the fleet enrolled, and nothing in their outboxes. */
function newData(): string {
  const folder = mkdtempSync(join(home, 'data-'));
  cpSync(join(home, 'enrolled'), folder, { recursive: true });
  return folder;
}

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 1_500) throw new Error('it never came');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

type Input = Parameters<typeof fleetConfig.parse>[0];

function configOf(extra: Record<string, unknown> = {}): FleetConfig {
  const value = {
    data,
    front: { host: '127.0.0.1', port: headEnd.port },
    source: { kind: 'emulated', seed: 7, meters: 14, tenants },
    run: { kind: 'once', from: '2026-03-28', days: 2, deadlineMs: 15_000 },
    limits: { retryBaseMs: 10, retryMaxMs: 50 },
    ...extra,
  };
  return parseConfig(fleetConfig, value as Input);
}

async function start(config: FleetConfig): Promise<RunningFleet> {
  const clock = manualClock(Date.parse('2026-06-01T12:00:00Z'));
  running = await startFleet({ config, log: silentLog, counters, clock, random: seededRandom(7, 'start') });
  return running;
}

async function startRecorded(path: string): Promise<RunningFleet> {
  const config = configOf({ source: { kind: 'telegrams', path, tenant: 'ores' } });
  const devices = await enrolmentsOf(config.source);
  await provisionFleet({ devices, data, pki: headEnd.pki, nowMs: Date.now() });
  return start(config);
}

describe('the configuration of a fleet', () => {
  it.each([
    [{ unknown: 1 }, 'unknown'],
    [{ source: { kind: 'emulated', meters: 0, tenants } }, 'source.meters'],
    [
      { source: { kind: 'emulated', meters: 5, tenants, slice: { index: 2, of: 2 } } },
      'source.slice.index and source.slice.of',
    ],
    [{ limits: { retryBaseMs: 10, retryMaxMs: 5 } }, 'limits.retryBaseMs and limits.retryMaxMs'],
    [{ run: { kind: 'once', from: 'soon' } }, 'run.from'],
  ])('refuses %j and names the key', (extra, named) => {
    expect(() => configOf(extra)).toThrow(
      expect.objectContaining({ code: 'ERR_CONFIG', message: expect.stringContaining(named) }),
    );
  });
});

describe('a fleet', () => {
  it('ends with the device that is not enrolled, before it sends anything of it', async () => {
    data = mkdtempSync(join(home, 'data-'));
    const fleet = await start(configOf());
    await expect(fleet.done).rejects.toMatchObject({ code: 'ERR_FLEET_IDENTITY' });
    expect(headEnd.received).toEqual([]);
  });

  it('delivers every index of two days, guests to their own owners, one of the days with 23 hours', async () => {
    const fleet = await start(configOf());
    const report = await fleet.done;
    expect(report).toMatchObject({ lost: 0, complete: true, unusable: [] });
    for (const { id } of tenants)
      expect(report.tenants[id]).toEqual({ meters: 2, expected: 4, delivered: 4, duplicates: 0, refused: 0 });
    expect(headEnd.received).toHaveLength(28);
    const guest = headEnd.received.find(({ tenant, meters }) => tenant === 'pidpa' && meters[0]!.channel > 0);
    expect(guest?.meters).toHaveLength(1);
    for (const { day, meters, clock } of headEnd.received) {
      expect(clock).toBe('synchronised');
      for (const { flags, profiles } of meters) {
        expect(flags).toBe(0);
        for (const { deltas } of profiles) {
          expect(deltas).toHaveLength(day === '2026-03-29' ? 92 : 96);
          expect(deltas.every((delta) => delta !== null)).toBe(true);
        }
      }
    }
  });

  it('sends the same registers in a second run of its own', async () => {
    const registers = () =>
      headEnd.received
        .map(({ device, tenant, day, meters }) => [device, tenant, day, meters])
        .toSorted((one, other) => (String(one) < String(other) ? -1 : 1));
    await (await start(configOf())).done;
    const first = registers();
    headEnd.received.length = 0;
    data = newData();
    await (await start(configOf())).done;
    expect(registers()).toEqual(first);
  });

  it('takes the quarter-hours from the load profile when it reads the closing telegram only', async () => {
    const profiles = () =>
      new Map(
        headEnd.received.map(({ device, tenant, day, meters }) => [
          `${device} ${tenant} ${day}`,
          meters.map((meter) => [meter.registers, meter.profiles]),
        ]),
      );
    await (await start(configOf())).done;
    const read = profiles();
    headEnd.received.length = 0;
    data = newData();
    await (
      await start(configOf({ source: { kind: 'emulated', seed: 7, meters: 14, tenants, sampling: 'close' } }))
    ).done;
    expect(profiles()).toEqual(read);
  });

  it('is complete only where nothing was refused', async () => {
    headEnd.answer = ({ tenant }) =>
      tenant === 'farys' ? { verdict: 'refused', code: 'schema' } : { verdict: 'duplicate' };
    const report = await (await start(configOf())).done;
    expect(report).toMatchObject({ lost: 0, complete: false });
    expect(report.tenants['farys']).toMatchObject({ delivered: 0, refused: 4 });
    expect(report.tenants['ores']).toMatchObject({ delivered: 4, duplicates: 4 });
  });

  it('says what it could not deliver when it is stopped, and carries on in the next run', async () => {
    headEnd.answer = ({ tenant }) => (tenant === 'resa' ? 'close' : { verdict: 'delivered' });
    const fleet = await start(configOf());
    await until(() => counters.get('fleet.outstanding') === 4 && counters.get('fleet.closed') === 28);
    await fleet.stop();
    const report = await fleet.done;
    expect(report).toMatchObject({ lost: 4, complete: false });
    expect(report.tenants['resa']).toMatchObject({ expected: 4, delivered: 0 });
    headEnd.answer = () => ({ verdict: 'delivered' });
    const again = await (await start(configOf())).done;
    expect(again).toMatchObject({ lost: 0, complete: true });
    expect(again.tenants['ores']).toMatchObject({ expected: 4, delivered: 4 });
  });

  it('shares its devices with another process by slices', async () => {
    const part = (index: number) =>
      configOf({ source: { kind: 'emulated', seed: 7, meters: 14, tenants, slice: { index, of: 2 } } });
    const first = await (await start(part(0))).done;
    const second = await (await start(part(1))).done;
    const sum = (id: string) => first.tenants[id]!.delivered + second.tenants[id]!.delivered;
    expect(tenants.map(({ id }) => sum(id))).toEqual([4, 4, 4, 4, 4, 4, 4]);
    expect(
      new Set(headEnd.received.map(({ device, tenant, day }) => `${device} ${tenant} ${day}`)).size,
    ).toBe(28);
  });

  it('writes no serial number and no EAN to the disk', async () => {
    headEnd.answer = () => 'close';
    await (await start(configOf({ run: { kind: 'once', from: '2026-03-28', days: 1, deadlineMs: 300 } })))
      .done;
    const files = readdirSync(data, { recursive: true, encoding: 'utf8' })
      .map((name) => join(data, name))
      .filter((file) => statSync(file).isFile())
      .map((file) => readFileSync(file, 'latin1'));
    expect(files.length).toBeGreaterThan(20);
    const meters = planFleet({ seed: 7, meters: 14, tenants: CONSORTIUM }).devices.flatMap(
      (device) => device.meters,
    );
    for (const { medium, owner, ordinal } of meters)
      for (const secret of [serialNumber(medium, ordinal, 7), eanNumber(owner, ordinal, 7)])
        expect(
          files.some((text) => text.includes(secret) || text.includes(Buffer.from(secret).toString('hex'))),
        ).toBe(false);
  });

  it('lives with the clock: closes at midnight, sends after it', async () => {
    const config = configOf({
      run: { kind: 'continuous' },
      clock: {
        kind: 'simulated',
        originMs: Date.parse('2026-03-28T21:00:00Z'),
        startedAtMs: Date.now(),
        speed: 86_400,
      },
    });
    running = await startFleet({ config, log: silentLog, counters });
    await until(() => tenants.every(({ id }) => counters.get(`fleet.delivered.${id}`) >= 4));
    await running.stop();
    const days = new Set(headEnd.received.map(({ day }) => day));
    expect([...days].toSorted().slice(0, 2)).toEqual(['2026-03-28', '2026-03-29']);
    const report = await running.done;
    expect(report.tenants['ores']!.delivered).toBeGreaterThanOrEqual(4);
  });
});

describe('recorded telegrams', () => {
  it('count a file without a valid telegram as refused input, skip what is none, and send the others', async () => {
    const folder = mkdtempSync(join(home, 'telegrams-'));
    writeFileSync(join(folder, 'README.md'), 'no telegram\n');
    writeFileSync(join(folder, 'noise.txt'), '/ISK5\\2ME382-1003\r\n\r\n1-0:1.8.1(0000');
    writeFileSync(
      join(folder, 'meter.txt'),
      '/ISK5\\2ME382-1003\r\n\r\n0-0:96.1.1(4B414C37303035303739393336333132)\r\n1-0:1.8.1(00001.001*kWh)\r\n!\r\n',
    );
    const report = await (await startRecorded(folder)).done;
    expect(report).toMatchObject({ lost: 0, complete: false, unusable: ['noise.txt'] });
    expect(report.tenants).toEqual({
      ores: { meters: 1, expected: 1, delivered: 1, duplicates: 0, refused: 1 },
    });
    expect(counters.get('fleet.refused.ores')).toBe(1);
    expect(headEnd.received[0]!.meters[0]!.registers[0]).toMatchObject({
      obis: '1-0:1.8.1',
      value: 1_001,
      scaler: 0,
    });
  });

  it.skipIf(!existsSync(PUBLIC_TELEGRAMS))('of public projects arrive as printed', async () => {
    const report = await (await startRecorded(PUBLIC_TELEGRAMS)).done;
    expect(report.lost).toBe(0);
    const values = headEnd.received.flatMap(({ meters }) =>
      meters.flatMap(({ registers }) => registers.map(({ value }) => value)),
    );
    for (const printed of [
      34, 15_758, 112_384, 872_234, 1_581_123, 1_435_706, 981_443, 4_426, 107, 25_653, 39_837_604,
    ])
      expect(values).toContain(printed);
  });
});
