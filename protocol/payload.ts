import { asMessageError, fits } from './cbor/error.ts';
import { CborReader } from './cbor/reader.ts';
import { always, fields, row, unlessEmpty, unlessNull, unlessZero } from './cbor/record.ts';
import {
  choice,
  integer,
  list,
  mapped,
  nullable,
  type Shape,
  safeInteger,
  series,
  text,
} from './cbor/shape.ts';
import { versionOne } from './cbor/version.ts';
import { CborWriter } from './cbor/writer.ts';
import { DAY_NUMBER_MAX, dayOfNumber, numberOfDay } from './day.ts';
import { HesError } from './errors.ts';
import { DEVICE_SHAPE, TENANT_SHAPE } from './identity-shape.ts';
import {
  CHANNEL_MAX,
  DELTAS_MAX,
  EPOCH_SECONDS_MAX,
  EXTREMES_MAX,
  METERS_MAX,
  PAYLOAD_BYTES_MAX,
  PEAKS_MAX,
  PROFILES_MAX,
  REGISTERS_MAX,
  SEQUENCE_MAX,
  SERIAL_LENGTH_MAX,
} from './limits.ts';
import { obisBytes, obisOfNumber } from './obis.ts';
import type {
  ClockQuality,
  DailyIndex,
  Extreme,
  Medium,
  MeterReading,
  ObisCode,
  Peak,
  Profile,
  Register,
  Timestamp,
  Unit,
} from './reading.ts';

/**
 * The CBOR form of a daily index (docs/protocol/payload.cddl): maps with integer keys where members may come
 * to join, arrays where a thing repeats. A member that says nothing is not written.
 */

const MEDIA: Readonly<Record<Medium, number>> = { electricity: 0, gas: 1, water: 2, heat: 3 };
const CLOCKS: Readonly<Record<ClockQuality, number>> = { synchronised: 0, unsynchronised: 1, invalid: 2 };

/** The numbers of the DLMS unit enumeration (IEC 62056-6-2, table 4). */
const UNITS: Readonly<Record<Unit, number>> = {
  m3: 13,
  J: 25,
  W: 27,
  VA: 28,
  var: 29,
  Wh: 30,
  VAh: 31,
  varh: 32,
  A: 33,
  V: 35,
  count: 255,
};

/** Ten to the minus nine up to ten to the nine: nano to giga of the base unit. */
const scaler = integer(-9, 9);
const unit = choice(UNITS);
const flags = integer(0, 0xffff);
const epochSeconds = integer(0, EPOCH_SECONDS_MAX);

export const OBIS_SHAPE: Shape<ObisCode> = {
  write(writer, code) {
    const bytes = obisBytes(code);
    fits(bytes !== undefined, 'an OBIS code');
    writer.bytes(bytes);
  },
  read: (reader) => obisOfNumber(reader.sixBytes()),
};

const offsetMinutes = integer(-12 * 60, 14 * 60);
const timestamp = row<Timestamp>({ epochSeconds, offsetMinutes }, (r) => ({
  epochSeconds: epochSeconds.read(r),
  offsetMinutes: offsetMinutes.read(r),
}));
const time = nullable(timestamp);

const register = row<Register>({ obis: OBIS_SHAPE, value: safeInteger, scaler, unit, flags, time }, (r) => ({
  obis: OBIS_SHAPE.read(r),
  value: r.integer(),
  scaler: scaler.read(r),
  unit: unit.read(r),
  flags: flags.read(r),
  time: r.isNull() ? null : timestamp.read(r),
}));

const profile = row<Profile>({
  obis: OBIS_SHAPE,
  scaler,
  unit,
  start: epochSeconds,
  periodSeconds: integer(1, 86_400),
  deltas: series(1, DELTAS_MAX),
});

const MONTH_PATTERN = /^(\d{4})-(0[1-9]|1[0-2])$/;

