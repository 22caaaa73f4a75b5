import { describe, expect, it } from 'vitest';
import type { Timestamp } from '../../../protocol/reading.ts';
import { bare, EMUCS_1_7_1, sealed } from './example.ts';
import * as dialect from './example-dialects.ts';
import { DIALECTS_WITH_CRC, DIALECTS_WITHOUT_CRC } from './example-dialects.ts';
import { parseTelegramText } from './parse.ts';
import { readTelegrams } from './reader.ts';
import { telegramSnapshot } from './snapshot.ts';
import { type P1Quantity, type P1Telegram, printedValue } from './telegram.ts';
import { isoTime } from './time.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

/** Through splitter and framer as well: what a first line is, is theirs to say. */
function read(text: string): P1Telegram {
  const { telegrams, faults } = readTelegrams(bytes(text));
  expect(faults).toEqual([]);
  expect(telegrams).toHaveLength(1);
  return telegrams[0]!;
}

const faultsOf = (text: string) => readTelegrams(bytes(text)).faults;

const printed = (quantities: readonly P1Quantity[]): Record<string, string> =>
  Object.fromEntries(
    quantities.map((one) => [one.obis, `${printedValue(one)} ${one.printedUnit}`.trimEnd()]),
  );

describe('a dialect that is damaged', () => {
  it.each(Object.entries(DIALECTS_WITH_CRC))('yields nothing of %s when one digit changed', (_, lines) => {
    const text = sealed(lines);
    const at = text.search(/\d\.\d+\*?k?W?h? ?\)/);
    expect(faultsOf(`${text.slice(0, at)}${(Number(text[at]) + 1) % 10}${text.slice(at + 1)}`)).toEqual([
      'crc-invalid',
    ]);
  });

  it.each(Object.entries(DIALECTS_WITHOUT_CRC))(
    'yields nothing of %s when two of them ran into each other',
    (_, lines) => {
      expect(faultsOf(bare([...lines.slice(0, -1), ...lines.slice(2)]))).toEqual(['damaged']);
    },
  );

  it('yields nothing of a number that a line end cut in two, where no CRC vouches for it', () => {
    expect(faultsOf(bare([...dialect.EBZ.slice(0, 4), '1-0:1.8.0*255(002714', '.12830185*kWh)']))).toEqual([
      'damaged',
    ]);
  });
});

