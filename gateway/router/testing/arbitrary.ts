import fc from 'fast-check';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import {
  CHANNEL_MAX,
  DELTAS_MAX,
  EPOCH_SECONDS_MAX,
  EXTREMES_MAX,
  METERS_MAX,
  PEAKS_MAX,
  PROFILES_MAX,
  REGISTERS_MAX,
  SEQUENCE_MAX,
} from '../../../protocol/limits.ts';
import type { DailyIndex, MeterReading, ObisCode, Unit } from '../../../protocol/reading.ts';
import { READING_TYPES } from '../record/reading-types.ts';

/** Daily indexes of every kind that the codec lets through, likely and unlikely ones. */

const UNITS: readonly Unit[] = ['Wh', 'varh', 'VAh', 'm3', 'J', 'W', 'var', 'VA', 'V', 'A', 'count'];

const byte = fc.integer({ min: 0, max: 255 });
const obis = fc.oneof(
  fc.constantFrom(...READING_TYPES.map((row) => row.obis.replace('n', '1') as ObisCode)),
  fc
    .tuple(byte, byte, byte, byte, byte, fc.option(fc.integer({ min: 0, max: 254 })))
    .map(([a, b, c, d, e, f]) => `${a}-${b}:${c}.${d}.${e}${f === null ? '' : `*${f}`}` as ObisCode),
);
const unit = fc.constantFrom(...UNITS);
const scaler = fc.oneof(fc.constantFrom(0, -3), fc.integer({ min: -9, max: 9 }));
const value = fc.oneof(fc.integer({ min: 0, max: 99_999 }), fc.maxSafeInteger());
const flags = fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff }));
const epochSeconds = fc.oneof(
  fc.integer({ min: 1_700_000_000, max: 1_900_000_000 }),
  fc.integer({ min: 0, max: EPOCH_SECONDS_MAX }),
);
const timestamp = fc.record({
  epochSeconds,
  offsetMinutes: fc.oneof(fc.constantFrom(60, 120), fc.integer({ min: -720, max: 840 })),
});
const time = fc.option(timestamp);
const day = fc
  .integer({ min: 0, max: EPOCH_SECONDS_MAX })
  .map((seconds) => new Date(seconds * 1_000).toISOString().slice(0, 10));
const delta = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 12_000 }) },
  fc.constant(null),
  value,
);

const meter: fc.Arbitrary<MeterReading> = fc.record({
  medium: fc.constantFrom('electricity', 'gas', 'water', 'heat'),
  channel: fc.integer({ min: 0, max: CHANNEL_MAX }),
  serial: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 64 }),
  ean: fc.option(fc.stringMatching(/^54[0-9]{16}$/)),
  flags,
  registers: fc.array(fc.record({ obis, value, scaler, unit, time, flags }), { maxLength: REGISTERS_MAX }),
  profiles: fc.array(
    fc.record({
      obis,
      scaler,
      unit,
      start: epochSeconds,
      periodSeconds: fc.oneof(fc.constantFrom(900, 3_600), fc.integer({ min: 1, max: 86_400 })),
      deltas: fc.array(delta, { minLength: 1, maxLength: DELTAS_MAX }),
    }),
    { maxLength: PROFILES_MAX },
  ),
  peaks: fc.array(
    fc.record({ obis, month: day.map((text) => text.slice(0, 7)), time, value, scaler, unit }),
    { maxLength: PEAKS_MAX },
  ),
  extremes: fc.array(fc.record({ obis, min: value, max: value, scaler, unit }), { maxLength: EXTREMES_MAX }),
});

export const dailyIndex: fc.Arbitrary<DailyIndex> = fc.record({
  version: fc.constant(1 as const),
  tenant: fc.constantFrom('ores' as TenantId, 'farys' as TenantId),
  device: fc.stringMatching(/^[0-9a-f]{16}$/).map((text) => text as DeviceId),
  sequence: fc.integer({ min: 1, max: SEQUENCE_MAX }),
  day,
  capturedAt: timestamp,
  clock: fc.constantFrom('synchronised', 'unsynchronised', 'invalid'),
  meters: fc.array(meter, { minLength: 1, maxLength: METERS_MAX }),
});
