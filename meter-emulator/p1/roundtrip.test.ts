import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTelegram } from '../../gateway/edge/p1/parse.ts';
import { telegramSnapshot } from '../../gateway/edge/p1/snapshot.ts';
import type { P1Telegram } from '../../gateway/edge/p1/telegram.ts';
import { isoTime } from '../../gateway/edge/p1/time.ts';
import type { Timestamp } from '../../protocol/reading.ts';
import { DIALECTS, type P1Dialect } from './dialects.ts';
import { encodeTelegram, encodeTelegramBytes, type P1MeterState } from './encode.ts';
import { stateOf } from './example.ts';
import { expectedTelegram } from './testing/expected.ts';

const SEED = 7;
const NAMES = Object.keys(DIALECTS) as P1Dialect[];

function read(dialect: P1Dialect, state: P1MeterState): P1Telegram {
  const outcome = parseTelegram(encodeTelegramBytes(dialect, state).subarray(0, -2));
  if (!outcome.ok) throw new Error(outcome.fault);
  return outcome.telegram;
}

const utc = (iso: string): number => Date.parse(iso) / 1000;
/** Clocks change in 2026 on 29 March and 25 October, both at 01:00 UTC. */
const SPRING = utc('2026-03-29T01:00:00Z');
const AUTUMN = utc('2026-10-25T01:00:00Z');
const at = (epochSeconds: number): Timestamp => ({
  epochSeconds,
  offsetMinutes: epochSeconds >= SPRING && epochSeconds < AUTUMN ? 120 : 60,
});

const moment = fc
  .oneof(
    fc.integer({ min: utc('2026-01-01T00:00:00Z'), max: utc('2026-12-31T00:00:00Z') }),
    fc.integer({ min: SPRING - 7200, max: SPRING + 7200 }),
    fc.integer({ min: AUTUMN - 7200, max: AUTUMN + 7200 }),
  )
  .map(at);
const energy = fc.oneof(
  fc.integer({ min: 0, max: 999_999_999 }),
  fc.constantFrom(0, 1, 999, 1000, 999_999_999),
);
const power = fc.integer({ min: 0, max: 99_999 });
const printable = (minLength: number, maxLength: number) =>
  fc.stringMatching(new RegExp(`^[0-9A-Z]{${minLength},${maxLength}}$`));
const ean = fc.option(fc.stringMatching(/^54[0-9]{16}$/));
const device = (channel: number) =>
  fc.record({
    channel: fc.constant(channel),
    deviceType: fc.constantFrom(3 as const, 4 as const, 7 as const),
    serial: printable(8, 17).map((serial) => `${channel}${serial}`),
    ean,
    valve: fc.constantFrom(0 as const, 1 as const, 2 as const, null),
    time: moment,
    value: fc.integer({ min: 1, max: 99_999_999 }),
  });
const phase = fc.record({
  voltageDeciV: fc.integer({ min: 1, max: 2999 }),
  currentCentiA: fc.integer({ min: 0, max: 99_999 }),
  importW: fc.integer({ min: 0, max: 33_000 }),
  exportW: fc.integer({ min: 0, max: 33_000 }),
  reactiveVar: fc.integer({ min: -33_000, max: 33_000 }),
  powerFactorMilli: fc.integer({ min: 0, max: 1_000 }),
});

const text = fc.constantFrom('', 'Bonjour', 'a/b!(c)', 'Te betalen: 12,50 EUR');

const state: fc.Arbitrary<P1MeterState> = fc.record({
  header: fc.constantFrom('FLU5\\253769484_A', 'ISk5\\2MT382-1000', 'KFM5KAIFA-METER'),
  serial: printable(10, 17),
  ean,
  time: moment,
  importWh: fc.tuple(energy, energy),
  exportWh: fc.tuple(energy, energy),
  laterImportWh: fc.tuple(energy, energy),
  laterExportWh: fc.tuple(energy, energy),
  reactiveVarh: fc.tuple(energy, energy, energy, energy),
  frequencyCentiHz: fc.integer({ min: 4_900, max: 5_100 }),
  rate: fc.constantFrom(1 as const, 2 as const),
  quarterPowerW: power,
  monthPeak: fc.record({ time: fc.option(moment), powerW: power }),
  closedPeaks: fc.array(fc.record({ monthEnd: moment, time: fc.option(moment), powerW: power }), {
    maxLength: 13,
  }),
  phases: fc.oneof(
    fc.array(phase, { minLength: 1, maxLength: 1 }),
    fc.array(phase, { minLength: 3, maxLength: 3 }),
  ),
  breaker: fc.constantFrom(0 as const, 1 as const, 2 as const, null),
  relays: fc.array(fc.constantFrom(0 as const, 1 as const), { maxLength: 4 }),
  limiterW: fc.option(fc.integer({ min: 1, max: 99 }).map((tenths) => tenths * 100)),
  fuseCentiA: fc.option(fc.integer({ min: 1, max: 99 }).map((amperes) => amperes * 100)),
  gridVolts: fc.constantFrom(230 as const, 400 as const),
  message: text,
  messageCode: fc.stringMatching(/^[0-9]{0,8}$/),
  moreMessages: fc.array(text, { maxLength: 4 }),
  shortFailures: fc.integer({ min: 0, max: 99_999 }),
  longFailures: fc.array(
    fc.record({ end: moment, durationSeconds: fc.integer({ min: 0, max: 4_000_000_000 }) }),
    {
      maxLength: 10,
    },
  ),
  devices: fc.subarray([1, 2, 3, 4]).chain((channels) => fc.tuple(...channels.map(device))),
});

