import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTelegram } from '../../gateway/edge/p1/parse.ts';
import { telegramSnapshot } from '../../gateway/edge/p1/snapshot.ts';
import type { P1Telegram } from '../../gateway/edge/p1/telegram.ts';
import { isoTime } from '../../gateway/edge/p1/time.ts';
import type { Timestamp } from '../../protocol/reading.ts';
import { encodeTelegram, encodeTelegramBytes, type P1Dialect, type P1MeterState } from './encode.ts';
import { stateOf } from './example.ts';

const SEED = 7;
const DIALECTS: readonly P1Dialect[] = ['emucs-1.7.1', 'emucs-2.1.1', 'dsmr-4.2', 'dsmr-5.0'];

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
    fc.integer({ min: utc('2026-01-01T00:00:00Z'), max: utc('2027-12-31T00:00:00Z') }),
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
});

const state: fc.Arbitrary<P1MeterState> = fc.record({
  header: fc.constantFrom('FLU5\\253769484_A', 'ISk5\\2MT382-1000', 'KFM5KAIFA-METER'),
  serial: printable(10, 17),
  ean,
  time: moment,
  importWh: fc.tuple(energy, energy),
  exportWh: fc.tuple(energy, energy),
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
  message: fc.constantFrom('', 'Bonjour', 'a/b!(c)', 'Te betalen: 12,50 EUR'),
  shortFailures: fc.integer({ min: 0, max: 99_999 }),
  longFailures: fc.array(
    fc.record({ end: moment, durationSeconds: fc.integer({ min: 0, max: 4_000_000_000 }) }),
    {
      maxLength: 10,
    },
  ),
  devices: fc.subarray([1, 2, 3, 4]).chain((channels) => fc.tuple(...channels.map(device))),
});

const time = ({ epochSeconds, offsetMinutes }: Timestamp) => ({ epochSeconds, offsetMinutes });
const timeOrNone = (moment: Timestamp | null) => (moment === null ? null : time(moment));
const SCALE = { 3: ['m3', -3, 'gas'], 4: ['J', 6, 'heat'], 7: ['m3', -3, 'water'] } as const;

function expectBelgianLines(telegram: P1Telegram, sent: P1MeterState): void {
  expect(telegram.monthPeak).toMatchObject({ value: sent.monthPeak.powerW, scaler: 0, unit: 'W' });
  expect(telegram.peaks.map(({ value, time }) => ({ value, time: timeOrNone(time) }))).toEqual(
    sent.closedPeaks.map(({ powerW, time }) => ({ value: powerW, time: timeOrNone(time) })),
  );
  expect(telegram.instants.find(({ obis }) => obis === '1-0:1.4.0')!.value).toBe(sent.quarterPowerW);
  expect(telegram.breaker).toBe(sent.breaker);
  for (const [index, phase] of sent.phases.entries()) {
    const value = (code: number) =>
      telegram.instants.find(({ obis }) => obis === `1-0:${code + 20 * index}.7.0`)!.value;
    expect([value(32), value(31), value(21), value(22)]).toEqual([
      phase.voltageDeciV,
      phase.currentCentiA,
      phase.importW,
      phase.exportW,
    ]);
  }
}

describe('what the emulator prints', () => {
  it.each(DIALECTS)(
    'is read back as it was, in %s, whatever the state and on both clock changes',
    (dialect) => {
      fc.assert(
        fc.property(state, (sent) => {
          const telegram = read(dialect, sent);
          expect(telegram).toMatchObject({
            header: sent.header,
            crc: 'valid',
            serial: sent.serial,
            unknown: [],
          });
          expect(telegram.meterTime).toEqual({ ...sent.time, assumed: false });
          expect(
            telegram.registers.map(({ obis, value, scaler, unit }) => [obis, value, scaler, unit]),
          ).toEqual([
            ['1-0:1.8.1', sent.importWh[0], 0, 'Wh'],
            ['1-0:1.8.2', sent.importWh[1], 0, 'Wh'],
            ['1-0:2.8.1', sent.exportWh[0], 0, 'Wh'],
            ['1-0:2.8.2', sent.exportWh[1], 0, 'Wh'],
          ]);
          expect(telegram).toMatchObject({
            tariff: sent.rate,
            text: sent.message === '' ? null : sent.message,
          });
          expect(
            telegram.channels.map(({ channel, medium, serial, valve, readings }) => {
              const [{ value, scaler, unit, time: captured }] = readings as [(typeof readings)[number]];
              return { channel, medium, serial, valve, value, scaler, unit, time: time(captured!) };
            }),
          ).toEqual(
            sent.devices.map(({ channel, deviceType, serial, valve, value, time: captured }) => {
              const [unit, scaler, medium] = SCALE[deviceType];
              return { channel, medium, serial, valve, value, scaler, unit, time: time(captured!) };
            }),
          );
          if (dialect.startsWith('emucs')) expectBelgianLines(telegram, sent);
          if (dialect === 'emucs-2.1.1') {
            expect(telegram.ean).toBe(sent.ean);
            expect(telegram.channels.map((one) => one.ean)).toEqual(sent.devices.map((one) => one.ean));
            expect(telegram.relays.map((one) => one.state)).toEqual(sent.relays);
            expect(telegram.gridVolts).toBe(sent.gridVolts);
          }
          if (dialect.startsWith('dsmr')) {
            expect(
              telegram.failures.map((one) => ({
                end: time(one.time!),
                durationSeconds: one.durationSeconds,
              })),
            ).toEqual(sent.longFailures);
          }
        }),
        { seed: SEED, numRuns: 150 },
      );
    },
  );

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
    expect(encodeTelegram('dsmr-4.2', stateOf(0, { limiterW: 2300 }))).toContain('0-0:17.0.0(002.3*kW)');
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
