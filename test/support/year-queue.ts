/** What happens next: a binary heap of moments, those of one moment in the order in which they were put in. */
export class MomentQueue {
  readonly #heap: {
    readonly atMs: number;
    readonly order: number;
    readonly run: () => Promise<void> | void;
  }[] = [];
  #order = 0;

  get size(): number {
    return this.#heap.length;
  }

  /** At the whole millisecond before: clocks show no others. */
  add(atMs: number, run: () => Promise<void> | void): void {
    const heap = this.#heap;
    heap.push({ atMs: Math.floor(atMs), order: this.#order++, run });
    for (let at = heap.length - 1; at > 0; ) {
      const above = (at - 1) >> 1;
      if (!this.#isBefore(at, above)) break;
      this.#swap(at, above);
      at = above;
    }
  }

  next(): { readonly atMs: number; readonly run: () => Promise<void> | void } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      if (left >= heap.length) return first;
      const below = left + 1 < heap.length && this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(below, at)) return first;
      this.#swap(below, at);
      at = below;
    }
  }

  #isBefore(one: number, other: number): boolean {
    const [left, right] = [this.#heap[one]!, this.#heap[other]!];
    return left.atMs === right.atMs ? left.order < right.order : left.atMs < right.atMs;
  }

  #swap(one: number, other: number): void {
    [this.#heap[one], this.#heap[other]] = [this.#heap[other]!, this.#heap[one]!];
  }
}
