/** Days that are looked up again and again; a fleet closes one day at a time. */
const DAYS_MAX = 64;

const starts = new Map<string, number>();

/** Epoch seconds at which `YYYY-MM-DD` begins in UTC. */
export function utcDayStart(day: string): number {
  let start = starts.get(day);
  if (start === undefined) {
    start = Date.parse(`${day}T00:00:00Z`) / 1_000;
    if (starts.size >= DAYS_MAX) starts.clear();
    starts.set(day, start);
  }
  return start;
}
