import type { P1Message, P1Peak, P1Quantity, P1Reading } from '../../../gateway/edge/p1/telegram.ts';
import type { P1Time } from '../../../gateway/edge/p1/time.ts';
import type { P1Unit } from '../../../gateway/edge/p1/units.ts';
import type { ObisCode, Timestamp } from '../../../protocol/reading.ts';
import { AUTUMN } from './year.ts';

/** The building stones of what must be read: none of them asks a table of the parser or of the emulator. */

const UNITS: Readonly<Record<string, readonly [unit: P1Unit, exponent: number, printed: string]>> = {
  Wh: ['Wh', 0, 'Wh'],
  kWh: ['Wh', 3, 'kWh'],
  varh: ['varh', 0, 'varh'],
  kvarh: ['varh', 3, 'kvarh'],
  kVArh: ['varh', 3, 'kvarh'],
  W: ['W', 0, 'W'],
  kW: ['W', 3, 'kW'],
  var: ['var', 0, 'var'],
  kvar: ['var', 3, 'kvar'],
  kVAr: ['var', 3, 'kvar'],
  kVA: ['VA', 3, 'kVA'],
  V: ['V', 0, 'V'],
  A: ['A', 0, 'A'],
  Hz: ['Hz', 0, 'Hz'],
  m3: ['m3', 0, 'm3'],
  GJ: ['J', 9, 'GJ'],
  '': ['1', 0, ''],
};

/** `F9(6,3)` and the like: a number with so many places before the point and behind it; it rolls over. */
export function quantity(
  obis: string,
  value: number,
  before: number,
  behind: number,
  printedIn: string,
): P1Quantity {
  const [unit, exponent, printedUnit] = UNITS[printedIn]!;
  return {
    obis: obis as ObisCode,
    // No minus before a zero.
    value: (value % 10 ** (before + behind)) + 0,
    scaler: exponent - behind,
    unit,
    printedUnit,
  };
}

export const phasesOf = <T>(
  items: readonly T[],
  codes: readonly string[],
  make: (code: string, item: T) => P1Quantity,
) => items.map((item, index) => make(codes[index]!, item));

export const IMPORTS = ['1-0:21.7.0', '1-0:41.7.0', '1-0:61.7.0'];
export const EXPORTS = ['1-0:22.7.0', '1-0:42.7.0', '1-0:62.7.0'];
export const VOLTAGES = ['1-0:32.7.0', '1-0:52.7.0', '1-0:72.7.0'];
export const CURRENTS = ['1-0:31.7.0', '1-0:51.7.0', '1-0:71.7.0'];
export const REACTIVE_IMPORTS = ['1-0:23.7.0', '1-0:43.7.0', '1-0:63.7.0'];
export const REACTIVE_EXPORTS = ['1-0:24.7.0', '1-0:44.7.0', '1-0:64.7.0'];

export function time({ epochSeconds, offsetMinutes }: Timestamp): P1Time {
  return { epochSeconds, offsetMinutes, assumed: false };
}

export const timeOrNull = (moment: Timestamp | null): P1Time | null =>
  moment === null ? null : time(moment);

/** Without a letter the hour before the change of October cannot be told from the one behind it, and is taken for that. */
export function letterless(moment: Timestamp): P1Time {
  const isAmbiguous = moment.epochSeconds >= AUTUMN - 3600 && moment.epochSeconds < AUTUMN;
  return isAmbiguous
    ? { epochSeconds: moment.epochSeconds + 3600, offsetMinutes: 60, assumed: true }
    : { ...time(moment), assumed: true };
}

export function reading(
  obis: string,
  value: number,
  before: number,
  behind: number,
  printedIn: 'm3' | 'GJ' | 'kWh',
  moment: P1Time | null,
): P1Reading {
  return { ...quantity(obis, value, before, behind, printedIn), time: moment, placeholder: moment === null };
}

/** The month in which a moment lies by its own clock, less a second where that is one that ends a period. */
export function month({ epochSeconds, offsetMinutes }: Timestamp, lessSeconds = 0): string {
  return new Date((epochSeconds + offsetMinutes * 60 - lessSeconds) * 1000).toISOString().slice(0, 7);
}

export function peak(powerW: number, moment: Timestamp | null, ofMonth: string | null): P1Peak {
  return {
    ...quantity('1-0:1.6.0', powerW, 2, 3, 'kW'),
    month: ofMonth ?? (moment === null ? null : month(moment)),
    time: timeOrNull(moment),
  };
}

export const messageOf = (code: string, text: string): P1Message[] =>
  text === '' ? [] : [{ obis: code as ObisCode, text }];

/** As a meter prints a number: `000123.456`. */
export function printed(value: number, before: number, behind: number): string {
  const digits = String(value % 10 ** (before + behind)).padStart(before + behind, '0');
  return behind === 0 ? digits : `${digits.slice(0, before)}.${digits.slice(before)}`;
}

/** Local `YYMMDDhhmmss`. */
export function localDigits({ epochSeconds, offsetMinutes }: Timestamp): string {
  return new Date((epochSeconds + offsetMinutes * 60) * 1000)
    .toISOString()
    .replaceAll(/[-:T]/g, '')
    .slice(2, 14);
}
