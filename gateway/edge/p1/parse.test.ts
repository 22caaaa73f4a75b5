import { describe, expect, it } from 'vitest';
import * as example from './example.ts';
import { bare, hex, sealed, WITH_CRC } from './example.ts';
import { parseTelegramText } from './parse.ts';
import { type P1Telegram, printedValue } from './telegram.ts';
import { isoTime } from './time.ts';

function read(text: string): P1Telegram {
  const outcome = parseTelegramText(text);
  if (!outcome.ok) throw new Error(outcome.fault);
  return outcome.telegram;
}

const faultOf = (text: string) => {
  const outcome = parseTelegramText(text);
  return outcome.ok ? null : outcome.fault;
};

const registers = (telegram: P1Telegram): Record<string, string> =>
  Object.fromEntries(
    telegram.registers.map((quantity) => [
      quantity.obis,
      `${printedValue(quantity)} ${quantity.printedUnit}`,
    ]),
  );

const replaced = (lines: readonly string[], from: string, to: string): string[] =>
  lines.map((line) => line.replace(from, to));

describe('a telegram that is not to be believed', () => {
  it.each(Object.entries(WITH_CRC))('yields nothing of %s when one digit changed', (_, lines) => {
    const text = sealed(lines);
    const at = text.search(/\d\.\d{3}\*/);
    const changed = `${text.slice(0, at)}${(Number(text[at]) + 1) % 10}${text.slice(at + 1)}`;
    expect(faultOf(changed)).toBe('crc-invalid');
  });

  it('yields nothing when the CRC itself is wrong, empty or cut', () => {
    const text = sealed(example.EMUCS_1_7_1).trimEnd();
    expect(faultOf(`${text.slice(0, -4)}1234`)).toBe('crc-invalid');
    expect(faultOf(text.slice(0, -4))).toBe('crc-missing');
    expect(faultOf(text.slice(0, -2))).toBe('crc-invalid');
    expect(faultOf(text.slice(0, -5))).toBe('cut');
  });

  it('yields nothing of a version with a CRC that prints none', () => {
    for (const lines of Object.values(WITH_CRC)) {
      expect(faultOf(bare(lines))).toBe('crc-missing');
      expect(faultOf(lines.join('\r\n'))).toBe('cut');
    }
  });

  it('yields nothing where a line is visibly broken and no CRC can tell how', () => {
    expect(faultOf(bare(replaced(example.DSMR_2_2, '(08234.567*kWh)', '(08234.567*k')))).toBe('damaged');
    expect(faultOf(bare(replaced(example.DSMR_2_2, '08234', '08\u0002234')))).toBe('damaged');
    expect(faultOf(bare(replaced(example.DSMR_2_2, '08234', '08\u00b2234')))).toBe('damaged');
  });

  it('yields nothing where two telegrams without a CRC ran into each other', () => {
    expect(faultOf(bare([...example.DSMR_2_2.slice(0, 5), ...example.DSMR_2_2.slice(3)]))).toBe('damaged');
  });

  it('yields nothing of an old telegram that was cut before its first reading, or in a line', () => {
    expect(faultOf(example.ISKRA.slice(0, 3).join('\r\n'))).toBe('cut');
    expect(faultOf(`${example.ISKRA.slice(0, 4).join('\r\n')}\r\n1-0:1.8.2(2233`)).toBe('cut');
  });

  it('takes no text for a telegram that has no reading in it', () => {
    expect(faultOf('')).toBe('empty');
    expect(faultOf('!')).toBe('empty');
    expect(faultOf('/ABC5\r\n\r\n!\r\n')).toBe('empty');
    expect(faultOf('/ABC5\r\nhello\r\n!\r\n')).toBe('empty');
    expect(faultOf(sealed(['/ABC5', '', 'hello']))).toBe('empty');
  });
});

describe('the CRC', () => {
  it('is known in lower case, without its leading zeros, and with the line ends lost', () => {
    // A serial number is varied until the CRC begins with a zero.
    const short = Array.from({ length: 5000 }, (_, number) =>
      sealed(replaced(example.HEAT, 'ADC3100000990011', `ADC31${String(number).padStart(11, '0')}`)),
    ).find((text) => /!0[A-F1-9][0-9A-F]{2}\r\n$/.test(text))!;
    expect(read(short.replace('!0', '!')).crc).toBe('valid');
    expect(read(short.replace(/![0-9A-F]+/, (crc) => crc.toLowerCase())).crc).toBe('valid');
    expect(read(sealed(example.DSMR_5_0).replaceAll('\r\n', '\n')).crc).toBe('valid');
    expect(read(sealed(example.DSMR_5_0, '\n')).crc).toBe('valid');
  });

  it('is absent, not wrong, where the version has none', () => {
    for (const lines of [example.DSMR_2_2, example.ISKRA, example.EASYMETER])
      expect(read(bare(lines)).crc).toBe('absent');
    expect(read(example.ISKRA.join('\r\n')).crc).toBe('absent');
  });

  it('is checked where an old meter prints one all the same', () => {
    expect(read(sealed(example.DSMR_2_2)).crc).toBe('valid');
    expect(faultOf(sealed(example.DSMR_2_2).replace('07123', '07124'))).toBe('crc-invalid');
  });
});

