import { isHesError } from '../../../protocol/errors.ts';
import type { Backoff } from '../../runtime/backoff.ts';

/** Something that is done one at a time, and after a failure not again at once. */
export class Chore {
  readonly #backoff: Backoff;
  readonly #monotonicMs: () => number;
  #underWay: Promise<void> | null = null;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(backoff: Backoff, monotonicMs: () => number) {
    this.#backoff = backoff;
    this.#monotonicMs = monotonicMs;
  }

  get isBusy(): boolean {
    return this.#underWay !== null;
  }

  /** Foreseen failures go to `failed`; any other is a mistake in the program, and ends it. */
  attempt(work: () => Promise<void>, failed: (error: unknown) => void): void {
    if (this.isBusy || this.#monotonicMs() < this.#notBeforeMs) return;
    this.#underWay = (async () => {
      try {
        await work();
        this.#backoff.reset();
      } catch (error) {
        if (!isHesError(error)) throw error;
        this.#notBeforeMs = this.#monotonicMs() + this.#backoff.nextMs();
        failed(error);
      } finally {
        this.#underWay = null;
      }
    })();
  }

  async idle(): Promise<void> {
    await this.#underWay?.catch(() => undefined);
  }
}