/** Months since January of year 0, so that a month is one integer. */
const month: Shape<string> = mapped(
  integer(1970 * 12, 9999 * 12 + 11),
  'a month, YYYY-MM',
  (value) => {
    const match = MONTH_PATTERN.exec(value);
    return match === null ? undefined : Number(match[1]) * 12 + Number(match[2]) - 1;
  },
  (months) => {
    const ofYear = (months % 12) + 1;
    return `${Math.floor(months / 12)}-${ofYear < 10 ? '0' : ''}${ofYear}`;
  },
);

const peak = row<Peak>({ obis: OBIS_SHAPE, month, value: safeInteger, scaler, unit, time });
const extreme = row<Extreme>({ obis: OBIS_SHAPE, min: safeInteger, max: safeInteger, scaler, unit }, (r) => ({
  obis: OBIS_SHAPE.read(r),
  min: r.integer(),
  max: r.integer(),
  scaler: scaler.read(r),
  unit: unit.read(r),
}));

/** Printable ASCII, as every P1 dialect and M-Bus identification prints it. */
const serial = text(/^[\x20-\x7e]+$/, SERIAL_LENGTH_MAX);
/** GS1: 18 digits. Whether its check digit holds is admission's question, not the codec's. */
const ean = text(/^\d{18}$/, 18);

export const METER_SHAPE = fields<MeterReading>({
  medium: always(1, choice(MEDIA)),
  channel: always(2, integer(0, CHANNEL_MAX)),
  serial: always(3, serial),
  ean: unlessNull(4, ean),
  flags: unlessZero(5, flags),
  registers: unlessEmpty(6, list(register, 0, REGISTERS_MAX)),
  profiles: unlessEmpty(7, list(profile, 0, PROFILES_MAX)),
  peaks: unlessEmpty(8, list(peak, 0, PEAKS_MAX)),
  extremes: unlessEmpty(9, list(extreme, 0, EXTREMES_MAX)),
});

const version = versionOne('ERR_PAYLOAD_VERSION', 'a payload version');

const dailyIndex = fields<DailyIndex>({
  version: always(1, version),
  tenant: always(2, TENANT_SHAPE),
  device: always(3, DEVICE_SHAPE),
  sequence: always(4, integer(1, SEQUENCE_MAX)),
  day: always(5, mapped(integer(0, DAY_NUMBER_MAX), 'a day, YYYY-MM-DD', numberOfDay, dayOfNumber)),
  capturedAt: always(6, timestamp),
  clock: always(7, choice(CLOCKS)),
  meters: always(8, list(METER_SHAPE, 1, METERS_MAX)),
});

const CODES = { schema: 'ERR_PAYLOAD_SCHEMA', form: 'ERR_PAYLOAD_CBOR' } as const;
const writer = new CborWriter(PAYLOAD_BYTES_MAX);

/**
 * The deterministic CBOR of a daily index: equal indexes give equal bytes.
 * @throws ERR_PAYLOAD_SCHEMA where a member is out of its range (`context.field` says which);
 *   ERR_PAYLOAD_CBOR where the whole is larger than PAYLOAD_BYTES_MAX.
 */
export function encodeDailyIndex(index: DailyIndex): Uint8Array {
  try {
    return writer.write(() => dailyIndex.write(writer, index));
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/**
 * Parse a daily index, once, at the door: behind it every member is known to be in range.
 * @throws ERR_PAYLOAD_CBOR where the bytes are not bounded deterministic CBOR; ERR_PAYLOAD_VERSION where they
 *   are of a version that this side does not know; ERR_PAYLOAD_SCHEMA with `context.field` where a member is
 *   missing, unknown or out of its range
 */
export function decodeDailyIndex(bytes: Uint8Array): DailyIndex {
  if (bytes.length > PAYLOAD_BYTES_MAX)
    throw new HesError('ERR_PAYLOAD_CBOR', 'the payload is larger than the limit', {
      context: { length: bytes.length, lengthMax: PAYLOAD_BYTES_MAX },
    });
  try {
    const reader = new CborReader(bytes);
    const index = dailyIndex.read(reader);
    reader.end();
    return index;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}
