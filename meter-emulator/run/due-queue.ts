/**
 * Work by the time at which it is due, run with bounded concurrency. A binary heap: ten thousand devices wait here
 * for most of a day, and one timer serves them all.
 */
export interface DueQueueOptions<Item> {
  readonly concurrency: number;
  /** Do the work; the milliseconds after which the item is due again, or null when it is done with. */
  readonly work: (item: Item) => Promise<number | null>;
  /** Told of the first error that the work threw; `idle` rejects with it as well. */
  readonly failed?: (error: unknown) => void;
}

interface Entry<Item> {
  readonly item: Item;
  readonly dueMs: number;
  /** Another one of the same item is due sooner. */
  isStale: boolean;
}

/** Node's timers overflow beyond 2^31 - 1 ms and would fire at once. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export class DueQueue<Item> {
  readonly #concurrency: number;
  readonly #work: (item: Item) => Promise<number | null>;
  readonly #failed: ((error: unknown) => void) | undefined;
  readonly #heap: Entry<Item>[] = [];
  /** Every item that waits, with its entry, or is worked on: nothing is in here twice. */
  readonly #present = new Map<Item, Entry<Item> | null>();
  readonly #waiters: (() => void)[] = [];
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  #failure: { readonly error: unknown } | undefined;

  constructor({ concurrency, work, failed }: DueQueueOptions<Item>) {
    this.#concurrency = concurrency;
    this.#work = work;
    this.#failed = failed;
  }

  get size(): number {
    return this.#present.size;
  }

  has(item: Item): boolean {
    return this.#present.has(item);
  }

  /** An item that is here already keeps its place. */
  add(item: Item, inMs = 0): void {
    if (this.#stopped || this.#present.has(item)) return;
    this.#enter(item, performance.now() + inMs);
  }

  /** As `add`, but an item that waits for later is moved to the front of that. One that is worked on stays so. */
  hurry(item: Item, inMs = 0): void {
    if (this.#stopped) return;
    const dueMs = performance.now() + inMs;
    const entry = this.#present.get(item);
    if (entry === null || (entry !== undefined && entry.dueMs <= dueMs)) return;
    if (entry !== undefined) entry.isStale = true;
    this.#enter(item, dueMs);
  }

  /** Resolves when nothing waits and nothing runs; rejects with what the work threw. */
  async idle(): Promise<void> {
    while (!this.#stopped && this.#failure === undefined && this.#present.size > 0)
      await new Promise<void>((resolve) => this.#waiters.push(resolve));
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Take nothing more; resolves when the work under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#heap.length = 0;
    this.#wakeWaiters();
    while (this.#running > 0) await new Promise<void>((resolve) => this.#waiters.push(resolve));
    this.#present.clear();
  }

  #enter(item: Item, dueMs: number): void {
    const entry = { item, dueMs, isStale: false };
    this.#present.set(item, entry);
    this.#push(entry);
    this.#pump();
  }

  #pump(): void {
    clearTimeout(this.#timer);
    while (!this.#stopped && this.#running < this.#concurrency && this.#heap.length > 0) {
      const first = this.#heap[0]!;
      if (first.isStale) {
        this.#pop();
        continue;
      }
      const waitMs = first.dueMs - performance.now();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.#pump(), Math.min(waitMs, TIMER_MAX_MS));
        return;
      }
      void this.#run(this.#pop().item);
    }
  }

  async #run(item: Item): Promise<void> {
    this.#running++;
    this.#present.set(item, null);
    try {
      const againInMs = await this.#work(item);
      this.#present.delete(item);
      if (againInMs !== null) this.add(item, againInMs);
    } catch (error) {
      this.#present.delete(item);
      if (this.#failure === undefined) {
        this.#failure = { error };
        this.#failed?.(error);
      }
    } finally {
      this.#running--;
      if (this.#present.size === 0 || this.#stopped || this.#failure !== undefined) this.#wakeWaiters();
      this.#pump();
    }
  }

  #wakeWaiters(): void {
    for (const wake of this.#waiters.splice(0)) wake();
  }

  #push(entry: Entry<Item>): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.dueMs <= entry.dueMs) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry<Item> {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.dueMs < heap[child]!.dueMs) child++;
      if (heap[child]!.dueMs >= last.dueMs) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}