describe('the dialects', () => {
  it('reads DSMR 2.2, its gas in two lines and its time of no stated offset', () => {
    const telegram = read(bare(example.DSMR_2_2));
    expect(registers(telegram)).toEqual({
      '1-0:1.8.1': '7123.456 kWh',
      '1-0:1.8.2': '8234.567 kWh',
      '1-0:2.8.1': '12.001 kWh',
      '1-0:2.8.2': '3.002 kWh',
    });
    expect(telegram).toMatchObject({ version: null, meterTime: null, clockInvalid: false, breaker: 1 });
    expect(telegram.serial).toBe('KA6U001511209910');
    expect(telegram.instants[0]).toMatchObject({ obis: '1-0:1.7.0', value: 98, scaler: 1, unit: 'W' });
    const [gas] = telegram.channels;
    expect(gas).toMatchObject({ channel: 1, medium: 'gas', serial: '28011001133445512', valve: 1 });
    expect(gas!.readings[0]).toMatchObject({ obis: '0-1:24.2.1', value: 2_345_678, scaler: -3, unit: 'm3' });
    expect(gas!.readings[0]!.time).toMatchObject({ offsetMinutes: 120, assumed: true });
    expect(telegram.unknown).toEqual([]);
  });

  it('reads an Iskra with a slash and brackets in its message', () => {
    const telegram = read(example.ISKRA.join('\r\n'));
    expect(telegram.text).toBe('call 0800/12345 (free)');
    expect(telegram.registers.map(({ value }) => value)).toEqual([11_223_344, 22_334_455, 0, 0]);
    expect(telegram.channels[0]!.readings[0]!.value).toBe(4_455_667);
  });

  it('reads DSMR 4.2 with its failures and messages', () => {
    const telegram = read(sealed(example.DSMR_4_2));
    expect(telegram).toMatchObject({ crc: 'valid', version: '42', tariff: 1, breaker: 1 });
    expect(isoTime(telegram.meterTime!)).toBe('2017-03-25T12:00:05+01:00');
    expect(telegram.text).toBe('Onderhoud 1/4 om 9u');
    expect(telegram.messages).toEqual([{ obis: '0-0:96.13.1', text: '01' }]);
    expect(telegram.failures.map(({ durationSeconds }) => durationSeconds)).toEqual([1250, 815]);
    expect(telegram.counters.map(({ obis, value }) => [obis, value])).toEqual([
      ['0-0:96.7.21', 4],
      ['0-0:96.7.9', 3],
      ['1-0:32.32.0', 11],
      ['1-0:32.36.0', 2],
    ]);
    expect(telegram.unknown).toEqual([]);
  });

  it('reads DSMR 5.0 with a second channel that has no reading', () => {
    const telegram = read(sealed(example.DSMR_5_0));
    expect(telegram).toMatchObject({ version: '50', tariff: 2, text: null, failures: [] });
    expect(telegram.channels[0]!.readings[0]!.value).toBe(2_473_219);
    expect(telegram.channels[1]).toMatchObject({
      deviceType: 12,
      medium: 'heat',
      serial: null,
      readings: [],
    });
  });

  it('reads e-MUCS 1.7.1 with the running peak and the closed months', () => {
    const telegram = read(sealed(example.EMUCS_1_7_1));
    expect(telegram).toMatchObject({ version: '50217', serial: '1SAG1105511887', ean: null, tariff: 1 });
    expect(telegram.monthPeak).toMatchObject({ month: '2023-02', value: 5127, scaler: 0, unit: 'W' });
    expect(telegram.peaks.map(({ month, value, time }) => [month, value, time && isoTime(time)])).toEqual([
      ['2022-11', 0, null],
      ['2022-12', 6244, '2022-12-24T18:30:00+01:00'],
      ['2023-01', 4771, '2023-01-19T07:45:00+01:00'],
    ]);
    expect(telegram.limiter).toMatchObject({ value: 9999, scaler: 2, unit: 'W', printedUnit: 'kW' });
    expect(telegram.channels.map(({ medium, serial }) => [medium, serial])).toEqual([
      ['gas', '7FLO2121045566'],
      ['water', '8SEN0102030405'],
    ]);
    expect(telegram.unknown).toEqual([]);
  });

  it('reads e-MUCS 2.1.1 without a blank line, its relays not taken for channels', () => {
    const telegram = read(sealed(example.EMUCS_2_1_1));
    expect(telegram).toMatchObject({
      version: '50221',
      ean: '541448820000000016',
      breaker: 2,
      gridVolts: 230,
    });
    expect(telegram.relays).toEqual([1, 2, 3, 4].map((relay) => ({ relay, state: relay === 1 ? 1 : 0 })));
    expect(telegram.limiter).toMatchObject({ value: 10_000, scaler: 0, unit: 'W' });
    expect(telegram.fuses[0]).toMatchObject({ value: 6300, scaler: -2, unit: 'A' });
    expect(telegram.text).toBe('Budgetmeter: bijladen s.v.p.');
    expect(telegram.channels).toMatchObject([
      {
        medium: 'water',
        ean: '541448820000000030',
        valve: null,
        readings: [{ obis: '0-1:24.2.3', value: 391_020 }],
      },
      {
        medium: 'gas',
        ean: '541448820000000023',
        valve: 0,
        readings: [{ obis: '0-2:24.2.3', value: 1_209_664 }],
      },
    ]);
    expect(telegram.unknown).toEqual([]);
  });

  it('reads Luxembourg: totals, reactive energy, a limiter in kVA, an empty channel', () => {
    const telegram = read(sealed(example.LUXEMBOURG));
    expect(telegram.serial).toBe('SAG1030700099321');
    expect(registers(telegram)).toEqual({
      '1-0:1.8.0': '14211.075 kWh',
      '1-0:2.8.0': '0.000 kWh',
      '1-0:3.8.0': '19.366 kvarh',
      '1-0:4.8.0': '3170.209 kvarh',
    });
    expect(telegram.limiter).toMatchObject({ value: 276, scaler: 2, unit: 'VA' });
    expect(telegram.fuses.map(({ value }) => value)).toEqual([40, -40]);
    expect(telegram.messages).toEqual([{ obis: '0-0:96.13.2', text: 'Do' }]);
    expect(telegram.channels[0]!.readings[0]).toMatchObject({
      value: 0,
      unit: null,
      time: null,
      placeholder: true,
    });
  });

  it('reads a heat meter in GJ, its device type in hex', () => {
    const telegram = read(sealed(example.HEAT));
    expect(telegram.registers).toEqual([]);
    expect(telegram.channels[0]).toMatchObject({ deviceType: 12, medium: 'heat' });
    const [reading] = telegram.channels[0]!.readings;
    expect(reading).toMatchObject({ value: 87_310, scaler: 6, unit: 'J', printedUnit: 'GJ' });
    expect(printedValue(reading!)).toBe('87.310');
  });

  it('reads an EasyMeter to its last decimal, and knows it by its longer number', () => {
    const telegram = read(bare(example.EASYMETER));
    expect(telegram.registers[0]).toMatchObject({ value: 412_076_543_210, scaler: -4, unit: 'Wh' });
    expect(registers(telegram)).toEqual({ '1-0:1.8.0': '41207.6543210 kWh' });
    expect(telegram.serial).toBe('1ESY1336009999');
    expect(telegram.unknown).toEqual(['1-0:96.5.5*255(80)']);
  });

  it('reads registers on B = 1, a history without entries, and an EAN of blanks', () => {
    const telegram = read(sealed(example.SAGEMCOM_B1));
    expect(registers(telegram)).toEqual({ '1-1:1.8.1': '311.207 kWh', '1-1:1.8.2': '114.908 kWh' });
    expect(telegram).toMatchObject({ serial: '100200300400', ean: null, peaks: [], unknown: [] });
    expect(telegram.monthPeak).toMatchObject({ obis: '1-1:1.6.0', month: '2025-04', value: 2450 });
  });

  it('reads capital units, and a clock that was never set as no time', () => {
    const telegram = read(sealed(example.KAMSTRUP));
    expect(telegram).toMatchObject({ meterTime: null, clockInvalid: true, unknown: [] });
    expect(registers(telegram)['1-0:3.8.0']).toBe('321.090 kvarh');
  });

  it('keeps what it does not know of a Hungarian meter as printed', () => {
    const telegram = read(sealed(example.HUNGARY));
    expect(telegram.unknown).toEqual([
      '0-0:96.50.68(ON)',
      '0-0:98.1.0(230701000000S)(000040.777*kWh)(000020.100*kWh)',
    ]);
    expect(telegram.instants.map(({ value, scaler, unit }) => [value, scaler, unit])).toEqual([
      [951, -3, '1'],
      [5001, -2, 'Hz'],
    ]);
  });
});