describe('the dialects that no specification has', () => {
  it('reads the units of Fluvius’ first meters, and no gas that was never read', () => {
    const telegram = read(sealed(dialect.EMUCS_50213));
    expect(telegram).toMatchObject({ version: '50213', unknown: [], tariff: 1, breaker: 1 });
    expect(printed(telegram.registers)).toEqual({
      '1-0:1.8.1': '204.117 kWh',
      '1-0:1.8.2': '311.018 kWh',
      '1-0:2.8.1': '0.900 kWh',
      '1-0:2.8.2': '0.041 kWh',
    });
    expect(printed(telegram.instants)).toMatchObject({ '1-0:32.7.0': '232.9 V', '1-0:31.7.0': '6 A' });
    expect(printed([telegram.limiter!, ...telegram.fuses])).toEqual({
      '0-0:17.0.0': '999.9 kW',
      '1-0:31.4.0': '999 A',
    });
    expect(telegramSnapshot(telegram, telegram.meterTime!).meters).toHaveLength(1);
  });

  it.each(['50213', '50214', '50215', '50216', '50217', '50221'])('reads e-MUCS version %s', (version) => {
    const lines = EMUCS_1_7_1.map((line) => line.replace('(50217)', `(${version})`));
    expect(read(sealed(lines))).toMatchObject({ version, registers: { length: 4 }, unknown: [] });
  });

  it('shows every number of Lithuania, and takes no signature of a firmware for a version', () => {
    const telegram = read(sealed(dialect.LITHUANIA));
    expect(telegram.version).toBeNull();
    expect(telegram.unknown).toEqual(['1-0:0.2.0(02.21)', '1-0:0.2.8(1EA40000)']);
    expect(printed(telegram.others)).toEqual({
      '1-0:32.24.0': '239.1 V',
      '1-0:12.7.0': '238.9 V',
      '1-0:29.7.0': '0.401 kVA',
      '1-0:16.24.0': '1.068 kW',
      '1-0:13.3.0': '0.000',
      '1-0:0.8.2': '900 s',
      '1-0:9.4.0': '0.352 kVA',
      '1-0:32.33.0': '512 s',
      '1-0:32.38.0': '255 V',
    });
    expect(printed(telegram.instants)['1-0:33.7.0']).toBe('-0.912');
    expect(printed(telegram.registers)['1-0:1.8.4']).toBe('17.120 kWh');
  });

  it('reads an STX in the first line and in front of the data', () => {
    expect(read(sealed(dialect.IRELAND))).toMatchObject({
      header: 'ISk5\u0002MIE5T-900',
      serial: '09611',
      unknown: [],
      channels: [{ channel: 1, medium: null, serial: null, readings: [] }],
    });
    const optical = read(`${bare(dialect.ISKRA_D0)}\u0003\u0019`);
    expect(printed(optical.registers)).toEqual({
      '1-0:1.8.0': '611.853 kWh',
      '1-0:2.8.0': '58697.318 kWh',
    });
    expect(optical.unknown).toEqual(['1-0:0.9.2*255(0260127)', '1-0:0.9.1*255(105644)']);
  });

  it('reads reduced codes, padded numbers, and letters for abstract objects', () => {
    const telegram = read(bare(dialect.LANDIS_D0));
    expect(telegram.serial).toBe('13647999');
    expect(printed(telegram.registers)).toEqual({
      '1-0:1.8.1': '42951.721 kWh',
      '1-0:1.8.2': '18609.568 kWh',
      '1-0:2.8.0': '10.490 kWh',
    });
    expect(printed(telegram.instants)).toEqual({ '1-0:32.7.0': '241 V', '1-0:31.7.0': '0.35 A' });
    expect(telegram.unknown).toEqual(['F.F(00)', 'C.7.0(0008)', '0.2.0(M26)']);
  });

  it('reads Sweden', () => {
    const telegram = read(sealed(dialect.SWEDEN));
    expect(telegram).toMatchObject({ version: null, serial: null, unknown: [] });
    expect(isoTime(telegram.meterTime!)).toBe('2025-06-30T23:59:50+02:00');
    expect(printed(telegram.registers)).toMatchObject({
      '1-0:1.8.0': '10101.010 kWh',
      '1-0:4.8.0': '1020.971 kvarh',
    });
  });

  it('shows numbers without a unit, and keeps none of them as a reading', () => {
    const telegram = read(sealed(dialect.LUXEMBOURG_UNITLESS));
    expect(printed(telegram.others)).toEqual({
      '1-0:2.8.0': '0',
      '1-0:3.7.0': '0.000',
      '1-0:4.7.0': '0.007',
      '0-0:17.0.0': '77.376',
      '1-0:31.4.0': '40',
    });
    expect(telegram).toMatchObject({ limiter: null, fuses: [], unknown: [] });
    const [main] = telegramSnapshot(telegram, telegram.meterTime!).meters;
    expect(main!.registers.map(({ obis }) => obis)).toEqual(['1-0:1.8.0']);
  });

  it('reads the hours of an ACE4000’s gas meter, and keeps the newest', () => {
    const telegram = read(bare(dialect.ACE4000));
    expect(telegram).toMatchObject({ serial: '5550001112223334', unknown: [] });
    expect(telegram.channels).toMatchObject([{ channel: 3, medium: 'gas', serial: '87654321', valve: 1 }]);
    expect(telegram.channels[0]!.readings.map(({ time }) => isoTime(time!))).toEqual([
      '2020-07-01T00:00:00',
      '2020-07-01T13:00:00',
      '2020-06-30T14:00:00',
    ]);
    const at: Timestamp = { epochSeconds: 1_593_604_000, offsetMinutes: 120 };
    const gas = telegramSnapshot(telegram, at).meters[1]!;
    expect(gas.registers).toMatchObject([{ obis: '7-0:23.1.0', value: 2_240_690, scaler: -3, unit: 'm3' }]);
  });

  it('reads an EBZ to its last decimal, and a power that flows out', () => {
    const telegram = read(bare(dialect.EBZ));
    expect(telegram.serial).toBe('1EBZ0100000001');
    expect(printed(telegram.registers)['1-0:1.8.0']).toBe('2714.12830185 kWh');
    expect(printed(telegram.instants)['1-0:16.7.0']).toBe('-211.26 W');
    expect(printed(telegram.others)).toEqual({ '1-0:36.7.0': '157.64 W' });
    expect(telegram.unknown).toEqual(['1-0:96.5.0*255(001C0104)', '0-0:96.8.0*255(02FAB8BF)']);
  });

  it('reads a colon where a dot should be', () => {
    const telegram = read(sealed(dialect.DSMR_4_0_COLONS));
    expect(telegram.failures.map(({ durationSeconds }) => durationSeconds)).toEqual([240, 301]);
    expect(printed(telegram.counters)).toEqual({ '1-0:72.32.0': '7' });
    expect(telegram.unknown).toEqual([]);
  });

  it('takes memory that was never written for no message', () => {
    expect(read(sealed(dialect.HUNGARY_ERASED))).toMatchObject({ text: null, messages: [], unknown: [] });
    const inHex = [...dialect.SWEDEN, `0-0:96.13.0(${'FF'.repeat(40)})`];
    expect(read(sealed(inHex)).text).toBeNull();
  });

  it('reads the clock of Slovenia’s Iskra, its failures without a unit, and no gas', () => {
    const telegram = read(sealed(dialect.SLOVENIA));
    expect(isoTime(telegram.meterTime!)).toBe('2024-06-28T10:43:43+02:00');
    expect(telegram).toMatchObject({ version: '50', serial: 'ISK0000000000777', tariff: 2 });
    expect(telegram.failures.map(({ durationSeconds }) => durationSeconds)).toEqual([240, 301]);
    expect(telegram.channels).toMatchObject([{ channel: 1, medium: null, readings: [{ time: null }] }]);
    expect(telegramSnapshot(telegram, telegram.meterTime!).meters).toHaveLength(1);
  });

  it.each([
    ['07E80121030A2B2B00FFC400', '33 January'],
    ['07E8061C050A2B2B00800000', 'no deviation'],
    ['07E8061C050A2B2B00FFC47F00', 'too long'],
    ['07E8061C050A2B2B00FFZZ00', 'no hex'],
  ])('takes %s for no clock: %s', (clock) => {
    const lines = dialect.SLOVENIA.map((line) => line.replace('07E8061C050A2B2B00FF8880', clock));
    expect(read(sealed(lines))).toMatchObject({ meterTime: null, clockInvalid: true });
  });

  it('reads Wallonia’s version in hex, its rates, and a peak whose value comes first', () => {
    const telegram = read(sealed(dialect.WALLONIA));
    expect(telegram).toMatchObject({ version: '21110', serial: '77000777', unknown: [] });
    expect(telegram.meterTime).toMatchObject({ assumed: true });
    expect(printed([...telegram.registers, ...telegram.others])).toEqual({
      '1-0:1.8.1': '19.854 kWh',
      '1-0:1.8.5': '40.207 kWh',
    });
    expect(telegram.monthPeak).toMatchObject({ value: 8796, scaler: 0, unit: 'W' });
    expect(isoTime(telegram.monthPeak!.time!)).toContain('2026-01-02T01:00:00');
  });

  it('reads a `/` in the name, a blank behind a unit, and takes no time for watts', () => {
    const telegram = read(sealed(dialect.HOLLEY));
    expect(telegram.header).toBe('HLY5/D777-METER');
    expect(isoTime(telegram.meterTime!)).toBe('2025-01-17T17:14:30+01:00');
    expect(printed(telegram.registers)).toEqual({ '1-0:1.8.0': '812.421 kWh' });
    expect(printed(telegram.others)).toEqual({});
    expect(telegram.unknown).toEqual(['0-0:1.0.0(250101000000W)', '1-0:0.1.2(250101000000W)']);
  });

  it('reads on behind a first line that was cut before the next began', () => {
    const whole = sealed(dialect.HOLLEY);
    for (let cut = 0; cut <= 17; cut += 1) {
      const { telegrams } = readTelegrams(bytes(whole.slice(0, cut) + whole));
      expect(telegrams.map(({ header }) => header)).toEqual(['HLY5/D777-METER']);
    }
    const { telegrams } = readTelegrams(bytes(`/ISk5${sealed(dialect.SWEDEN)}`));
    expect(telegrams.map(({ header }) => header)).toEqual(['ADN9 7777']);
  });

  it('reads both directions of a fuse that are in one group', () => {
    const telegram = read(sealed(dialect.FUSE_OF_BOTH_DIRECTIONS));
    expect(telegram.fuses.map(printedValue)).toEqual(['100.0', '-100.0']);
    expect(telegram.unknown).toEqual([]);
  });

  it('asks for no CRC of the one Iskra that prints a clock without one', () => {
    const telegram = read(bare(dialect.ISKRA_WITHOUT_CRC));
    expect(telegram).toMatchObject({ crc: 'absent', serial: '77000778' });
    expect(faultsOf(bare(dialect.WALLONIA))).toEqual(['crc-missing']);
    expect(faultsOf(sealed(dialect.ISKRA_WITHOUT_CRC).replace('36.396', '36.397'))).toEqual(['crc-invalid']);
  });

  it('knows slave meters of every kind, and bills no cold', () => {
    const telegram = read(sealed(dialect.SLAVES));
    expect(telegram.channels.map(({ medium, deviceType }) => [medium, deviceType])).toEqual([
      ['electricity', 2],
      ['water', 6],
      ['heat', 4],
      [null, 10],
    ]);
    expect(telegram.channels[3]!.readings[0]).toMatchObject({ printedUnit: 'GJ', value: 12_785_444 });
    expect(telegramSnapshot(telegram, telegram.meterTime!).meters.map(({ medium }) => medium)).toEqual([
      'electricity',
      'electricity',
      'water',
      'heat',
    ]);
  });
});

