/**
 * Who is inside a module, over all threads of this process. To find a token that was initialized anew, most modules
 * must be begun anew (C_Finalize), which ends every session of the process: nobody may be inside, and whoever holds
 * a session from before must not take a new one of the same number for it.
 */
const INSIDE = 0;
const GENERATION = 1;
const SHUT = -1;
/** Finalizing takes milliseconds; a waiter looks again by itself where a wake-up was lost. */
const LOOK_AGAIN_MS = 100;

export const newGate = (): SharedArrayBuffer => new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT);

export class Gate {
  readonly #words: Int32Array;

  constructor(shared: SharedArrayBuffer) {
    this.#words = new Int32Array(shared);
  }

  /** Changes when all sessions have ended. */
  get generation(): number {
    return Atomics.load(this.#words, GENERATION);
  }

  inside<Result>(run: () => Result): Result {
    for (;;) {
      const inside = Atomics.load(this.#words, INSIDE);
      if (inside === SHUT) Atomics.wait(this.#words, INSIDE, SHUT, LOOK_AGAIN_MS);
      else if (Atomics.compareExchange(this.#words, INSIDE, inside, inside + 1) === inside) break;
    }
    try {
      return run();
    } finally {
      Atomics.sub(this.#words, INSIDE, 1);
    }
  }

  /** Run while nobody is inside, and end all sessions by it; not at all where somebody is. */
  ifEmpty(run: () => void): void {
    if (Atomics.compareExchange(this.#words, INSIDE, 0, SHUT) !== 0) return;
    try {
      run();
    } finally {
      Atomics.add(this.#words, GENERATION, 1);
      Atomics.store(this.#words, INSIDE, 0);
      Atomics.notify(this.#words, INSIDE);
    }
  }
}
