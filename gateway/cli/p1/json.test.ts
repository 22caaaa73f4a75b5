import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as example from '../../edge/p1/example.ts';
import { bare, sealed, WITH_CRC } from '../../edge/p1/example.ts';
import {
  ACE4000,
  DIALECTS_WITH_CRC,
  EBZ,
  ISKRA_D0,
  LUXEMBOURG_UNITLESS,
  SLAVES,
} from '../../edge/p1/example-dialects.ts';
import { readTelegrams } from '../../edge/p1/reader.ts';
import { telegramJson } from './json.ts';
import { telegramTable } from './table.ts';

interface Decoded {
  readonly crc: string;
  readonly unverified?: boolean;
  readonly header: string;
  readonly version: string | null;
  readonly meterTime: string | null;
  readonly serial: string | null;
  readonly ean: string | null;
  readonly registers: readonly { obis: string; value: string; unit: string | null; time?: string | null }[];
  readonly channels: readonly { channel: number; medium: string; value: string | null }[];
  readonly peaks: readonly { month: string; time: string | null; value: string; unit: string }[];
  readonly failures: readonly { time: string | null; value: string; unit: string }[];
  readonly text: string | null;
  readonly messages: readonly { obis: string; text: string }[];
  readonly unknown: readonly string[];
}

function decodeAll(bytes: Uint8Array): Decoded[] {
  return readTelegrams(bytes).telegrams.map((telegram) => JSON.parse(telegramJson(telegram)) as Decoded);
}
const decode = (text: string): Decoded => decodeAll(Buffer.from(text, 'latin1'))[0]!;
const values = ({ registers }: Decoded): Record<string, string> =>
  Object.fromEntries(
    registers.map(({ obis, value, unit }) => [obis, unit === null ? value : `${value} ${unit}`]),
  );

