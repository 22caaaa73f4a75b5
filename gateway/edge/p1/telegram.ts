import type { Medium, ObisCode } from '../../../protocol/reading.ts';
import type { P1Time } from './time.ts';
import { type P1Unit, unitExponent } from './units.ts';

/**
 * What one telegram says, in the meter's own terms. `snapshot.ts` makes of it what the edge keeps.
 * Every number is exact: `value × 10^scaler` of `unit`; `printedUnit` is how the meter wrote it (kWh, GJ).
 */
export interface P1Quantity {
  readonly obis: ObisCode;
  readonly value: number;
  readonly scaler: number;
  readonly unit: P1Unit;
  readonly printedUnit: string;
}

/** A demand peak: an average over a quarter-hour. Its time is null where the meter printed a placeholder. */
export interface P1Peak extends P1Quantity {
  /** `YYYY-MM`; null where neither a period end nor a time tells it. */
  readonly month: string | null;
  readonly time: P1Time | null;
}

/** A reading that an M-Bus device gave at `time`. */
export interface P1Reading {
  readonly obis: ObisCode;
  readonly value: number;
  readonly scaler: number;
  /** Null where none was printed: Luxembourg's empty channels say `(00000.000)`. */
  readonly unit: P1Unit | null;
  readonly printedUnit: string;
  readonly time: P1Time | null;
  /** The capture time is one that stands for "never". */
  readonly placeholder: boolean;
}

export interface P1Channel {
  /** 1 to 4. Not an identity: a replaced meter comes back under another number. */
  readonly channel: number;
  readonly deviceType: number | null;
  readonly medium: Medium | null;
  readonly serial: string | null;
  readonly ean: string | null;
  readonly valve: number | null;
  readonly readings: readonly P1Reading[];
}

export interface P1Failure {
  readonly time: P1Time | null;
  readonly durationSeconds: number;
}

export interface P1Message {
  readonly obis: ObisCode;
  readonly text: string;
}

export interface P1Telegram {
  /** The first line without its `/`: manufacturer, speed and type. */
  readonly header: string;
  readonly crc: 'valid' | 'absent';
  /**
   * How it came: in the clear, encrypted with a tag that was right, or encrypted and taken without a tag, because
   * that was asked for. The last may have been altered on its way by anybody.
   */
  readonly encryption: 'none' | 'verified' | 'unverified';
  /** `42`, `50`, `50217` …, as printed; DSMR 2.2 and 3 say nothing. */
  readonly version: string | null;
  /** Null where the clock says nothing, or what no clock says. */
  readonly meterTime: P1Time | null;
  /** A clock line was there, but its time was a placeholder or no time. */
  readonly clockInvalid: boolean;
  readonly serial: string | null;
  /** 18 digits, or null. */
  readonly ean: string | null;
  readonly registers: readonly P1Quantity[];
  readonly instants: readonly P1Quantity[];
  /** Numbers that the standard knows and the edge does not keep, and those that lack the unit they should have. */
  readonly others: readonly P1Quantity[];
  readonly monthPeak: P1Peak | null;
  /** The closed months, in the meter's order. */
  readonly peaks: readonly P1Peak[];
  readonly tariff: number | null;
  /** 0 open, 1 closed, 2 ready for reconnection. */
  readonly breaker: number | null;
  /** Relays 1 to 4: no M-Bus channels, although they are numbered alike. */
  readonly relays: readonly { readonly relay: number; readonly state: number }[];
  readonly limiter: P1Quantity | null;
  readonly fuses: readonly P1Quantity[];
  /** 400, or 230 where the grid is a delta. */
  readonly gridVolts: number | null;
  readonly counters: readonly P1Quantity[];
  readonly failures: readonly P1Failure[];
  /** 0-0:96.13.0. */
  readonly text: string | null;
  /** The other messages (96.13.1 to .5), where they say something. */
  readonly messages: readonly P1Message[];
  readonly channels: readonly P1Channel[];
  /** Lines that are not understood, as printed. */
  readonly unknown: readonly string[];
}

/** Why a frame is no telegram. It then yields nothing at all, however good some of its lines look. */
export const P1_FAULTS = {
  'crc-invalid': 'the CRC that is printed is not that of the text',
  'crc-missing': 'this version of the specification prints a CRC, and there is none',
  cut: 'the telegram ends before its last line',
  damaged: 'without a CRC, and a line is broken or contradicts another',
  overlong: 'longer than any telegram; dropped to find the next one',
  empty: 'no line of it has the form of a reading',
  encrypted: 'encrypted, and no key was given',
  'tag-invalid': 'encrypted, and its tag is not that of its content: another key, or altered on its way',
  untagged: 'encrypted without a tag: anybody on the cable can alter it',
  dlms: 'opened, and what is inside is a DLMS notification as Austrian and Norwegian meters push it: no P1 text',
  'not-text': 'opened, and what is inside is no telegram text: another key, or another protocol',
} as const;
export type P1Fault = keyof typeof P1_FAULTS;

export type P1Outcome =
  | { readonly ok: true; readonly telegram: P1Telegram }
  | { readonly ok: false; readonly fault: P1Fault };

/** The value in the unit that was printed, as a decimal without leading zeros: `0.034`, `-63`, `240.860`. */
export function printedValue(quantity: { value: number; scaler: number; printedUnit: string }): string {
  const decimals = unitExponent(quantity.printedUnit) - quantity.scaler;
  const sign = quantity.value < 0 ? '-' : '';
  const digits = String(Math.abs(quantity.value));
  if (decimals <= 0) return `${sign}${digits}${'0'.repeat(quantity.value === 0 ? 0 : -decimals)}`;
  const padded = digits.padStart(decimals + 1, '0');
  return `${sign}${padded.slice(0, -decimals)}.${padded.slice(-decimals)}`;
}
