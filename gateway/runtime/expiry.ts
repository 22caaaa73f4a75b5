import type { Clock } from './clock.ts';
import type { Counters } from './counters.ts';
import type { Log } from './log.ts';

/** What ends by itself, said in time: in the log, as metrics, and to whoever asks for the status (docs/adr/0188). */

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Certificates last for years and lists for days: an hour loses nothing. */
export const LOOK_EVERY_MS = HOUR_MS;

/** As `Ending` of pki: what is believed until a moment. */
export interface Ending {
  readonly kind: keyof typeof KINDS;
  /** A name of metrics, from a table or the configuration: never a device, a person or a serial number. */
  readonly what: string;
  readonly notAfterMs: number;
}

export interface Threshold {
  /** Said once when less than this is left. */
  readonly days: number;
  readonly level: 'info' | 'warn' | 'error';
  /** And again each day from then on. */
  readonly daily: boolean;
}

interface Kind {
  readonly gauge: string;
  readonly says: string;
  readonly over: string;
  /** The last comes last. */
  readonly thresholds: readonly Threshold[];
}

const OVER: Threshold = { days: 0, level: 'error', daily: true };

/**
 * A certificate takes a person to renew, and 90, 30 and 7 days are what the operators asked for. A list is written
 * anew each hour or week and is good for seven days: two days before its end something has stood still for long.
 */
export const KINDS = {
  certificate: {
    gauge: 'certificate.days_left.',
    says: 'a certificate ends soon: renew it',
    over: 'a certificate is past its end: nobody believes it any more',
    thresholds: [
      { days: 90, level: 'info', daily: false },
      { days: 30, level: 'warn', daily: false },
      { days: 7, level: 'error', daily: true },
      OVER,
    ],
  },
  list: {
    gauge: 'crl.days_left.',
    says: 'a revocation list was not renewed and ends soon: publish it (hes pki crl) and bring it here',
    over: 'a revocation list is past its next update: after its grace everybody of that CA is refused',
    thresholds: [{ days: 2, level: 'warn', daily: false }, { days: 1, level: 'error', daily: true }, OVER],
  },
} as const satisfies Record<string, Kind>;

/** The threshold that something is below, or undefined where there is time. */
export function thresholdOf({ kind, notAfterMs }: Ending, nowMs: number): Threshold | undefined {
  const left = notAfterMs - nowMs;
  return (KINDS[kind] as Kind).thresholds.findLast(({ days }) => left < days * DAY_MS);
}

/** Whole days until the end; -1 from the moment that it is over. */
export const daysLeft = ({ notAfterMs }: Pick<Ending, 'notAfterMs'>, nowMs: number): number =>
  Math.floor((notAfterMs - nowMs) / DAY_MS);

/** Of several of one name, the first to end. */
export function earliest(endings: readonly Ending[]): readonly Ending[] {
  const first = new Map<string, Ending>();
  for (const ending of endings) {
    const name = nameOf(ending);
    const known = first.get(name);
    if (known === undefined || ending.notAfterMs < known.notAfterMs) first.set(name, ending);
  }
  return [...first.values()];
}

const nameOf = ({ kind, what }: Ending): string => KINDS[kind].gauge + what;

interface Said {
  readonly days: number;
  readonly atMs: number;
}

export interface ExpiryParts {
  /** What there is now: read anew at each look, since certificates and lists are exchanged while a service runs. */
  readonly read: () => readonly Ending[];
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: Counters;
}

export interface ExpiryWatch {
  /** Look now: what the timer does, and a service once it has read its files again. */
  look(): void;
  /** What ends soon, the first to end first: for a status. */
  soon(): readonly (Ending & { readonly daysLeft: number })[];
  stop(): void;
}

/** Watch what ends. The gauges tell at any time; the log once for each threshold, and each day in the last week. */
export function watchExpiry({ read, clock, log, counters }: ExpiryParts): ExpiryWatch {
  const said = new Map<string, Said>();
  const shown = new Map<string, Ending>();

  const show = (ending: Ending): void => {
    const name = nameOf(ending);
    if (!shown.has(name)) counters.gauge(name, () => daysLeft(shown.get(name) ?? ending, clock.nowMs()));
    shown.set(name, ending);
  };

  const say = (ending: Ending, nowMs: number): void => {
    const name = nameOf(ending);
    const threshold = thresholdOf(ending, nowMs);
    if (threshold === undefined) {
      said.delete(name);
      return;
    }
    const before = said.get(name);
    const isNew = before === undefined || threshold.days !== before.days;
    if (!isNew && !(threshold.daily && nowMs - before.atMs >= DAY_MS)) return;
    said.set(name, { days: threshold.days, atMs: nowMs });
    const { says, over } = KINDS[ending.kind];
    const what = {
      what: ending.what,
      daysLeft: daysLeft(ending, nowMs),
      ends: new Date(ending.notAfterMs).toISOString(),
    };
    log[threshold.level](what, threshold.days === 0 ? over : says);
  };

  const look = (): void => {
    const nowMs = clock.nowMs();
    for (const ending of earliest(read())) {
      show(ending);
      say(ending, nowMs);
    }
  };

  look();
  const timer = setInterval(look, LOOK_EVERY_MS).unref();
  return {
    look,
    soon() {
      const nowMs = clock.nowMs();
      return [...shown.values()]
        .filter((ending) => thresholdOf(ending, nowMs) !== undefined)
        .sort((a, b) => a.notAfterMs - b.notAfterMs)
        .map((ending) => ({ ...ending, daysLeft: daysLeft(ending, nowMs) }));
    },
    stop: () => clearInterval(timer),
  };
}