describe('a telegram as JSON', () => {
  it('has the keys that were promised, on one line', () => {
    const [telegram] = readTelegrams(Buffer.from(sealed(example.EMUCS_1_7_1), 'latin1')).telegrams;
    const line = telegramJson(telegram!);
    expect(line.indexOf('\n')).toBe(line.length - 1);
    expect(JSON.parse(line)).toMatchObject({
      crc: 'valid',
      header: 'FLU5\\253770234_A',
      version: '50217',
      meterTime: '2023-02-14T10:15:30+01:00',
      serial: '1SAG1105511887',
      ean: null,
      text: null,
      unknown: [],
    });
  });

  it('gives e-MUCS peaks by month, a placeholder without a time, and the running month with its own', () => {
    const decoded = decode(sealed(example.EMUCS_1_7_1));
    expect(decoded.peaks).toEqual([
      { month: '2022-11', time: null, value: '0.000', unit: 'kW' },
      { month: '2022-12', time: '2022-12-24T18:30:00+01:00', value: '6.244', unit: 'kW' },
      { month: '2023-01', time: '2023-01-19T07:45:00+01:00', value: '4.771', unit: 'kW' },
    ]);
    expect(decoded.registers).toContainEqual({
      obis: '1-0:1.6.0',
      value: '5.127',
      unit: 'kW',
      time: '2023-02-07T18:15:00+01:00',
    });
  });

  it('gives breaker, relays, limiter, fuse, EAN, message and grid of e-MUCS 2.1.1', () => {
    const decoded = decode(sealed(example.EMUCS_2_1_1));
    expect(decoded.ean).toBe('541448820000000016');
    expect(decoded.text).toBe('Budgetmeter: bijladen s.v.p.');
    expect(values(decoded)).toMatchObject({
      '0-0:17.0.0': '10.000 kW',
      '1-0:31.4.0': '63.00 A',
      '0-0:96.3.10': '2',
      '0-1:96.3.10': '1',
      '0-4:96.3.10': '0',
      '1-0:94.32.1': '230',
      '0-0:96.14.0': '2',
    });
    expect(decoded.channels).toMatchObject([
      { channel: 1, medium: 'water', ean: '541448820000000030', value: '391.020', unit: 'm3' },
      { channel: 2, medium: 'gas', time: '2026-07-08T14:26:01+02:00', valve: 0 },
    ]);
  });

  it('gives the log of power failures, also those of a clock that was never set', () => {
    expect(decode(sealed(example.DSMR_4_2)).failures).toEqual([
      { time: '2016-11-09T16:45:00+01:00', value: '1250', unit: 's' },
      { time: '2000-01-03T05:24:16+01:00', value: '815', unit: 's' },
    ]);
  });

  it('leaves out an offset that the meter did not print, and says that there was no CRC', () => {
    const decoded = decode(bare(example.DSMR_2_2));
    expect(decoded).toMatchObject({ crc: 'absent', version: null, meterTime: null });
    expect(decoded.channels).toMatchObject([{ time: '2012-07-15T21:00:00', value: '2345.678', unit: 'm3' }]);
  });

  it('has a row for a channel that gave no reading, and null for a time that stands for never', () => {
    expect(decode(sealed(example.DSMR_5_0)).channels[1]).toMatchObject({
      channel: 2,
      obis: null,
      value: null,
    });
    expect(decode(sealed(example.LUXEMBOURG)).channels[0]).toMatchObject({ time: null, value: '0.000' });
  });

  it('keeps a year that is wrong as it was printed, and a clock that was never set as null', () => {
    const wrongYear = example.DSMR_5_0.map((line) => line.replace('(240712091533S)', '(990712091533S)'));
    expect(decode(sealed(wrongYear)).meterTime).toBe('2099-07-12T09:15:33+02:00');
    expect(decode(sealed(example.KAMSTRUP)).meterTime).toBeNull();
  });

  it('keeps what it does not understand, as it was printed', () => {
    const odd = ['/ABC5', '', '1-0:199.99.9(abc*kWh)', 'hello'];
    expect(decode(sealed(odd)).unknown).toEqual(['1-0:199.99.9(abc*kWh)', 'hello']);
  });

  it.each(Object.entries(WITH_CRC))('prints every number of %s as it was printed', (_, lines) => {
    const decoded = decode(sealed(lines));
    expect(decoded.registers.length + decoded.channels.length).toBeGreaterThan(0);
    for (const { obis, value } of decoded.registers) {
      expect(value).toMatch(/^-?(0|[1-9]\d*)(\.\d+)?$/);
      const printed = lines.filter((line) => line.startsWith(`${obis}(`) || line.startsWith(`${obis}*255(`));
      const numbers = printed.flatMap((line) => line.match(/-?\d+(\.\d+)?(?=[*)])/g) ?? []);
      const decimals = value.split('.')[1]?.length ?? 0;
      expect(numbers.some((number) => Number(number).toFixed(decimals) === value)).toBe(true);
    }
  });
});

/** A line that is one number, as anybody would find it: a code, digits, and a unit or none. */
const ONE_NUMBER = /^\u0002?(\d+-\d+:[\d.:]+?)(?:\*255)?\( *(-?\d+(?:\.\d+)?)(?:\*?([A-Za-z]+3?) ?)?\)$/;
/** Identifiers, versions, types, messages, the clock and valves: they have a place of their own, or are no numbers. */
const NO_REGISTER = /:(96\.1\.|96\.13|96\.5\.|0\.0\.0|0\.[129]\.|24\.|98\.1\.|42\.0\.0|1\.0\.0|97\.)/;

const EVERY_DIALECT: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    Object.entries({ ...WITH_CRC, ...DIALECTS_WITH_CRC }).map(([name, lines]) => [name, sealed(lines)]),
  ),
  ...Object.fromEntries(
    Object.entries({ ACE4000, EBZ, ISKRA_D0, 'DSMR 2.2': example.DSMR_2_2, Iskra: example.ISKRA }).map(
      ([name, lines]) => [name, bare(lines)],
    ),
  ),
};

