import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { dayNamed } from '../../gateway/edge/days/calendar.ts';
import { profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import type { EdgeStatus } from '../../gateway/edge/service/status.ts';
import { simulatedClock } from '../../gateway/runtime/clock.ts';
import { Household } from '../../meter-emulator/meter/household.ts';
import { EmulatedPhysicalMeter } from '../../meter-emulator/meter/meter.ts';
import { householdShown, openBench } from '../../meter-emulator/modbus/testing/bench.ts';
import { encodeTelegram } from '../../meter-emulator/p1/encode.ts';
import type { DeviceIdentity } from '../../pki/trust.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { Hes, runHes } from '../support/chaos-hes.ts';
import { Field } from '../support/field.ts';
import { type HeadEnd, startHeadEnd } from '../support/head-end.ts';
import { until } from '../support/processes.ts';
import type { AcceptedRecord } from '../support/records.ts';
import { hasCommand } from '../support/tools.ts';

/** A third of a minute for each second: a midnight passes while one watches, and telegrams are closer than a minute. */
const SPEED = 20;
/** Of these days one has 23 hours. */
const DAY = dayNamed('2026-03-28');
/** Half a minute of ours, for a machine that takes its time to start a process. */
const BEFORE_MIDNIGHT_MS = 600_000;
const SEED = 11;
const socat = hasCommand('socat');

/** Impatient where a field device is patient. */
const QUICK = {
  schedule: { closeAfterSeconds: 30, jitterMs: 0, backoffBaseMs: 200, backoffMaxMs: 1_000 },
  timing: { connectMs: 2_000, backoff: { baseMs: 50, maxMs: 500, minMs: 20 } },
};

const household = new Household(SEED);
const { home, guests } = household.plan;
const tenants = [home, ...guests];
let field: Field;
let headEnd: HeadEnd;
const running: { stop(): Promise<void> | void }[] = [];
const clock = () => ({
  kind: 'simulated' as const,
  originMs: DAY.end * 1_000 - BEFORE_MIDNIGHT_MS,
  startedAtMs: Date.now(),
  speed: SPEED,
});

beforeAll(async () => {
  field = new Field(tenants);
  headEnd = await startHeadEnd(field, { clock: { ...clock(), originMs: (DAY.end + 3_600) * 1_000 } });
});
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one.stop();
});
afterAll(async () => {
  await headEnd?.stop();
  field?.remove();
});

let places = 0;

/** A folder with an edge.yaml, and what runs and asks with it. */
class Place {
  readonly folder: string;
  readonly config: string;

  constructor() {
    places += 1;
    this.folder = join(field.directory, `edge-${places}`);
    this.config = join(this.folder, 'edge.yaml');
    mkdirSync(this.folder);
  }

  enrol(identityHome: TenantId = home, with_: readonly TenantId[] = []): DeviceIdentity {
    const identity = field.device(identityHome, with_);
    const file = join(this.folder, `${identity.device}.json`);
    writeFileSync(file, JSON.stringify(identity), { mode: 0o600 });
    return identity;
  }

  write(devices: readonly object[], changes: object = {}): void {
    const headEndAddress = { host: '127.0.0.1', port: headEnd.port, servername: 'localhost' };
    writeFileSync(
      this.config,
      JSON.stringify({
        data: 'data',
        development: true,
        headEnd: headEndAddress,
        ...QUICK,
        devices,
        ...changes,
      }),
    );
  }

  run(): Hes {
    const hes = new Hes(['edge', 'run', '--config', this.config]);
    running.push({
      stop: async () => {
        hes.kill('SIGKILL', 'group');
        await hes.end();
      },
    });
    return hes;
  }

  async status(): Promise<EdgeStatus> {
    const { stdout, stderr } = await runHes(['edge', 'status', '--config', this.config, '--json']);
    expect(stderr).toBe('');
    return JSON.parse(stdout) as EdgeStatus;
  }

  get socket(): string {
    return join(this.folder, 'data', 'edge.sock');
  }

  /** Straight from the socket: as often as one likes. */
  ask(): Promise<EdgeStatus> {
    return new Promise((resolve, reject) => {
      let text = '';
      connect(this.socket)
        .setEncoding('utf8')
        .on('data', (block: string) => {
          text += block;
        })
        .on('error', reject)
        .on('end', () => resolve(JSON.parse(text) as EdgeStatus));
    });
  }

