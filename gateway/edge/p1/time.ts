import type { Timestamp } from '../../../protocol/reading.ts';

/**
 * A P1 time stamp. `S` is UTC+2, `W` UTC+1 (DSMR P1 5.0.2 §6.4 "TST"): the host's time zone is never asked.
 * DSMR 2.2 and 3 print no letter; then the offset is taken from the European rule and `assumed` says so.
 */
export interface P1Time extends Timestamp {
  readonly assumed: boolean;
}

const OFFSET_SUMMER_MINUTES = 120;
const OFFSET_WINTER_MINUTES = 60;
const CENTURY = 2000;
const SECONDS_PER_DAY = 86_400;

const DIGITS_WITHOUT_LETTER = 12;
const LETTER_SUMMER = 0x53;
const LETTER_WINTER = 0x57;
const ZERO = 0x30;

const DAYS_IN_MONTH = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days from 1970-01-01 to a date of the Gregorian calendar. */
export function daysFromCivil(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = ((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) | 0;
  const dayOfEra = yearOfEra * 365 + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0) + dayOfYear + day - 1;
  return era * 146_097 + dayOfEra - 719_468;
}

/** Two decimal digits, or -1. */
function two(bytes: Uint8Array, at: number): number {
  const tens = bytes[at]! - ZERO;
  const ones = bytes[at + 1]! - ZERO;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -1;
}

/**
 * Read `YYMMDDhhmmss` with `S`, `W` or nothing behind it. Null where it is no moment of the calendar (a
 * placeholder such as `632525252525S`, or `250000000000W` of a meter whose clock was never set).
 */
export function readTime(bytes: Uint8Array, from: number, to: number): P1Time | null {
  const length = to - from;
  if (length === LONG_FORM.length) return readLongTime(bytes, from);
  if (length !== DIGITS_WITHOUT_LETTER && length !== DIGITS_WITHOUT_LETTER + 1) return null;
  const year = two(bytes, from);
  const month = two(bytes, from + 2);
  const day = two(bytes, from + 4);
  const hour = two(bytes, from + 6);
  const minute = two(bytes, from + 8);
  const second = two(bytes, from + 10);
  if (year < 0 || month < 1 || month > 12 || day < 1 || hour < 0 || minute < 0 || second < 0) return null;
  if (hour > 23 || minute > 59 || second > 59) return null;
  if (day > DAYS_IN_MONTH[month]! && !(month === 2 && day === 29 && year % 4 === 0)) return null;

  const localSeconds =
    daysFromCivil(CENTURY + year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second;
  if (length === DIGITS_WITHOUT_LETTER) {
    const offsetMinutes = europeanOffsetMinutes(localSeconds, CENTURY + year);
    return { epochSeconds: localSeconds - offsetMinutes * 60, offsetMinutes, assumed: true };
  }
  const letter = bytes[from + DIGITS_WITHOUT_LETTER]! & 0xdf;
  if (letter !== LETTER_SUMMER && letter !== LETTER_WINTER) return null;
  const offsetMinutes = letter === LETTER_SUMMER ? OFFSET_SUMMER_MINUTES : OFFSET_WINTER_MINUTES;
  return { epochSeconds: localSeconds - offsetMinutes * 60, offsetMinutes, assumed: false };
}

/** COSEM date-time (IEC 62056-6-2 §4.1.6.1) in hex: year, month, day, weekday, time, hundredths, deviation, status. */
const DATE_TIME =
  /^([0-9A-F]{4})([0-9A-F]{2})([0-9A-F]{2})[0-9A-F]{2}([0-9A-F]{2})([0-9A-F]{2})([0-9A-F]{2})[0-9A-F]{2}([0-9A-F]{4})[0-9A-F]{2}$/i;
const DATE_TIME_DIGITS = 24;
const DEVIATION_HOURS = { winter: -60, summer: -120 } as const;

/** The clock of a Slovenian Iskra, which prints the octets of its COSEM object in hex; null where it is none. */
export function readDateTime(bytes: Buffer, from: number, to: number): P1Time | null {
  if (to - from !== DATE_TIME_DIGITS) return null;
  const octets = DATE_TIME.exec(bytes.toString('latin1', from, to));
  if (octets === null) return null;
  const [year, month, day, hour, minute, second, deviation] = octets
    .slice(1)
    .map((hex) => Number.parseInt(hex, 16)) as [number, number, number, number, number, number, number];
  const deviationMinutes = (deviation << 16) >> 16;
  const isSummer = deviationMinutes === DEVIATION_HOURS.summer;
  if (!isSummer && deviationMinutes !== DEVIATION_HOURS.winter) return null;
  if (year < CENTURY || year >= CENTURY + 100) return null;
  const digits = [year - CENTURY, month, day, hour, minute, second].map((part) =>
    String(part).padStart(2, '0'),
  );
  const text = Buffer.from(`${digits.join('')}${isSummer ? 'S' : 'W'}`, 'latin1');
  return readTime(text, 0, text.length);
}

/** The ACE4000's way to print a time: the same digits, and what people put between them. */
const LONG_FORM = 'YY-MM-DD hh:mm:ss';
const LONG_FORM_DIGITS = /[A-Za-z]/;

function readLongTime(bytes: Uint8Array, from: number): P1Time | null {
  const digits = new Uint8Array(DIGITS_WITHOUT_LETTER);
  let count = 0;
  for (let index = 0; index < LONG_FORM.length; index += 1) {
    const form = LONG_FORM[index]!;
    const byte = bytes[from + index]!;
    if (LONG_FORM_DIGITS.test(form)) {
      digits[count] = byte;
      count += 1;
    } else if (byte !== form.charCodeAt(0)) return null;
  }
  return readTime(digits, 0, count);
}

/**
 * What stands where no reading ever was: `632525252525`, and the first of January of 1970 and of 2000, at
 * which clocks start that were never set. Both are dates by their form, so the form alone does not tell.
 */
const PLACEHOLDERS = ['632525', '700101', '000101'].map((text) => Buffer.from(text, 'latin1'));

export function isPlaceholderTime(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from < DIGITS_WITHOUT_LETTER) return to === from;
  const first = bytes[from];
  for (const placeholder of PLACEHOLDERS) {
    if (placeholder[0] !== first) continue;
    let index = 1;
    while (index < placeholder.length && bytes[from + index] === placeholder[index]) index += 1;
    if (index === placeholder.length) return true;
  }
  return false;
}