describe('a line', () => {
  const withLine = (line: string): P1Telegram => read(sealed([...example.DSMR_5_0, line]));

  it.each([
    '1-0:99.1.0(123)',
    '9-9:9.9.9(1)',
    'free text',
    '1-0:1.8.3(000001.000*m3)',
    '1-0:1.8.3(000001.000*furlong)',
    '1-0:1.8.3(9007199254740993*Wh)',
    '1-0:1.8.3(1.0000000000*Wh)',
    '1-0:1.8.3(1.2.3*kWh)',
    '1-0:1.8.3(*kWh)',
    '1-0:1.8.3()',
    '1-0:1.8.3',
    '1-0:1.8.3*01(000001.000*kWh)',
    '1-0:1.8.1(000001.000*kWh)',
    '0-7:24.1.0(003)',
    '0-1:24.2.1(240712091003S)(abc)',
    '0-0:98.1.0(2)(1-0:1.6.0)(1-0:1.6.0)(230101000000W)(221224183000W)',
    '1-0:300.8.0(1*kWh)',
    `1-0:99.97.0${'(1)'.repeat(200)}`,
  ])('is kept as unknown, and is no error: %s', (line) => {
    expect(withLine(line).unknown).toEqual([line]);
    expect(withLine(line).registers).toHaveLength(4);
  });

  it('may have more digits than a float holds, as long as an integer does', () => {
    const telegram = withLine('1-0:15.8.0(9007199254740.991*kWh)');
    expect(telegram.registers.at(-1)!.value).toBe(Number.MAX_SAFE_INTEGER);
  });

  it('may be negative, and zero is not negative', () => {
    expect(withLine('1-0:16.7.0(-00.250*kW)').instants.at(-1)!.value).toBe(-250);
    expect(Object.is(withLine('1-0:16.7.0(-0.000*kW)').instants.at(-1)!.value, 0)).toBe(true);
  });

  it('keeps the first value where a register is printed twice', () => {
    const telegram = withLine('1-0:1.8.1(000009.999*kWh)');
    expect(telegram.registers.filter(({ obis }) => obis === '1-0:1.8.1')).toMatchObject([
      { value: 3_808_351 },
    ]);
  });

  it('may carry cubic metres written with a superscript, in any encoding', () => {
    for (const unit of ['m\u00b3', Buffer.from('m³', 'utf8').toString('latin1')]) {
      const telegram = withLine(`0-3:24.2.1(240712091003S)(00001.500*${unit})`);
      expect(telegram.channels.at(-1)!.readings[0]).toMatchObject({ value: 1500, unit: 'm3' });
    }
  });

  it('may give an old gas reading its value on the same line', () => {
    const telegram = withLine(`0-3:24.3.0(240712090000)(00)(60)(1)(0-3:24.2.1)(m3)(00012.345)`);
    expect(telegram.channels.at(-1)!.readings[0]).toMatchObject({ value: 12_345, unit: 'm3' });
  });

  it('takes one value for one announcement of an old gas reading', () => {
    const telegram = read(sealed([...example.DSMR_2_2.slice(0, -1), '(09999.999)']));
    expect(telegram.channels[0]!.readings.map(({ value }) => value)).toEqual([2_345_678]);
    expect(telegram.unknown).toEqual(['(09999.999)']);
  });

  it('does not take a stray value for a gas reading that was never announced', () => {
    expect(withLine('(00012.345)').unknown).toEqual(['(00012.345)']);
  });

  it('keeps an EAN that is none as unknown, and one with a wrong check digit', () => {
    expect(withLine(`0-0:96.1.2(${hex('5414488')})`)).toMatchObject({ ean: null });
    expect(withLine(`0-0:96.1.2(${hex('541448820000000017')})`)).toMatchObject({ ean: '541448820000000017' });
  });
});

describe('printing a value', () => {
  it('gives the decimals that the meter printed, without leading zeros', () => {
    const print = (value: number, scaler: number, printedUnit: string) =>
      printedValue({ value, scaler, printedUnit });
    expect(print(34, 0, 'kWh')).toBe('0.034');
    expect(print(0, 0, 'kWh')).toBe('0.000');
    expect(print(98, 1, 'kW')).toBe('0.98');
    expect(print(-63, 0, 'A')).toBe('-63');
    expect(print(7, 6, 'MJ')).toBe('7');
    expect(print(12, 5, 'kW')).toBe('1200');
    expect(print(0, 5, 'kW')).toBe('0');
  });
});