describe('no number that is printed is missing', () => {
  it.each(Object.entries(EVERY_DIALECT))('of %s', (_, text) => {
    const decoded = decode(text);
    const shown = decoded.registers.map(({ obis, value, unit }) => `${obis} ${Number(value)} ${unit ?? ''}`);
    let found = 0;
    for (const line of text.split('\r\n')) {
      const [, code, number, unit = ''] = ONE_NUMBER.exec(line) ?? [];
      if (code === undefined || NO_REGISTER.test(line)) continue;
      const obis = code.replace(/:(\d+):/, ':$1.');
      const spelled = unit.replace(/^kVAr/, 'kvar');
      expect(shown).toContain(`${obis} ${Number(number)} ${spelled}`);
      found += 1;
    }
    expect(found + decoded.channels.length).toBeGreaterThan(0);
  });

  it('not even one without a unit, which then is null', () => {
    expect(decode(sealed(LUXEMBOURG_UNITLESS)).registers).toContainEqual({
      obis: '0-0:17.0.0',
      value: '77.376',
      unit: null,
    });
  });

  it('nor one of another medium, which is a channel', () => {
    expect(decode(bare(ACE4000)).channels).toContainEqual({
      channel: 3,
      medium: 'gas',
      serial: '87654321',
      ean: null,
      obis: '7-0:23.1.0',
      time: '2020-07-01T13:00:00',
      value: '2240.690',
      unit: 'm3',
      valve: 1,
    });
    expect(decode(sealed(SLAVES)).channels.map(({ medium, value }) => [medium, value])).toEqual([
      ['electricity', '12785.111'],
      ['water', '785.222'],
      ['heat', '12785.333'],
      ['cooling', '12785.444'],
    ]);
  });
});

describe('a telegram as a table', () => {
  it('names what each line is, and shows no control character that came from the cable', () => {
    const text = sealed([...example.EMUCS_2_1_1.slice(0, -1), `0-0:96.13.0(${example.hex('\u001b[2Jboo')})`]);
    const table = telegramTable(readTelegrams(Buffer.from(text, 'latin1')).telegrams[0]!);
    expect(table).toContain('active energy import, rate 1');
    expect(table).toContain('breaker, ready for reconnection');
    expect(table).not.toContain('\u001b');
  });
});

const FOLDER = new URL('../../../../shared/telegrams/', import.meta.url);

/** What INDEX.md of the folder says, in the words of the JSON. */
const INDEX: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'dsmrparser-v2_2.txt': { '1-0:1.8.1': '1.001 kWh', '1-0:1.8.2': '1.001 kWh' },
  'dsmrparser-v3.txt': { '1-0:1.8.1': '12345.678 kWh', '1-0:2.8.2': '12345.678 kWh', '0-0:17.0.0': '16 A' },
  'dsmrparser-v4_2.txt': { '1-0:1.8.1': '1581.123 kWh', '1-0:1.8.2': '1435.706 kWh' },
  'dsmrparser-v5.txt': { '1-0:1.8.1': '4.426 kWh', '1-0:1.8.2': '2.399 kWh', '1-0:2.8.1': '2.444 kWh' },
  'dsmrparser-fluvius_v171.txt': {
    '1-0:1.8.1': '0.034 kWh',
    '1-0:1.8.2': '15.758 kWh',
    '1-0:2.8.1': '0.000 kWh',
    '1-0:2.8.2': '0.011 kWh',
    '1-0:1.6.0': '2.589 kW',
  },
  'dsmrparser-fluvius_v171_alt.txt': { '1-0:1.8.1': '301.548 kWh', '1-0:1.8.2': '270.014 kWh' },
  'spec-luxembourg-smarty-1.1.3.txt': {
    '1-0:1.8.0': '25.653 kWh',
    '1-0:2.8.0': '0.040 kWh',
    '0-0:17.0.0': '69.0 kVA',
  },
  'athom-iskra-mt-382-no-crc.txt': { '1-0:1.8.1': '39837.604 kWh', '1-0:2.8.1': '5174.479 kWh' },
  'dsmrparser-unpadded_crc.txt': {},
};

describe.skipIf(!existsSync(FOLDER))('published telegrams as JSON (../shared/telegrams)', () => {
  it.each(Object.entries(INDEX))('%s', (file, expected) => {
    const all = decodeAll(readFileSync(new URL(file, FOLDER)));
    expect(all).toHaveLength(1);
    expect(values(all[0]!)).toMatchObject(expected);
    expect(all[0]!.unknown).toEqual([]);
  });
});
