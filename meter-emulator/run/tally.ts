import type { Counters } from '../../gateway/runtime/counters.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { Outcome } from './station.ts';

/** Counts of one tenant. A duplicate is delivered too: its receipt says that the MDM had it already. */
export interface TenantTally {
  /** Streams: a device and an owner whose daily index it sends. */
  readonly meters: number;
  readonly expected: number;
  readonly delivered: number;
  readonly duplicates: number;
  readonly refused: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What a run owes to each tenant and what it delivered. Totals since the start, and of the latest day alone. */
export class Tally {
  readonly #totals = new Map<TenantId, Mutable<TenantTally>>();
  readonly #ofDay = new Map<TenantId, { expected: number; delivered: number }>();
  readonly #inputRefused = new Map<TenantId, number>();
  #day = '';

  constructor(streams: ReadonlyMap<TenantId, number>) {
    for (const [tenant, meters] of streams) {
      this.#totals.set(tenant, { meters, expected: 0, delivered: 0, duplicates: 0, refused: 0 });
      this.#ofDay.set(tenant, { expected: 0, delivered: 0 });
    }
  }

  /** From now on "today" is this day: one index of each stream. An earlier day than today changes nothing. */
  beginDay(day: string): void {
    if (day <= this.#day) return;
    this.#day = day;
    for (const [tenant, counts] of this.#ofDay) {
      counts.expected = this.#totals.get(tenant)!.meters;
      counts.delivered = 0;
    }
  }

  expect(tenant: TenantId, count = 1): void {
    const total = this.#totals.get(tenant);
    if (total !== undefined) total.expected += count;
  }

  /** Input that cannot become an index, such as a recording without one valid telegram: refused, though never owed. */
  refuseInput(tenant: TenantId): void {
    this.#inputRefused.set(tenant, (this.#inputRefused.get(tenant) ?? 0) + 1);
  }

  settle(tenant: TenantId, day: string, outcome: Outcome): void {
    const total = this.#totals.get(tenant);
    if (total === undefined) return;
    if (outcome === 'refused') total.refused++;
    else {
      total.delivered++;
      if (outcome === 'duplicate') total.duplicates++;
      if (day === this.#day) this.#ofDay.get(tenant)!.delivered++;
    }
  }

  /** Neither delivered nor refused. */
  get outstanding(): number {
    let outstanding = 0;
    for (const { expected, delivered, refused } of this.#totals.values())
      outstanding += expected - delivered - refused;
    return outstanding;
  }

  tenants(): Record<string, TenantTally> {
    return Object.fromEntries(
      [...this.#totals].map(([tenant, counts]) => [tenant, { ...counts, refused: this.#refused(tenant) }]),
    );
  }

  /** Live, under `fleet.<what>.<tenant>`, for whoever shows the run. */
  publish(counters: Counters): void {
    for (const [tenant, total] of this.#totals) {
      for (const name of ['meters', 'expected', 'delivered', 'duplicates'] as const)
        counters.gauge(`fleet.${name}.${tenant}`, () => total[name]);
      counters.gauge(`fleet.refused.${tenant}`, () => this.#refused(tenant));
      const ofDay = this.#ofDay.get(tenant)!;
      counters.gauge(`fleet.today.expected.${tenant}`, () => ofDay.expected);
      counters.gauge(`fleet.today.delivered.${tenant}`, () => ofDay.delivered);
    }
    counters.gauge('fleet.outstanding', () => this.outstanding);
  }

  #refused(tenant: TenantId): number {
    return this.#totals.get(tenant)!.refused + (this.#inputRefused.get(tenant) ?? 0);
  }
}
