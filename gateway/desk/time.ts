/** Days, weeks and months as people in Belgium count them, whatever zone the host is in. */
const ZONE = 'Europe/Brussels';

/** The days of one hour are the same: a look-up costs some microseconds and is asked for every audit row. */
let known: { readonly hour: number; readonly date: Temporal.PlainDate } | undefined;

/** Brussels is whole hours from UTC, so every instant of an hour lies on one day. */
export function localDate(epochSeconds: number): Temporal.PlainDate {
  const hour = Math.floor(epochSeconds / 3_600);
  if (known?.hour !== hour) {
    const instant = Temporal.Instant.fromEpochMilliseconds(hour * 3_600_000);
    known = { hour, date: instant.toZonedDateTimeISO(ZONE).toPlainDate() };
  }
  return known.date;
}

/** `YYYY-MM-DD` */
export const localDay = (epochSeconds: number): string => localDate(epochSeconds).toString();
