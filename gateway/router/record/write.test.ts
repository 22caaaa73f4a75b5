import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitsSchema } from '../../../deploy/mdm-standin/judge.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import {
  type DailyIndex,
  type MeterReading,
  type ObisCode,
  type Profile,
  QUALITY,
} from '../../../protocol/reading.ts';
import { seededRandom } from '../../runtime/random.ts';
import { plausibility } from '../plausibility.ts';
import { dailyIndex } from '../testing/arbitrary.ts';
import { householdIndex, MIDNIGHT_SECONDS } from '../testing/household.ts';
import { decimal } from './decimal.ts';
import { utcText } from './instants.ts';
import { createRecordWriter } from './write.ts';

const TENANT = 'ores' as TenantId;
const DEVICE = '0123456789abcdef' as DeviceId;
const SEED = 61968;

const write = createRecordWriter();
const recordOf = (index: DailyIndex) => JSON.parse(write(index, plausibility(index)).toString()) as Record_;

interface Quality {
  ReadingQualityType: { ref: string };
}
interface Reading {
  timeStamp?: string;
  Month?: string;
  value?: string;
  ReadingType: { ref: string; obis: string; unmapped?: true };
  ReadingQualities: Quality[];
}
interface Record_ {
  Header: { MessageID: string; Timestamp: string };
  Payload: {
    MeterReadings: {
      MeterReading: {
        Meter: { Names: { name: string; NameType: { name: string } }[] };
        ReadingQualities?: Quality[];
        Readings: Reading[];
        IntervalBlocks: {
          ReadingType: Reading['ReadingType'];
          IntervalReadings: { timeStamp: string; value?: string; ReadingQualities?: Quality[] }[];
        }[];
      }[];
    };
  };
}

const household = () => householdIndex(TENANT, DEVICE, 7, seededRandom(SEED));
const metersOf = (index: DailyIndex) => recordOf(index).Payload.MeterReadings.MeterReading;
const refs = (qualities: readonly Quality[] | undefined) =>
  qualities?.map(({ ReadingQualityType }) => ReadingQualityType.ref);

function withMeter(change: Partial<MeterReading>, index: DailyIndex = household()): DailyIndex {
  return { ...index, meters: [{ ...index.meters[0]!, ...change }] };
}

function withProfile(change: Partial<Profile>): DailyIndex {
  const index = household();
  return withMeter({ profiles: [{ ...index.meters[0]!.profiles[0]!, ...change }] }, index);
}