/** Local seconds of the last Sunday of a 31-day month. 1970-01-01 was a Thursday. */
function lastSunday(year: number, month: number): number {
  const last = daysFromCivil(year, month, 31);
  return (last - ((last + 4) % 7)) * SECONDS_PER_DAY;
}

/**
 * The offset of central European civil time (Directive 2000/84/EC: summer time from the last Sunday of March
 * to that of October, both at 01:00 UTC). The hour that October has twice is taken as winter time.
 */
function europeanOffsetMinutes(localSeconds: number, year: number): number {
  const summer =
    localSeconds >= lastSunday(year, 3) + 3 * 3600 && localSeconds < lastSunday(year, 10) + 2 * 3600;
  return summer ? OFFSET_SUMMER_MINUTES : OFFSET_WINTER_MINUTES;
}

const MONTH_NAMES: (string | undefined)[] = [];

/** `YYYY-MM` of the month in which the moment lies, by its own offset. Names are made once and shared. */
export function monthOf(time: Timestamp): string {
  const days = Math.floor((time.epochSeconds + time.offsetMinutes * 60) / SECONDS_PER_DAY);
  const shifted = days + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra =
    ((dayOfEra - ((dayOfEra / 1460) | 0) + ((dayOfEra / 36_524) | 0) - ((dayOfEra / 146_096) | 0)) / 365) | 0;
  const dayOfYear = dayOfEra - (365 * yearOfEra + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0));
  const shiftedMonth = ((5 * dayOfYear + 2) / 153) | 0;
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const slot = (year - 1970) * 12 + month;
  const known = MONTH_NAMES[slot];
  if (known !== undefined) return known;
  const name = `${year}-${String(month).padStart(2, '0')}`;
  MONTH_NAMES[slot] = name;
  return name;
}

/**
 * `YYYY-MM` of the month that ends at the moment: `200501000000S` closes April. A second is taken off, so
 * that a meter which closes at 23:59:59 gives the same month.
 */
export function monthEndingAt(time: Timestamp): string {
  return monthOf({ epochSeconds: time.epochSeconds - 1, offsetMinutes: time.offsetMinutes });
}

function localIso(localSeconds: number): string {
  return new Date(localSeconds * 1000).toISOString().slice(0, 19);
}

/** ISO 8601 with the offset; an offset that was only assumed is left out. */
export function isoTime(time: P1Time): string {
  const local = localIso(time.epochSeconds + time.offsetMinutes * 60);
  return time.assumed ? local : `${local}+0${time.offsetMinutes / 60}:00`;
}
