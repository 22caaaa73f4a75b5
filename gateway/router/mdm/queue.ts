import type { Delivery, MdmRecord } from './sink.ts';

/** A record that waits for its answer. `settle` is called once; after it the bytes are let go. */
export interface Entry {
  record: MdmRecord | undefined;
  readonly bytes: number;
  readonly deadlineMs: number;
  attempts: number;
  /** To be sent alone: a request of several, with this one among them, could not be processed. */
  alone: boolean;
  settle(delivery: Delivery): void;
}

export interface BatchBounds {
  readonly recordsMax: number;
  readonly bytesMax: number;
}

/** First in, first out; entries that were settled while they waited are passed over. */
export class EntryQueue {
  #entries: Entry[] = [];

  get length(): number {
    return this.#entries.length;
  }

  push(...entries: Entry[]): void {
    this.#entries.push(...entries);
  }

  /** The next entries that fit into one request; at least one where there is any. */
  takeBatch({ recordsMax, bytesMax }: BatchBounds): Entry[] {
    const batch: Entry[] = [];
    let bytes = 0;
    let taken = 0;
    for (const entry of this.#entries) {
      if (entry.record !== undefined) {
        const fits = batch.length < recordsMax && bytes + entry.bytes <= bytesMax && !entry.alone;
        if (batch.length > 0 && !fits) break;
        batch.push(entry);
        bytes += entry.bytes;
      }
      taken++;
      if (entry.alone && batch.length > 0) break;
    }
    this.#entries = this.#entries.slice(taken);
    return batch;
  }

  drain(): Entry[] {
    const entries = this.#entries;
    this.#entries = [];
    return entries;
  }
}
