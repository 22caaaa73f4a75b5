import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readTelegrams } from './reader.ts';
import { type P1Telegram, printedValue } from './telegram.ts';
import { isoTime } from './time.ts';

/**
 * Telegrams that others published, beside the checkout and not part of it. Where the folder is not there, the
 * tests say so by being skipped; our own telegrams (`example.ts`) cover the same dialects.
 */
const FOLDER = new URL('../../../../shared/telegrams/', import.meta.url);

interface Expected {
  readonly crc: 'valid' | 'absent';
  readonly registers: Readonly<Record<string, string>>;
  readonly channels?: readonly string[];
  readonly peaks?: readonly string[];
  readonly also?: (telegram: P1Telegram) => void;
}

const PUBLISHED: Readonly<Record<string, Expected>> = {
  'dsmrparser-v2_2.txt': {
    crc: 'absent',
    registers: { '1-0:1.8.1': '1.001', '1-0:1.8.2': '1.001', '1-0:2.8.1': '1.001', '1-0:2.8.2': '1.001' },
    channels: ['1 gas 1.001 m3 2016-11-07T19:00:00'],
  },
  'dsmrparser-v3.txt': {
    crc: 'absent',
    registers: {
      '1-0:1.8.1': '12345.678',
      '1-0:1.8.2': '12345.678',
      '1-0:2.8.1': '12345.678',
      '1-0:2.8.2': '12345.678',
    },
    also: ({ limiter }) => expect(limiter).toMatchObject({ value: 16, scaler: 0, unit: 'A' }),
  },
  'dsmrparser-v4_2.txt': {
    crc: 'valid',
    registers: {
      '1-0:1.8.1': '1581.123',
      '1-0:1.8.2': '1435.706',
      '1-0:2.8.1': '0.000',
      '1-0:2.8.2': '0.000',
    },
    channels: ['1 gas 981.443 m3 2016-11-29T20:00:00+01:00'],
    also: ({ failures }) =>
      expect(failures.map(({ durationSeconds }) => durationSeconds)).toEqual([
        237126, 2147583646, 2317482647,
      ]),
  },
  'dsmrparser-v5.txt': {
    crc: 'valid',
    registers: { '1-0:1.8.1': '4.426', '1-0:1.8.2': '2.399', '1-0:2.8.1': '2.444', '1-0:2.8.2': '0.000' },
    channels: ['1 gas 0.107 m3 2017-01-02T16:10:05+01:00'],
    also: ({ channels }) => expect(channels[1]).toMatchObject({ channel: 2, readings: [] }),
  },
  'dsmrparser-fluvius_v171.txt': {
    crc: 'valid',
    registers: { '1-0:1.8.1': '0.034', '1-0:1.8.2': '15.758', '1-0:2.8.1': '0.000', '1-0:2.8.2': '0.011' },
    channels: ['1 gas 112.384 m3 2020-05-12T13:45:58+02:00', '2 water 872.234 m3 2020-05-12T13:45:58+02:00'],
    peaks: [
      '2020-05 2.589 2020-05-09T13:45:58+02:00',
      '2020-04 3.695 2020-04-23T19:25:38+02:00',
      '2020-03 5.980 2020-03-05T12:21:39+02:00',
      '2020-02 4.318 2020-02-10T03:54:21+01:00',
    ],
  },
  'dsmrparser-fluvius_v171_alt.txt': {
    crc: 'valid',
    registers: { '1-0:1.8.1': '301.548', '1-0:1.8.2': '270.014', '1-0:2.8.1': '0.005', '1-0:2.8.2': '0.000' },
    peaks: [
      '2023-11 3.064 2023-11-02T11:45:00+01:00',
      '2023-07 0.000 none',
      '2023-08 1.862 2023-08-31T18:15:00+02:00',
      '2023-09 4.229 2023-09-10T18:30:00+02:00',
      '2023-10 4.927 2023-10-16T13:00:00+02:00',
    ],
  },
  'spec-luxembourg-smarty-1.1.3.txt': {
    crc: 'valid',
    registers: { '1-0:1.8.0': '25.653', '1-0:2.8.0': '0.040', '1-0:3.8.0': '0.835', '1-0:4.8.0': '63.781' },
    channels: [
      '1 gas 0.006 m3 2020-07-06T10:31:40+02:00',
      '2 water 0.000  none',
      '3 water 0.000  none',
      '4 gas 28.103 m3 2020-07-06T10:29:00+02:00',
    ],
    also: ({ limiter }) => expect(printedValue(limiter!)).toBe('69.0'),
  },
  'athom-iskra-mt-382-no-crc.txt': {
    crc: 'absent',
    registers: {
      '1-0:1.8.1': '39837.604',
      '1-0:1.8.2': '30477.225',
      '1-0:2.8.1': '5174.479',
      '1-0:2.8.2': '11772.946',
    },
  },
  'dsmrparser-unpadded_crc.txt': {
    crc: 'valid',
    registers: {},
    channels: ['1 heat 240.860 GJ 2026-02-15T20:05:23+01:00'],
  },
};

const present = existsSync(FOLDER);
const read = (file: string) => readTelegrams(readFileSync(new URL(file, FOLDER)));

describe.skipIf(!present)('published telegrams (../shared/telegrams)', () => {
  it('yield nothing where the CRC is wrong: the example of the e-MUCS 2.1.1 document', () => {
    expect(read('athom-emucs-p1-v2.1.1-spec-example-1.txt')).toEqual({
      telegrams: [],
      faults: ['crc-invalid'],
    });
  });

  it('yield nothing, and break nothing, where they are encrypted', () => {
    expect(read('dsmrparser-encrypted-sagemcom.bin').telegrams).toEqual([]);
  });

  it.each(Object.entries(PUBLISHED))(
    'are read exactly: %s',
    (file, { crc, registers, channels, peaks, also }) => {
      const { telegrams, faults } = read(file);
      expect(faults).toEqual([]);
      expect(telegrams).toHaveLength(1);
      const telegram = telegrams[0]!;
      expect(telegram.crc).toBe(crc);
      expect(telegram.unknown).toEqual([]);
      expect(Object.fromEntries(telegram.registers.map((one) => [one.obis, printedValue(one)]))).toEqual(
        registers,
      );
      if (channels !== undefined) expect(channelsOf(telegram)).toEqual(channels);
      if (peaks !== undefined) expect(peaksOf(telegram)).toEqual(peaks);
      also?.(telegram);
    },
  );

  it('are read one after the other from one stream', () => {
    const files = Object.keys(PUBLISHED);
    const all = Buffer.concat(files.map((file) => readFileSync(new URL(file, FOLDER))));
    expect(readTelegrams(all)).toMatchObject({ telegrams: { length: files.length }, faults: [] });
  });
});

function channelsOf({ channels }: P1Telegram): string[] {
  return channels.flatMap(({ channel, medium, readings }) =>
    readings.map((reading) => {
      const time = reading.time === null ? 'none' : isoTime(reading.time);
      return `${channel} ${medium} ${printedValue(reading)} ${reading.printedUnit} ${time}`;
    }),
  );
}

function peaksOf({ monthPeak, peaks }: P1Telegram): string[] {
  return [monthPeak!, ...peaks].map(
    (peak) => `${peak.month} ${printedValue(peak)} ${peak.time === null ? 'none' : isoTime(peak.time)}`,
  );
}
