/** Civil days as numbers, for the wire: days since 1970-01-01, proleptic Gregorian, no time zone anywhere. */
const DAY_PATTERN = /^(\d{4})-(\d{2})-(\d{2})$/;
const DAY_MS = 86_400_000;

/** The last day of year 9999: ISO 8601 ends there. */
export const DAY_NUMBER_MAX = 2_932_896;

/** The number of `YYYY-MM-DD`, or undefined where that is no day of the calendar or is before 1970. */
export function numberOfDay(day: string): number | undefined {
  const match = DAY_PATTERN.exec(day);
  if (match === null) return undefined;
  const number = Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3])) / DAY_MS;
  // Date.UTC rolls 31 June over into July, and takes years below 100 for those of the last century.
  return number >= 0 && dayOfNumber(number) === day ? number : undefined;
}

const YEAR_DAYS = 365;
const FOUR_YEARS_DAYS = 1_461;
const CENTURY_DAYS = 36_524;
const FOUR_CENTURIES_DAYS = 146_097;
/** Day 0 counted from 1 March of year 0: years that begin in March end with the leap day. */
const EPOCH_FROM_MARCH_0 = 719_468;

/**
 * `YYYY-MM-DD` of a day number from 0 to DAY_NUMBER_MAX. By arithmetic, since this runs for every reading and
 * a Date costs a fifth of decoding one.
 */
export function dayOfNumber(number: number): string {
  const fromMarch0 = number + EPOCH_FROM_MARCH_0;
  const era = Math.floor(fromMarch0 / FOUR_CENTURIES_DAYS);
  const dayOfEra = fromMarch0 - era * FOUR_CENTURIES_DAYS;
  const leapDays =
    Math.floor(dayOfEra / (FOUR_YEARS_DAYS - 1)) -
    Math.floor(dayOfEra / CENTURY_DAYS) +
    Math.floor(dayOfEra / (FOUR_CENTURIES_DAYS - 1));
  const yearOfEra = Math.floor((dayOfEra - leapDays) / YEAR_DAYS);
  const dayOfYear =
    dayOfEra - (YEAR_DAYS * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  // March to July and August to December have the same lengths: 153 days each.
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  return `${year}-${twoDigits(month)}-${twoDigits(day)}`;
}

const twoDigits = (value: number): string => (value < 10 ? `0${value}` : `${value}`);
