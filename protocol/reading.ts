import type { DeviceId, TenantId } from './identity.ts';

/**
 * The daily index: what one device tells one owner about one day. These are the types; `payload.ts`
 * holds their CBOR form. Every number is an integer: a register is `value × 10^scaler` of its unit.
 */
export type Medium = 'electricity' | 'gas' | 'water' | 'heat';

/** `A-B:C.D.E`, or `A-B:C.D.E*F` where F is not 255 (IEC 62056-61). */
export type ObisCode = string & { readonly __brand: 'ObisCode' };

/** Base units of registers (the DLMS unit of IEC 62056-62, never a kilo: the scaler says that). */
export type Unit = 'Wh' | 'varh' | 'VAh' | 'm3' | 'J' | 'W' | 'var' | 'VA' | 'V' | 'A' | 'count';

/** An instant with the offset that its clock had: nothing here depends on the host's time zone. */
export interface Timestamp {
  readonly epochSeconds: number;
  readonly offsetMinutes: number;
}

/** Quality flags: bits of an integer, per meter or per register. The router maps them to IEC 61968-9 codes. */
export const QUALITY = {
  clockInvalid: 1 << 0,
  powerFail: 1 << 1,
  registerFell: 1 << 2,
  registerJumped: 1 << 3,
  profileGap: 1 << 4,
  stale: 1 << 5,
  placeholder: 1 << 6,
  closedLate: 1 << 7,
} as const;
export type QualityFlag = keyof typeof QUALITY;

export interface Register {
  readonly obis: ObisCode;
  /** Safe integer, `value × 10^scaler` of `unit`. The scaler keeps the digits that the meter printed. */
  readonly value: number;
  readonly scaler: number;
  readonly unit: Unit;
  /** The capture time of the register itself, where it has one (M-Bus channels). */
  readonly time: Timestamp | null;
  readonly flags: number;
}

/** A load profile: consecutive periods from `start`; null is a period of which nothing is known (a gap). */
export interface Profile {
  readonly obis: ObisCode;
  readonly scaler: number;
  readonly unit: Unit;
  /** Epoch seconds at which the first period begins. */
  readonly start: number;
  readonly periodSeconds: number;
  /** 92, 96 or 100 quarter-hours (daylight saving); register increments, integers. */
  readonly deltas: readonly (number | null)[];
}

/** A demand peak: a quarter-hour average and when its period ended. */
export interface Peak {
  readonly obis: ObisCode;
  /** `YYYY-MM` of the month that it is the peak of. */
  readonly month: string;
  readonly time: Timestamp | null;
  readonly value: number;
  readonly scaler: number;
  readonly unit: Unit;
}

/** The lowest and highest value of a day (voltage, current). */
export interface Extreme {
  readonly obis: ObisCode;
  readonly min: number;
  readonly max: number;
  readonly scaler: number;
  readonly unit: Unit;
}

export interface MeterReading {
  readonly medium: Medium;
  /** 0 is the device's own meter, 1 to 4 an M-Bus channel. */
  readonly channel: number;
  readonly serial: string;
  /** 18 digits (GS1), or null where the meter does not know it. */
  readonly ean: string | null;
  readonly flags: number;
  readonly registers: readonly Register[];
  readonly profiles: readonly Profile[];
  readonly peaks: readonly Peak[];
  readonly extremes: readonly Extreme[];
}

export type ClockQuality = 'synchronised' | 'unsynchronised' | 'invalid';

export interface DailyIndex {
  readonly version: 1;
  /** The owner that this payload is sealed to; not always the home tenant of the device. */
  readonly tenant: TenantId;
  readonly device: DeviceId;
  /** Strictly rising per device and tenant; with them it is the idempotency key. */
  readonly sequence: number;
  /** `YYYY-MM-DD`, the local day (Europe/Brussels) that this closes. */
  readonly day: string;
  readonly capturedAt: Timestamp;
  readonly clock: ClockQuality;
  readonly meters: readonly MeterReading[];
}
