/** Civil days as numbers, for the wire: days since 1970-01-01, proleptic Gregorian, no time zone anywhere. */
const DAY_PATTERN = /^(\d{4})-(\d{2})-(\d{2})$/;
const DAY_MS = 86_400_000;

/** The number of `YYYY-MM-DD`, or undefined where that is no day of the calendar or is before 1970. */
export function numberOfDay(day: string): number | undefined {
  const match = DAY_PATTERN.exec(day);
  if (match === null) return undefined;
  const number = Date.UTC(Number(match[1]), Number(match[2]) - 1, Number(match[3])) / DAY_MS;
  // Date.UTC rolls 31 June over into July, and takes years below 100 for those of the last century.
  return number >= 0 && dayOfNumber(number) === day ? number : undefined;
}

/** `YYYY-MM-DD` of a day number from 0 to the end of year 9999. */
export function dayOfNumber(number: number): string {
  return new Date(number * DAY_MS).toISOString().slice(0, 10);
}
