import type { BusFailure } from '../errors.ts';
import { DEADLINE_MS_MAX, ID_MAX } from './frame.ts';

/** How a request ends: a body, or the code of a failure. */
export type Outcome = Uint8Array | BusFailure;
export type Settle = (outcome: Outcome) => void;

/** Deadlines are kept to this; finer would cost timers and nobody's deadline means it. */
const SWEEP_MS = 10;

interface Pending {
  readonly via: object;
  readonly dueMs: number;
  readonly settle: Settle;
}

/**
 * The requests that wait for an answer, whoever was asked (`via`).
 *
 * One timer for all of them: it sleeps until the earliest deadline, then looks through the table once. A timer per
 * request would be made and thrown away ten thousand times a second for deadlines that are hardly ever reached.
 */
export class PendingTable {
  readonly #entries = new Map<number, Pending>();
  #lastId = 0;
  #earliestMs = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  get size(): number {
    return this.#entries.size;
  }

  add(via: object, deadlineMs: number, settle: Settle): number {
    const id = this.#freeId();
    // What is no positive number (a peer can send nothing worse than zero) is over at once.
    const dueMs = performance.now() + (deadlineMs > 0 ? Math.min(deadlineMs, DEADLINE_MS_MAX) : 0);
    this.#entries.set(id, { via, dueMs, settle });
    if (dueMs < this.#earliestMs) this.#wakeAt(dueMs);
    return id;
  }

  /** Settle one; false where the request is no longer waited for, or was put to somebody else. */
  settle(id: number, via: object, outcome: Outcome): boolean {
    const pending = this.#entries.get(id);
    if (pending === undefined || pending.via !== via) return false;
    this.#entries.delete(id);
    pending.settle(outcome);
    return true;
  }

  /** Fail everything that was put to `via`, or everything. */
  fail(failure: BusFailure, via?: object): void {
    for (const [id, pending] of this.#entries) {
      if (via !== undefined && pending.via !== via) continue;
      this.#entries.delete(id);
      pending.settle(failure);
    }
    if (this.#entries.size === 0) this.#rest();
  }

  #freeId(): number {
    do this.#lastId = this.#lastId >= ID_MAX ? 1 : this.#lastId + 1;
    while (this.#entries.has(this.#lastId));
    return this.#lastId;
  }

  #sweep(): void {
    const nowMs = performance.now();
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const [id, pending] of this.#entries) {
      if (pending.dueMs > nowMs) {
        if (pending.dueMs < earliestMs) earliestMs = pending.dueMs;
        continue;
      }
      this.#entries.delete(id);
      pending.settle('ERR_BUS_TIMEOUT');
    }
    this.#rest();
    if (this.#entries.size > 0) this.#wakeAt(earliestMs);
  }

  #wakeAt(dueMs: number): void {
    this.#earliestMs = dueMs;
    clearTimeout(this.#timer);
    const pauseMs = Math.ceil(dueMs - performance.now());
    this.#timer = setTimeout(() => this.#sweep(), Math.min(DEADLINE_MS_MAX, Math.max(SWEEP_MS, pauseMs)));
  }

  #rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#earliestMs = Number.POSITIVE_INFINITY;
  }
}
