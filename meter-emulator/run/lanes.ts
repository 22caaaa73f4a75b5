import type { TenantId } from '../../protocol/identity.ts';
import { DueQueue } from './due-queue.ts';
import type { Station } from './station.ts';

export interface LanesOptions<Item> {
  readonly items: readonly Item[];
  readonly stationOf: (item: Item) => Station;
  /** Of each lane. */
  readonly concurrency: number;
  readonly work: (item: Item) => Promise<number | null>;
  readonly failed?: (error: unknown) => void;
}

/**
 * A queue for the devices of each home tenant. Real devices know nothing of each other: where one operator leaves
 * its devices without an answer, they must not take the places in which another's would be awake.
 */
export class Lanes<Item> {
  readonly #queues: ReadonlyMap<TenantId, DueQueue<Item>>;
  readonly #homeOf: (item: Item) => TenantId;

  constructor({ items, stationOf, concurrency, work, failed }: LanesOptions<Item>) {
    this.#homeOf = (item) => stationOf(item).owners[0]!;
    const options = { concurrency, work, ...(failed === undefined ? {} : { failed }) };
    this.#queues = new Map(
      [...new Set(items.map(this.#homeOf))].map((home) => [home, new DueQueue<Item>(options)]),
    );
  }

  /** One of the items that the lanes were made for. */
  add(item: Item, inMs?: number): void {
    this.#queues.get(this.#homeOf(item))!.add(item, inMs);
  }

  /** As `add`; one that waits for later is worked on sooner. */
  hurry(item: Item, inMs?: number): void {
    this.#queues.get(this.#homeOf(item))!.hurry(item, inMs);
  }

  /** Resolves when nothing waits and nothing runs; rejects with what the work threw. */
  async idle(): Promise<void> {
    await Promise.all(this.#queues.values().map((queue) => queue.idle()));
  }

  /** Take nothing more; resolves when the work under way has ended. */
  async stop(): Promise<void> {
    await Promise.all(this.#queues.values().map((queue) => queue.stop()));
  }
}
