import { afterEach, describe, expect, it } from 'vitest';
import { dayNamed, QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import { DayAccumulator, type DayDraft } from '../../gateway/edge/days/day.ts';
import { modbusSourceConfig } from '../../gateway/edge/modbus/config.ts';
import type { RegisterBus } from '../../gateway/edge/modbus/meter.ts';
import { profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import { scan } from '../../gateway/edge/modbus/scan.ts';
import { ModbusSource } from '../../gateway/edge/modbus/source.ts';
import type { Snapshot } from '../../gateway/edge/source.ts';
import { manualClock } from '../../gateway/runtime/clock.ts';
import { parseConfig } from '../../gateway/runtime/config.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { QUALITY } from '../../protocol/reading.ts';
import { ModbusDevice } from './device.ts';
import { registerImage } from './registers.ts';
import { serveModbusTcp } from './server.ts';
import { type Bench, householdShown, openBench } from './testing/bench.ts';

const ORES = 'ores' as TenantId;
let bench: Bench;
afterEach(() => bench.stop());

async function openSource(
  meters: readonly object[],
  bus: RegisterBus & { close(): Promise<void> } = bench.bus,
) {
  const clock = manualClock(dayNamed('2026-06-15').start * 1_000);
  const snapshots: Snapshot[] = [];
  const lines: string[] = [];
  const counters = new Counters();
  const log = (level: string) => (_: object, message: string) => void lines.push(`${level} ${message}`);
  const source = await ModbusSource.open({
    config: parseConfig(modbusSourceConfig, { endpoint: { tcp: { host: '127.0.0.1' } }, meters }),
    observe: (snapshot) => snapshots.push(snapshot),
    clock,
    random: () => 0,
    log: { info: log('info'), warn: log('warn') } as never,
    counters,
    signal: new AbortController().signal,
    bus,
  });
  return { source, clock, snapshots, lines, counters };
}

describe('a Modbus source', () => {
  it.each([
    [
      'a key that it does not know',
      { meters: [{ profile: 'sdm630', uint: 1 }] },
      /unknown key meters\[0\]\.uint/,
    ],
    ['two meters on one channel', { meters: [{ profile: 'sdm630' }, { profile: 'em340' }] }, /same channel/],
    [
      'a profile by name and by file',
      { meters: [{ profile: 'sdm630', profileFile: 'x' }] },
      /one of the two/,
    ],
    ['two places', { endpoint: { tcp: { host: 'a' }, serial: { path: 'b' } } }, /endpoint/],
  ])('refuses %s in its configuration', async (_, change, message) => {
    bench = await openBench(profileNamed('sdm630'));
    const config = { endpoint: { tcp: { host: 'a' } }, meters: [{ profile: 'sdm630' }], ...change };
    expect(() => parseConfig(modbusSourceConfig, config)).toThrow(message);
  });

  it('makes no reading of a meter without a serial number until it is told one', async () => {
    bench = await openBench(profileNamed('pac2200'));
    const without = await openSource([{ profile: 'pac2200', unit: 1 }]);
    await without.source.poll();
    expect(without.snapshots).toEqual([]);
    expect(without.source.status()[0]).toMatchObject({ fault: 'ERR_MODBUS_SERIAL', lastReadMs: null });
    const told = await openSource([{ profile: 'pac2200', unit: 1, serial: 'LQN/0815' }]);
    await told.source.poll();
    expect(told.snapshots[0]?.meters[0]?.serial).toBe('LQN/0815');
  });

  it('says what is wrong once, counts each time, and says when it is right again', async () => {
    bench = await openBench(profileNamed('sdm630'), { answerWithinMs: 250 });
    const { source, clock, snapshots, lines, counters } = await openSource([{ profile: 'sdm630' }]);
    bench.device.standing = { kind: 'silence' };
    for (let round = 0; round < 3; round++) {
      await source.poll();
      clock.advance(10_000);
    }
    expect(lines).toEqual(['warn no answer in time']);
    expect(counters.get('modbus.failed.ERR_MODBUS_TIMEOUT')).toBe(3);
    expect(snapshots).toEqual([]);
    bench.device.standing = null;
    await source.poll();
    expect(lines).toEqual(['warn no answer in time', 'info the meter is read again']);
    expect(source.status()[0]).toMatchObject({ fault: null, lastReadMs: clock.nowMs() });
  });

  it('does not leave a meter alone for a year because the clock was set back by one', async () => {
    bench = await openBench(profileNamed('sdm630'), { answerWithinMs: 250 });
    const { source, clock, snapshots } = await openSource([{ profile: 'sdm630' }]);
    bench.device.standing = { kind: 'silence' };
    for (let round = 0; round < 3; round++) {
      await source.poll();
      clock.advance(10_000);
    }
    bench.device.standing = null;
    clock.advance(-365 * 86_400_000);
    await source.poll();
    expect(snapshots).toHaveLength(1);
  });

  it('asks for the serial number again after a failure, as another meter may hang there since', async () => {
    bench = await openBench(profileNamed('sdm630'), { answerWithinMs: 250 });
    const { source, snapshots } = await openSource([{ profile: 'sdm630' }]);
    await source.poll();
    bench.device.faults.push({ kind: 'silence' });
    await source.poll();
    bench.shown = { ...bench.shown, serial: '123456789' };
    await source.poll();
    await source.poll();
    expect(snapshots.map(({ meters }) => meters[0]!.serial).slice(1)).toEqual(['123456789', '123456789']);
    expect(snapshots[0]!.meters[0]!.serial).not.toBe('123456789');
  });

  it('reads the others on when one of a line is silent', async () => {
    bench = await openBench(profileNamed('sdm630'), { answerWithinMs: 250 });
    const { source, snapshots } = await openSource([
      { profile: 'sdm630', unit: 9, channel: 1 },
      { profile: 'sdm630', unit: 1 },
    ]);
    await source.poll();
    expect(snapshots[0]!.meters.map(({ channel }) => channel)).toEqual([0]);
  });

  it.each(['sdm630', 'abb-b23', 'em340', 'iem3155', 'pac2200'])(
    'closes a day of %s as a P1 meter’s is closed, with the outage as the only gap',
    async (name) => {
      const profile = profileNamed(name);
      bench = await openBench(profile, { answerWithinMs: 5_000 });
      const { source, clock, snapshots } = await openSource([{ profile: name, unit: 1, serial: 'LABEL-1' }]);
      const day = dayNamed('2026-06-15');
      const accumulator = new DayAccumulator({ owners: () => ORES });
      for (let quarter = 0; quarter <= day.quarters; quarter++) {
        clock.set((day.start + quarter * QUARTER_SECONDS) * 1_000);
        bench.shown = householdShown(profile, quarter);
        bench.device.standing = quarter === 40 ? { kind: 'exception', code: 4 } : null;
        await source.poll();
        const latest = snapshots.pop();
        if (latest !== undefined) accumulator.observe(latest);
      }
      const draft = accumulator.draft({ owner: ORES, day }) as DayDraft;
      const meter = draft.meters[0]!;
      const obis = profile.registers[0]!.obis;
      const register = meter.registers.find((one) => one.obis === obis)!;
      const closing = householdShown(profile, day.quarters).quantities.find((one) => one.obis === obis)!;
      expect([register.value, register.scaler]).toEqual([closing.value, closing.scaler]);
      const load = meter.profiles.find((one) => one.obis === obis)!;
      expect(
        load.deltas.map((delta, index) => (delta === null ? index : -1)).filter((at) => at >= 0),
      ).toEqual([39, 40]);
      expect(meter.flags & QUALITY.profileGap).toBe(QUALITY.profileGap);
      expect(meter.extremes.map(({ obis: code }) => code)).toContain('1-0:32.7.0');
      expect(meter.serial).toBe('LABEL-1');
    },
  );
});

describe('a scan', () => {
  it('finds each meter of a line by its unit, names its model, and says who is nobody', async () => {
    bench = await openBench(profileNamed('sdm630'));
    const names = ['sdm120', 'abb-b24', 'em24-e1', 'iem3155'];
    const devices = names.map((name, index) => {
      const profile = profileNamed(name);
      const image = registerImage(profile, householdShown(profile));
      return new ModbusDevice({ profile, unit: index + 2, image: () => image });
    });
    const server = await serveModbusTcp(devices);
    const found = [];
    const profiles = ['sdm630', ...names, 'em340'].map(profileNamed);
    for await (const one of scan({
      endpoints: [{ tcp: { host: '127.0.0.1', port: server.port } }],
      units: [1, 2, 3, 4, 5, 6],
      profiles,
      answerWithinMs: 250,
    }))
      found.push([one.unit, one.matches.map(({ profile, identified }) => `${profile} ${identified}`)]);
    await server.stop();
    expect(found).toEqual([
      [2, ['sdm120 true']],
      [3, ['abb-b24 true']],
      [4, ['em24-e1 true']],
      [5, ['iem3155 true']],
    ]);
  });
});