describe('a value over several lines', () => {
  const withLines = (...lines: string[]) =>
    read(sealed([...dialect.SWEDEN, ...lines, '1-0:14.7.0(50.0*Hz)']));

  it('is one message, in hex or plain, with or without a CRC', () => {
    expect(withLines('0-0:96.13.0(4865', '6C6C', '6F)')).toMatchObject({ text: 'Hello', unknown: [] });
    expect(withLines('0-0:96.13.0(call 0800/', '1-2 tomorrow)')).toMatchObject({
      // What begins like a code is a line of its own: the message is then incomplete, and kept as it is.
      text: null,
      unknown: ['0-0:96.13.0(call 0800/', '1-2 tomorrow)'],
    });
    expect(read(bare([...dialect.EBZ, '0-0:96.13.0(4865', '6C6C6F)']))).toMatchObject({ text: 'Hello' });
  });

  it('is one list of power failures, one list of peaks', () => {
    const failures = withLines(
      '1-0:99.97.0(2)(0-0:96.7.19)(240102030405W)',
      '(0000000240*s)(240202030405W)',
      '(0000000301*s)',
    );
    expect(failures.failures.map(({ durationSeconds }) => durationSeconds)).toEqual([240, 301]);
    const peaks = withLines(
      '0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(230201000000W)(230117224500W)(04.329*kW)',
      '(230301000000W)(230214224500W)(04529*W)',
    );
    expect(peaks.peaks.map(({ month, value, scaler }) => [month, value * 10 ** scaler])).toEqual([
      ['2023-01', 4329],
      ['2023-02', 4529],
    ]);
    expect([...failures.unknown, ...peaks.unknown]).toEqual([]);
  });

  it('ends with the telegram at the latest', () => {
    expect(withLines('0-0:96.13.0(4865').unknown).toEqual(['0-0:96.13.0(4865']);
    const open = parseTelegramText(sealed([...dialect.SWEDEN, '0-0:96.13.0(4865']));
    expect(open).toMatchObject({ ok: true, telegram: { unknown: ['0-0:96.13.0(4865'] } });
    expect(parseTelegramText(`${bare(dialect.EBZ).slice(0, -3)}0-0:96.13.0(4865`)).toMatchObject({
      ok: false,
    });
  });
});

describe('an identifier', () => {
  const serialOf = (text: string) => read(sealed([...dialect.SWEDEN, `0-0:96.1.1(${text})`])).serial;

  it('is decoded where it is the hex of a number, and left as printed where it is something else', () => {
    expect(serialOf('4B384547303034303436333935353037')).toBe('K8EG004046395507');
    expect(serialOf('22222222222222222222222222222222')).toBe('22222222222222222222222222222222');
    expect(serialOf('00112233445566778899aabbccddeeff')).toBe('00112233445566778899aabbccddeeff');
    expect(serialOf('serienummer')).toBe('serienummer');
  });
});
