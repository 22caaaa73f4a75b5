import { numberOfDay } from '../day.ts';

/** Belgium's ten legal holidays (royal decree of 18 April 1974), on which tariffs with a holiday rule follow it. */
const FIXED = ['01-01', '05-01', '07-21', '08-15', '11-01', '11-11', '12-25'];
/** Easter Monday, Ascension, Whit Monday: days after Easter Sunday. */
const AFTER_EASTER_DAYS = [1, 39, 50];

/** Easter Sunday of the Gregorian calendar (the anonymous algorithm, in Meeus, Astronomical Algorithms, ch. 8). */
function easterDay(year: number): number {
  const a = year % 19;
  const b = Math.floor(year / 100);
  const c = year % 100;
  const g = Math.floor((8 * b + 13) / 25);
  const h = (19 * a + b - Math.floor(b / 4) - g + 15) % 30;
  const l = (32 + 2 * (b % 4) + 2 * Math.floor(c / 4) - h - (c % 4)) % 7;
  const m = Math.floor((a + 11 * h + 19 * l) / 433);
  const month = Math.floor((h + l - 7 * m + 90) / 25);
  const day = (h + l - 7 * m + 33 * month + 19) % 32;
  return numberOfDay(`${year}-0${month}-${day < 10 ? '0' : ''}${day}`)!;
}

/** @param day `YYYY-MM-DD`, a day of the calendar */
export function isBelgianHoliday(day: string): boolean {
  if (FIXED.includes(day.slice(5))) return true;
  const number = numberOfDay(day);
  if (number === undefined) return false;
  return AFTER_EASTER_DAYS.includes(number - easterDay(Number(day.slice(0, 4))));
}

/** Monday is 0: 1970-01-01, day 0, was a Thursday. */
export function weekdayOf(day: string): number {
  return ((numberOfDay(day) ?? 0) + 3) % 7;
}