describe('the MDM record', () => {
  it('says that a quarter-hour is missing, and invents no value for it', () => {
    const deltas = Array.from({ length: 96 }, (_, at) => (at === 3 ? null : 34));
    const [block] = metersOf(withProfile({ deltas }))[0]!.IntervalBlocks;
    expect(block!.IntervalReadings[3]).toEqual({
      timeStamp: '2026-03-28T00:00:00Z',
      ReadingQualities: [{ ReadingQualityType: { ref: '1.5.259' } }],
    });
    expect(block!.IntervalReadings[2]).toEqual({ timeStamp: '2026-03-27T23:45:00Z', value: '0.034' });
  });

  it('says on the meter that its profile has gaps, and leaves valid what was read', () => {
    const index = withMeter({ flags: QUALITY.profileGap });
    for (const profiles of [index.meters[0]!.profiles, []]) {
      const [meter] = metersOf(withMeter({ profiles }, index));
      expect(refs(meter!.ReadingQualities)).toEqual(['1.5.259']);
      expect(meter!.Readings.length).toBeGreaterThan(2);
      for (const { ReadingQualities } of meter!.Readings) expect(refs(ReadingQualities)).toEqual(['1.0.0']);
    }
  });

  it('keeps the number of a code that it does not know, marked, with its unit', () => {
    const register = {
      obis: '1-0:99.8.0' as ObisCode,
      value: 1_500,
      scaler: 0,
      unit: 'Wh',
      time: null,
      flags: 0,
    } as const;
    const [reading] = metersOf(withMeter({ registers: [register] }))[0]!.Readings;
    expect(reading).toMatchObject({
      value: '1.500',
      ReadingType: { ref: '0.0.0.0.0.1.0.0.0.0.0.0.0.0.0.3.72.0', obis: '1-0:99.8.0', unmapped: true },
    });
  });

  it('says of a meter without a reading what is wrong with it, on the meter', () => {
    const [meter] = metersOf(
      withMeter({ registers: [], peaks: [], extremes: [], profiles: [], flags: QUALITY.powerFail }),
    );
    expect(meter!.Readings).toEqual([]);
    expect(refs(meter!.ReadingQualities)).toEqual(['1.2.32', '2.5.259']);
  });

  it.each([
    ['powerFail', '1.2.32'],
    ['clockInvalid', '1.1.9'],
    ['registerFell', '1.5.258'],
    ['stale', '1.4.129'],
    ['placeholder', '1.5.257'],
  ] as const)('states the flag %s as %s beside the reading', (flag, code) => {
    const [register] = household().meters[0]!.registers;
    const index = withMeter({ registers: [{ ...register!, flags: QUALITY[flag] }] });
    expect(refs(metersOf(index)[0]!.Readings[0]!.ReadingQualities)).toEqual([code]);
  });

  it('doubts every time stamp of a clock that was not synchronised', () => {
    const [meter] = metersOf({ ...household(), clock: 'unsynchronised' });
    expect(refs(meter!.Readings[0]!.ReadingQualities)).toEqual(['1.1.9']);
    expect(refs(meter!.IntervalBlocks[0]!.IntervalReadings[0]!.ReadingQualities)).toEqual(['1.1.9']);
  });

  it('is valid from the device where nothing was flagged or found', () => {
    const [meter] = metersOf(household());
    for (const { ReadingQualities } of meter!.Readings) expect(refs(ReadingQualities)).toEqual(['1.0.0']);
    expect(meter!.IntervalBlocks[0]!.IntervalReadings[0]!.ReadingQualities).toBeUndefined();
  });

  it.each([
    ['gas, m³', 'gas', '0-1:24.2.3', 'm3', 981_443, -3, '981.443'],
    ['electricity, Wh stated in kWh', 'electricity', '1-0:1.8.1', 'Wh', 1_234_500, 0, '1234.500'],
    ['heat, MJ stated in GJ', 'heat', '0-1:24.2.1', 'J', 12_345, 6, '12.345'],
    ['water, litres stated in m³', 'water', '0-2:24.2.1', 'm3', 872_234, -3, '872.234'],
  ] as const)('prints the digits of the meter: %s', (_, medium, obis, unit, value, scaler, text) => {
    const register = { obis: obis as ObisCode, value, scaler, unit, time: null, flags: 0 };
    const [reading] = metersOf(withMeter({ medium, registers: [register] }))[0]!.Readings;
    expect(reading).toMatchObject({ value: text, ReadingType: { obis } });
    expect(reading!.ReadingType.unmapped).toBeUndefined();
  });

  it.each([
    [
      '96 on a usual day',
      '2026-03-28',
      MIDNIGHT_SECONDS - 86_400,
      96,
      '2026-03-27T23:15:00Z',
      '2026-03-28T23:00:00Z',
    ],
    [
      '92 when summer time begins',
      '2026-03-29',
      MIDNIGHT_SECONDS,
      92,
      '2026-03-28T23:15:00Z',
      '2026-03-29T22:00:00Z',
    ],
    [
      '100 when it ends',
      '2026-10-25',
      Date.UTC(2026, 9, 24, 22) / 1_000,
      100,
      '2026-10-24T22:15:00Z',
      '2026-10-25T23:00:00Z',
    ],
  ])('stamps the ends of the quarter-hours of a day, %s', (_, day, start, count, first, last) => {
    const index = { ...withProfile({ start, deltas: Array.from({ length: count }, () => 1) }), day };
    const { IntervalReadings } = metersOf(index)[0]!.IntervalBlocks[0]!;
    expect(IntervalReadings).toHaveLength(count);
    expect(IntervalReadings[0]!.timeStamp).toBe(first);
    expect(IntervalReadings.at(-1)!.timeStamp).toBe(last);
    expect(plausibility(index)).toEqual([]);
  });

  it('names the meter, its key and when it was captured, in local time', () => {
    const record = recordOf(household());
    expect(record.Header).toMatchObject({
      MessageID: '0123456789abcdef/ores/7',
      Timestamp: '2026-03-29T00:00:00+01:00',
    });
    expect(record.Payload.MeterReadings.MeterReading[0]!.Meter.Names).toEqual([
      { name: '1SAG1105075799', NameType: { name: 'serial' } },
      { name: '541448820000000008', NameType: { name: 'EAN' } },
    ]);
  });

  it('states a peak by its month, also where the meter did not know its moment', () => {
    const [peak] = household().meters[0]!.peaks;
    const [reading] = metersOf(withMeter({ registers: [], peaks: [{ ...peak!, time: null }] }))[0]!.Readings;
    expect(reading).toMatchObject({ Month: '2026-03', value: '4.329' });
    expect(reading!.timeStamp).toBeUndefined();
  });

  it('escapes whatever a serial number holds, and stays ASCII', () => {
    const bytes = write(withMeter({ serial: 'a"b\\c\u0007é€😀' }), []);
    expect(bytes.every((byte) => byte < 0x80)).toBe(true);
    const { MeterReadings } = (JSON.parse(bytes.toString()) as Record_).Payload;
    expect(MeterReadings.MeterReading[0]!.Meter.Names[0]!.name).toBe('a"b\\c\u0007é€😀');
  });

  it('keeps to the published schema, number by number, for every index that the codec lets through', () => {
    fc.assert(
      fc.property(dailyIndex, (index) => {
        const record = recordOf(index);
        expect(fitsSchema(record)).toBe(true);
        expect(write(index, plausibility(index)).equals(write(index, plausibility(index)))).toBe(true);
        for (const [meterAt, meter] of index.meters.entries())
          for (const [at, profile] of meter.profiles.entries()) {
            const block = record.Payload.MeterReadings.MeterReading[meterAt]!.IntervalBlocks[at]!;
            const multiplier = Number(block.ReadingType.ref.split('.')[15]);
            const { start, periodSeconds, deltas, scaler } = profile;
            expect(block.IntervalReadings.map(({ timeStamp, value }) => [timeStamp, value])).toEqual(
              deltas.map((delta, i) => [
                utcText(start + (i + 1) * periodSeconds),
                delta === null ? undefined : decimal(delta, scaler - multiplier),
              ]),
            );
          }
      }),
      { seed: SEED, numRuns: 60 },
    );
  });
});
