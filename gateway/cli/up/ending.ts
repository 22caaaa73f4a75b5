import type { CounterSnapshot } from '../../runtime/counters.ts';

/** What the dashboard says of certificates and lists, from the gauges that every process has of those it relies on. */

/** The gauges of gateway/runtime/expiry.ts, with the days below which a person should know. */
const GAUGES = [
  { prefix: 'certificate.days_left.', says: '', belowDays: 90 },
  { prefix: 'crl.days_left.', says: 'list of ', belowDays: 2 },
] as const;

export interface EndingView {
  readonly what: string;
  readonly daysLeft: number;
}

/** Of all processes, each thing once, the first to end first. */
export function endingsIn(counters: Readonly<Record<string, CounterSnapshot>>): readonly EndingView[] {
  const found = new Map<string, number>();
  for (const [child, snapshot] of Object.entries(counters))
    for (const [name, daysLeft] of Object.entries(snapshot))
      for (const { prefix, says, belowDays } of GAUGES) {
        if (!name.startsWith(prefix) || daysLeft >= belowDays) continue;
        const what = name.slice(prefix.length);
        // Several have a server certificate of their own; a root is the same everywhere.
        const shown = says + (what === 'server' ? `${what} of ${child}` : what);
        found.set(shown, Math.min(daysLeft, found.get(shown) ?? daysLeft));
      }
  return [...found]
    .map(([what, daysLeft]) => ({ what, daysLeft }))
    .sort((a, b) => a.daysLeft - b.daysLeft || a.what.localeCompare(b.what));
}
