import { type CborItem, decodeCbor, encodeCbor } from './cbor/codec.ts';
import {
  byteString,
  choice,
  fields,
  integer,
  list,
  literal,
  Misfit,
  mapped,
  nullable,
  row,
  type Shape,
  safeInteger,
  text,
} from './cbor/shape.ts';
import { dayOfNumber, numberOfDay } from './day.ts';
import { HesError } from './errors.ts';
import { DEVICE_SHAPE, TENANT_SHAPE } from './identity-shape.ts';
import {
  CHANNEL_MAX,
  DELTAS_MAX,
  EPOCH_SECONDS_MAX,
  EXTREMES_MAX,
  METERS_MAX,
  PAYLOAD_BOUNDS,
  PEAKS_MAX,
  PROFILES_MAX,
  REGISTERS_MAX,
  SEQUENCE_MAX,
  SERIAL_LENGTH_MAX,
} from './limits.ts';
import { OBIS_BYTES, obisBytes, obisOfBytes } from './obis.ts';
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

const obis: Shape<ObisCode> = mapped(
  byteString(OBIS_BYTES, OBIS_BYTES),
  'an OBIS code',
  obisBytes,
  obisOfBytes,
);

const timestamp = row<Timestamp>({ epochSeconds, offsetMinutes: integer(-12 * 60, 14 * 60) });
const time = nullable(timestamp);

const register = row<Register>({ obis, value: safeInteger, scaler, unit, flags, time });

const profile = row<Profile>({
  obis,
  scaler,
  unit,
  start: epochSeconds,
  periodSeconds: integer(1, 86_400),
  deltas: list(nullable(safeInteger), 1, DELTAS_MAX),
});

const MONTH_PATTERN = /^(\d{4})-(0[1-9]|1[0-2])$/;

/** Months since January of year 0, so that a month is one integer. */
const month: Shape<string> = mapped(
  integer(0, 9999 * 12 + 11),
  'a month, YYYY-MM',
  (value) => {
    const match = MONTH_PATTERN.exec(value);
    return match === null ? undefined : Number(match[1]) * 12 + Number(match[2]) - 1;
  },
  (months) => {
    const year = String(Math.floor(months / 12)).padStart(4, '0');
    return `${year}-${String((months % 12) + 1).padStart(2, '0')}`;
  },
);

const peak = row<Peak>({ obis, month, value: safeInteger, scaler, unit, time });
const extreme = row<Extreme>({ obis, min: safeInteger, max: safeInteger, scaler, unit });

/** Printable ASCII, as every P1 dialect and M-Bus identification prints it. */
const serial = text(/^[\x20-\x7e]+$/, SERIAL_LENGTH_MAX);
/** GS1: 18 digits. Whether its check digit holds is admission's question, not the codec's. */
const ean = text(/^\d{18}$/, 18);

const isEmpty = (entries: readonly unknown[]): boolean => entries.length === 0;
const isNull = (value: unknown): boolean => value === null;
const isZero = (value: number): boolean => value === 0;

const meter = fields<MeterReading>({
  medium: [1, choice(MEDIA)],
  channel: [2, integer(0, CHANNEL_MAX)],
  serial: [3, serial],
  ean: [4, nullable(ean), isNull, null],
  flags: [5, flags, isZero, 0],
  registers: [6, list(register, 0, REGISTERS_MAX), isEmpty, []],
  profiles: [7, list(profile, 0, PROFILES_MAX), isEmpty, []],
  peaks: [8, list(peak, 0, PEAKS_MAX), isEmpty, []],
  extremes: [9, list(extreme, 0, EXTREMES_MAX), isEmpty, []],
});

const VERSION_KEY = 1;
const VERSION = 1;

const dailyIndex = fields<DailyIndex>({
  version: [VERSION_KEY, literal(VERSION)],
  tenant: [2, TENANT_SHAPE],
  device: [3, DEVICE_SHAPE],
  sequence: [4, integer(1, SEQUENCE_MAX)],
  day: [5, mapped(integer(0, EPOCH_SECONDS_MAX / 86_400), 'a day, YYYY-MM-DD', numberOfDay, dayOfNumber)],
  capturedAt: [6, timestamp],
  clock: [7, choice(CLOCKS)],
  meters: [8, list(meter, 1, METERS_MAX)],
});

/**
 * The deterministic CBOR of a daily index: equal indexes give equal bytes.
 * @throws ERR_PAYLOAD_SCHEMA where a member is out of its range (`context.field` says which);
 *   ERR_PAYLOAD_CBOR where the whole is larger than PAYLOAD_BYTES_MAX.
 */
export function encodeDailyIndex(index: DailyIndex): Uint8Array {
  try {
    return encodeCbor(dailyIndex.encode(index), PAYLOAD_BOUNDS);
  } catch (error) {
    throw payloadError(error);
  }
}

/**
 * Parse a daily index, once, at the door: behind it every member is known to be in range.
 * @throws ERR_PAYLOAD_CBOR where the bytes are not bounded deterministic CBOR; ERR_PAYLOAD_VERSION where they
 *   are a version that this code does not know; ERR_PAYLOAD_SCHEMA with `context.field` otherwise.
 */
export function decodeDailyIndex(bytes: Uint8Array): DailyIndex {
  try {
    const item = decodeCbor(bytes, PAYLOAD_BOUNDS);
    refuseOtherVersions(item);
    return dailyIndex.decode(item);
  } catch (error) {
    throw payloadError(error);
  }
}

function refuseOtherVersions(item: CborItem): void {
  if (!(item instanceof Map)) return;
  const version: unknown = item.get(VERSION_KEY);
  if (typeof version === 'number' && version !== VERSION)
    throw new HesError('ERR_PAYLOAD_VERSION', 'a payload version that this side does not know', {
      context: { version },
    });
}

/** The field and what it should have been; never what was there, which may be a reading. */
function payloadError(error: unknown): unknown {
  if (error instanceof Misfit)
    return new HesError('ERR_PAYLOAD_SCHEMA', `${error.field}: expected ${error.message}`, {
      context: { field: error.field },
    });
  if (error instanceof HesError && error.code.startsWith('ERR_CBOR_'))
    return new HesError('ERR_PAYLOAD_CBOR', `the payload is not CBOR that we take: ${error.message}`, {
      cause: error,
      context: error.context,
    });
  return error;
}