/** These print numbers as they are, and one that looks like hex of letters would be read as those. */
const PLAIN: ReadonlySet<P1Dialect> = new Set([
  'heat-nl',
  'ireland',
  'hungary-holley',
  'wallonia-iskra',
  'wallonia-iskra-2.1.1',
  'ace4000',
  'ebz-dd3',
]);

/** The state as this dialect can show it. */
function suited(dialect: P1Dialect, drawn: P1MeterState): P1MeterState {
  if (!PLAIN.has(dialect)) return drawn;
  const devices = drawn.devices.map((device) => ({ ...device, serial: `${device.serial}X` }));
  const own = { ...drawn, serial: `${drawn.serial}X`, devices };
  if (dialect !== 'heat-nl') return own;
  return {
    ...own,
    devices: devices.map((device) => ({ ...device, deviceType: 4, value: device.value % 1_000_000 })),
  };
}

describe('what the emulator prints', () => {
  it.each(NAMES)('is read back as it was, in %s, whatever the state and on both clock changes', (dialect) => {
    fc.assert(
      fc.property(state, (drawn) => {
        const sent = suited(dialect, drawn);
        // The frame around an encrypted one is year.test.ts's.
        const expected = { ...expectedTelegram(dialect, sent), encryption: 'none' };
        const telegram = read(dialect, sent);
        if (!isDeepStrictEqual(telegram, expected)) expect(telegram).toEqual(expected);
      }),
      { seed: SEED, numRuns: 40 },
    );
  });

  it('gives the two hours of the October night their own letters', () => {
    const times = [AUTUMN - 1800, AUTUMN + 1800].map(
      (epochSeconds) => read('emucs-1.7.1', stateOf(0, { time: at(epochSeconds) })).meterTime!,
    );
    expect(times.map(isoTime)).toEqual(['2026-10-25T02:30:00+02:00', '2026-10-25T02:30:00+01:00']);
  });

  it('rolls a register over as a counter does', () => {
    const telegram = read('emucs-1.7.1', stateOf(0, { importWh: [1_000_000_007, 3_999_999_999] }));
    expect(telegram.registers.map(({ value }) => value).slice(0, 2)).toEqual([7, 999_999_999]);
  });

  it('prints a device that was never read as one, and no meter is made of it', () => {
    const [gas, water] = stateOf(0).devices;
    const telegram = read(
      'emucs-2.1.1',
      stateOf(0, { devices: [{ ...gas!, time: null, value: 0 }, water!] }),
    );
    expect(telegram.channels[0]!.readings[0]).toMatchObject({ placeholder: true, time: null });
    const { meters } = telegramSnapshot(telegram, at(SPRING));
    expect(meters.map(({ medium }) => medium)).toEqual(['electricity', 'water']);
  });

  it('prints no limit as nines, and a limit as it is', () => {
    expect(encodeTelegram('emucs-1.7.1', stateOf(0))).toContain('0-0:17.0.0(999.9*kW)');
    expect(encodeTelegram('emucs-2.1.1', stateOf(0))).toContain('0-0:17.0.0(99.999*kW)');
    expect(encodeTelegram('emucs-2.1.1', stateOf(0, { limiterW: 10_000 }))).toContain(
      '0-0:17.0.0(10.000*kW)',
    );
    expect(encodeTelegram('dsmr-4.0', stateOf(0, { limiterW: 2300 }))).toContain('0-0:17.0.0(002.3*kW)');
  });

  it('nets its phases, as a meter of three phases does', () => {
    const [one, two, three] = stateOf(0).phases;
    const phases = [
      { ...one!, importW: 1000 },
      { ...two!, importW: 0, exportW: 2500 },
      { ...three!, importW: 200 },
    ];
    const text = encodeTelegram('emucs-1.7.1', stateOf(0, { phases }));
    expect(text).toContain('1-0:1.7.0(00.000*kW)\r\n1-0:2.7.0(01.300*kW)');
  });
});
