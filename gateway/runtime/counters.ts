/** More names than this are a bug: a name was made of something that a stranger chose. */
export const COUNTER_NAMES_MAX = 1_000;

/** Counts that did not find room for their name. */
const OVERFLOW = 'counters.overflow';

export type CounterSnapshot = Readonly<Record<string, number>>;

/**
 * What a process counts about itself, by names with dots, such as `refused.topic` or `bus.inFlight`. Names come from tables of the
 * code, never from a message; more than COUNTER_NAMES_MAX are counted as `counters.overflow`.
 */
export class Counters {
  readonly #counts = new Map<string, number>();
  readonly #gauges = new Map<string, () => number>();

  /** Add to a count that only rises. */
  count(name: string, by = 1): void {
    const before = this.#counts.get(name);
    if (before !== undefined) this.#counts.set(name, before + by);
    else if (this.#hasRoom()) this.#counts.set(name, by);
    else this.#counts.set(OVERFLOW, (this.#counts.get(OVERFLOW) ?? 0) + by);
  }

  /** Set a value that rises and falls, or name where it is read from when somebody looks. */
  gauge(name: string, value: number | (() => number)): void {
    if (!this.#gauges.has(name) && !this.#hasRoom()) this.count(OVERFLOW);
    else this.#gauges.set(name, typeof value === 'number' ? () => value : value);
  }

  /** A count or gauge as it stands; 0 where there is none. */
  get(name: string): number {
    return this.#counts.get(name) ?? this.#gauges.get(name)?.() ?? 0;
  }

  /** Counts and gauges together. */
  snapshot(): CounterSnapshot {
    return { ...this.counts(), ...this.gauges() };
  }

  /** What only rises: may be added up over the lives of a process that was restarted. */
  counts(): CounterSnapshot {
    return Object.fromEntries(this.#counts);
  }

  /** What holds at this moment only. */
  gauges(): CounterSnapshot {
    return Object.fromEntries([...this.#gauges].map(([name, read]) => [name, read()]));
  }

  #hasRoom(): boolean {
    return this.#counts.size + this.#gauges.size < COUNTER_NAMES_MAX;
  }
}

/** Add up the counters of several processes. */
export function sumCounters(snapshots: Iterable<CounterSnapshot>): CounterSnapshot {
  const sum: Record<string, number> = {};
  for (const snapshot of snapshots)
    for (const [name, value] of Object.entries(snapshot)) sum[name] = (sum[name] ?? 0) + value;
  return sum;
}