  files(): string[] {
    return readdirSync(join(this.folder, 'data'), { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map(({ name }) => name);
  }
}

const source = (identity: DeviceIdentity, sources: readonly object[], owners: readonly object[] = []) => ({
  identity: `${identity.device}.json`,
  owners,
  sources,
});

interface Shown {
  readonly Header: { readonly Day: string };
  readonly Payload: {
    readonly MeterReadings: {
      readonly MeterReading: readonly {
        readonly Readings: readonly {
          readonly value: string;
          readonly ReadingType: { readonly obis: string };
        }[];
      }[];
    };
  };
}

/** The quality of a reading that is not of the day (gateway/router/record/quality.ts). */
const STALE = '1.4.129';

/** The values of a record by OBIS code, as written. */
function shownBy({ text }: AcceptedRecord) {
  const { record } = JSON.parse(text) as { record: Shown };
  const meters = record.Payload.MeterReadings.MeterReading;
  const readings = meters.flatMap((meter) => meter.Readings);
  return {
    day: record.Header.Day,
    meters: meters.length,
    values: Object.fromEntries(
      readings.map(({ value, ReadingType }) => [ReadingType.obis, Number(value)]),
    ) as Record<string, number>,
  };
}

/** As a meter prints whole watt-hours. */
const kWh = (wattHours: number) => Number((wattHours / 1_000).toFixed(3));

const REGISTERS = ['1-0:1.8.1', '1-0:1.8.2', '1-0:2.8.1', '1-0:2.8.2'];

/** What the meter showed at a second. */
function registersAt(second: number): number[] {
  const { importWh, exportWh } = household.stateAt(second * 1_000);
  return [...importWh, ...exportWh].map(kWh);
}

const recordsOf = (tenant: TenantId, { device }: DeviceIdentity) =>
  headEnd.records(tenant).filter(({ header }) => header.Device === device);

describe('hes edge run', () => {
  it.skipIf(!socat)(
    'carries a midnight of a P1 port and of a Modbus meter to their owners, exactly (needs socat)',
    async () => {
      const place = new Place();
      const main = place.enrol(home, guests);
      const pump = place.enrol(home);
      const both = place.enrol(home, guests);
      const profile = profileNamed('sdm630');
      const bench = await openBench(profile);
      running.push(bench);
      const simulated = clock();
      const path = join(place.folder, 'ttyP1');
      const meter = await EmulatedPhysicalMeter.start({
        seed: SEED,
        clock: simulatedClock(simulated),
        ports: [{ pty: { path } }, { tcp: { port: 0 } }],
        // A third of a minute goes by in each second: the line must not take its tenth of one.
        bytesPerSecond: Number.POSITIVE_INFINITY,
      });
      running.push(meter);
      const bridge = meter.endpoints.find(({ kind }) => kind === 'tcp') as { host: string; port: number };
      const owners = household.plan.meters
        .filter(({ owner }) => owner !== home)
        .map(({ channel, owner }) => ({ channel, tenant: owner }));
      const line = (host: string) => ({ endpoint: { tcp: { host, port: bench.port } }, everySeconds: 1 });
      place.write(
        [
          source(main, [{ p1: { name: 'cupboard', serial: { path: 'ttyP1', mode: 'auto' } } }], owners),
          source(pump, [{ modbus: { ...line('127.0.0.1'), meters: [{ profile: 'sdm630', unit: 1 }] } }]),
          source(
            both,
            [
              { p1: { name: 'bridge', tcp: { host: bridge.host, port: bridge.port } } },
              { modbus: { ...line('localhost'), meters: [{ profile: 'sdm630', unit: 1, channel: 4 }] } },
            ],
            owners,
          ),
        ],
        { clock: simulated },
      );
      const edge = place.run();
      const arrived = () =>
        tenants.every((tenant) => recordsOf(tenant, main).length > 0) &&
        [pump, both].every((device) => recordsOf(home, device).length > 0);
      await until(`the records: ${edge.stderr}`, arrived, 120_000);

      const midnight = household.stateAt(DAY.end * 1_000);
      const [day] = recordsOf(home, main).map(shownBy);
      expect(day!.day).toBe(DAY.name);
      const { values } = day!;
      // All of one moment, which is midnight by as much as a busy machine takes to bring a telegram.
      const moments = Array.from({ length: 121 }, (_, second) => DAY.end - 60 + second);
      expect(moments.map(registersAt)).toContainEqual(REGISTERS.map((obis) => values[obis]));
      for (const { owner } of household.plan.meters) expect(recordsOf(owner, main), owner).toHaveLength(1);
      const [heat] = recordsOf(home, pump).map(shownBy);
      const registers = householdShown(profile).quantities.filter(({ obis }) => /\.8\.\d$/.test(obis));
      expect(registers.length).toBeGreaterThan(0);
      expect(heat).toMatchObject({ day: DAY.name });
      for (const { obis, value, scaler } of registers)
        if (heat!.values[obis] !== undefined)
          expect(heat!.values[obis], obis).toBe(kWh(value * 10 ** scaler));

      // Two sources of one device: one index, in which neither counts as gone.
      expect(recordsOf(home, both)).toHaveLength(1);
      const [joint] = recordsOf(home, both);
      const own = household.plan.meters.filter(({ owner }) => owner === home);
      expect(shownBy(joint!).meters).toBe(own.length + 1);
      expect(joint!.text).not.toContain(STALE);

      const { running: runs, devices } = await place.status();
      expect(runs).toBe(true);
      expect(devices[0]).toMatchObject({
        device: main.device,
        trouble: null,
        sources: [{ name: 'cupboard', kind: 'p1', state: 'receiving', mode: '115200 8N1' }],
        lastReceipt: { verdict: 'delivered', day: DAY.name },
        lastClosedDay: { [home]: DAY.name },
        outbox: { pending: 0, parked: 0 },
        // For commands it wakes once a day also where nothing waits.
        nextWakeMs: expect.any(Number),
      });
      expect(devices[1]).toMatchObject({
        sources: [{ name: `127.0.0.1:${bench.port}`, meters: [{ profile: 'sdm630', fault: null }] }],
      });
      expect(statSync(place.socket).mode & 0o777).toBe(0o600);

      edge.kill('SIGTERM', 'alone');
      expect(await edge.end(20_000)).toMatchObject({ code: 0, signal: null });
      const left = place.files().filter((name) => !/^(outbox|day)$/.test(name));
      expect(left).toEqual([]);
      // No register of the day is anywhere in clear, not even in the log.
      for (const secret of [midnight.serial, String(midnight.importWh[0])])
        expect(edge.stderr).not.toContain(secret);
    },
  );

  it('reads a recording to its end, delivers its days and ends with 0', async () => {
    const place = new Place();
    const identity = place.enrol(home, guests);
    const noon = (day: string) => (dayNamed(day).start + 43_200) * 1_000;
    const recording = ['2026-03-20', '2026-03-21'].map((day) =>
      encodeTelegram('emucs-2.1.1', household.stateAt(noon(day))),
    );
    writeFileSync(join(place.folder, 'recording.txt'), recording.join(''), 'latin1');
    place.write([source(identity, [{ p1: { file: 'recording.txt' } }])]);
    const edge = place.run();
    expect(await edge.end(60_000), edge.stderr).toMatchObject({ code: 0 });
    const days = recordsOf(home, identity).map(shownBy);
    expect(days.map(({ day }) => day)).toEqual(['2026-03-20', '2026-03-21']);
    expect(days[1]!.values['1-0:1.8.1']).toBe(kWh(household.stateAt(noon('2026-03-21')).importWh[0]));
    // Once more: all of it is at its owner, and nothing is sent again.
    expect(await place.run().end(60_000)).toMatchObject({ code: 0 });
    expect(recordsOf(home, identity)).toHaveLength(2);
  });

  it('ends with 0 when standard input has ended, and with 1 when a file is not there', async () => {
    const place = new Place();
    const identity = place.enrol();
    place.write([source(identity, [{ p1: { stdin: true } }])]);
    expect(await place.run().end(60_000)).toMatchObject({ code: 0 });
    place.write([source(identity, [{ p1: { file: 'none.txt' } }])]);
    const missing = await place.run().end(60_000);
    expect(missing.code, missing.stderr).toBe(1);
    expect(missing.stderr).toContain('unplugged');
  });

  it('takes a port that is not there as a state, and an unreachable head-end too', async () => {
    const place = new Place();
    const identity = place.enrol();
    place.write([source(identity, [{ p1: { name: 'port', serial: { path: 'nowhere' } } }])]);
    const edge = place.run();
    await until('it answers', () => existsSync(place.socket), 60_000);
    await until('it says so', async () => {
      const [device] = (await place.ask()).devices;
      return device!.sources[0]!.kind === 'p1' && device!.sources[0]!.state === 'unplugged';
    });
    const { code, stdout } = await runHes(['edge', 'status', '--config', place.config]);
    expect(code).toBe(0);
    expect(stdout).toContain('unplugged');
    edge.kill('SIGINT', 'group');
    expect(await edge.end(20_000)).toMatchObject({ code: 0 });
    const after = await runHes(['edge', 'status', '--config', place.config]);
    expect(after.code).toBe(3);
    expect(after.stdout).toContain('does NOT run');
    expect(after.stdout).toContain(identity.device);
  });

  it('takes over what a killed one left, and refuses while one lives', async () => {
    const place = new Place();
    place.write([source(place.enrol(), [{ p1: { serial: { path: 'nowhere' } } }])]);
    const first = place.run();
    await until('it answers', () => existsSync(place.socket), 60_000);
    const refused = await place.run().end(60_000);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('ERR_OUTBOX_LOCKED');
    expect((await place.ask()).running).toBe(true);
    first.kill('SIGKILL', 'group');
    await first.end();
    expect(existsSync(place.socket)).toBe(true);
    const second = place.run();
    await until(
      'the next answers',
      () =>
        place.ask().then(
          () => true,
          () => false,
        ),
      60_000,
    );
    // A second place with other devices and the same data is refused by the socket.
    const other = new Place();
    other.write([source(other.enrol(), [{ p1: { serial: { path: 'nowhere' } } }])], {
      data: join(place.folder, 'data'),
    });
    const stranger = await other.run().end(60_000);
    expect(stranger.code).toBe(1);
    expect(stranger.stderr).toContain('ERR_EDGE_RUNNING');
    second.kill('SIGTERM', 'alone');
    expect(await second.end(20_000)).toMatchObject({ code: 0 });
    expect(place.files()).toEqual([]);
  });

  it('refuses with 78 what another start will not mend', async () => {
    const place = new Place();
    const identity = place.enrol();
    const good = source(identity, [{ p1: { serial: { path: 'nowhere' } } }]);
    writeFileSync(join(place.folder, 'short.key'), 'abcd');
    const cases: readonly (readonly [readonly object[], object, string])[] = [
      [[{ ...good, sorces: [] }], {}, 'unknown key devices[0].sorces'],
      [[good], { development: false }, 'ERR_CONFIG_IDENTITY'],
      [[{ ...good, identity: 'none.json' }], {}, 'ERR_CONFIG_IDENTITY'],
      [[{ ...good, owners: [{ channel: 1, tenant: 'nobody' }] }], {}, 'devices[0].owners[0].tenant'],
      [
        [source(identity, [{ p1: { serial: { path: 'nowhere' }, keys: { key: 'short.key' } } }])],
        {},
        'devices[0].sources[0]',
      ],
      [
        [
          source(identity, [
            { modbus: { endpoint: { tcp: { host: 'a' } }, meters: [{ profile: 'sdm999' }] } },
          ]),
        ],
        {},
        'ERR_CONFIG_SOURCE',
      ],
    ];
    for (const [devices, changes, words] of cases) {
      place.write(devices, changes);
      const { code, stderr } = await place.run().end(60_000);
      expect(stderr).toContain(words);
      expect(stderr).not.toContain('abcd');
      expect(code, words).toBe(78);
    }
    // Rights of the data folder may be mended while it is tried again.
    place.write([good], { data: 'short.key' });
    const { code, stderr } = await place.run().end(60_000);
    expect(stderr).toContain('ERR_EDGE_DATA');
    expect(code).toBe(1);
    expect(existsSync(place.socket)).toBe(false);
  });
});
