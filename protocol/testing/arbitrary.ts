import fc from 'fast-check';
import type { DeviceId, TenantId } from '../identity.ts';
import {
  CHANNEL_MAX,
  DELTAS_MAX,
  EPOCH_SECONDS_MAX,
  EXTREMES_MAX,
  METERS_MAX,
  PEAKS_MAX,
  PROFILES_MAX,
  REGISTERS_MAX,
  SERIAL_LENGTH_MAX,
} from '../limits.ts';
import { obisOfBytes } from '../obis.ts';
import type {
  DailyIndex,
  Extreme,
  MeterReading,
  Peak,
  Profile,
  Register,
  Timestamp,
  Unit,
} from '../reading.ts';
import { QUALITY } from '../reading.ts';

/** Any daily index that the types and the limits allow; property tests draw from it. */

const UNITS: readonly Unit[] = ['Wh', 'varh', 'VAh', 'm3', 'J', 'W', 'var', 'VA', 'V', 'A', 'count'];
const FLAGS_MAX = Object.values(QUALITY).reduce((all, flag) => all | flag, 0);

const obis = fc.uint8Array({ minLength: 6, maxLength: 6 }).map((bytes) => obisOfBytes(bytes)!);
const value = fc.maxSafeInteger();
const scaler = fc.integer({ min: -9, max: 9 });
const unit = fc.constantFrom(...UNITS);
const flags = fc.integer({ min: 0, max: FLAGS_MAX });
const epochSeconds = fc.oneof(
  fc.integer({ min: 1_700_000_000, max: 1_900_000_000 }),
  fc.integer({ min: 0, max: EPOCH_SECONDS_MAX }),
);
const timestamp: fc.Arbitrary<Timestamp> = fc.record({
  epochSeconds,
  offsetMinutes: fc.integer({ min: -720, max: 840 }),
});
const time = fc.option(timestamp, { nil: null });

const register: fc.Arbitrary<Register> = fc.record({ obis, value, scaler, unit, time, flags });
const profile: fc.Arbitrary<Profile> = fc.record({
  obis,
  scaler,
  unit,
  start: epochSeconds,
  periodSeconds: fc.integer({ min: 1, max: 86_400 }),
  deltas: fc.array(fc.option(fc.oneof(fc.nat(2_000), value), { nil: null, freq: 20 }), {
    minLength: 1,
    maxLength: DELTAS_MAX,
  }),
});
const month = fc
  .record({ year: fc.integer({ min: 1970, max: 9999 }), month: fc.integer({ min: 1, max: 12 }) })
  .map((date) => `${date.year}-${String(date.month).padStart(2, '0')}`);
const peak: fc.Arbitrary<Peak> = fc.record({ obis, month, time, value, scaler, unit });
const extreme: fc.Arbitrary<Extreme> = fc.record({ obis, min: value, max: value, scaler, unit });

const printable = fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code));
const digit = fc.constantFrom(...'0123456789');

const meter: fc.Arbitrary<MeterReading> = fc.record({
  medium: fc.constantFrom('electricity', 'gas', 'water', 'heat'),
  channel: fc.integer({ min: 0, max: CHANNEL_MAX }),
  serial: fc.string({ unit: printable, minLength: 1, maxLength: SERIAL_LENGTH_MAX }),
  ean: fc.option(fc.string({ unit: digit, minLength: 18, maxLength: 18 }), { nil: null }),
  flags,
  // Small as a rule: the largest of everything would be larger than a payload may be.
  registers: fc.array(register, { maxLength: Math.min(12, REGISTERS_MAX) }),
  profiles: fc.array(profile, { maxLength: Math.min(3, PROFILES_MAX) }),
  peaks: fc.array(peak, { maxLength: Math.min(4, PEAKS_MAX) }),
  extremes: fc.array(extreme, { maxLength: Math.min(6, EXTREMES_MAX) }),
});

const DAY_MAX = Math.floor(EPOCH_SECONDS_MAX / 86_400);

export const anyDailyIndex: fc.Arbitrary<DailyIndex> = fc.record({
  version: fc.constant(1 as const),
  tenant: fc.constantFrom('ores', 'fluvius', 'dewatergroep', 'x1') as fc.Arbitrary<TenantId>,
  device: fc
    .uint8Array({ minLength: 8, maxLength: 8 })
    .map((bytes) => Buffer.from(bytes).toString('hex') as DeviceId),
  sequence: fc.oneof(
    fc.integer({ min: 1, max: 5_000 }),
    fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  ),
  day: fc
    .integer({ min: 0, max: DAY_MAX })
    .map((day) => new Date(day * 86_400_000).toISOString().slice(0, 10)),
  capturedAt: timestamp,
  clock: fc.constantFrom('synchronised', 'unsynchronised', 'invalid'),
  meters: fc.array(meter, { minLength: 1, maxLength: Math.min(2, METERS_MAX) }),
});
