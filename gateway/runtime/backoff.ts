import { setTimeout as delay } from 'node:timers/promises';
import { type Random, systemRandom } from './random.ts';

export interface BackoffOptions {
  /** The ceiling of the first delay; it doubles with each further one. */
  readonly baseMs: number;
  /** No ceiling grows beyond this. */
  readonly maxMs: number;
  /** No delay is shorter than this; 0 unless told. */
  readonly minMs?: number;
  readonly random?: Random;
}

export interface Backoff {
  /** How long to wait before the next attempt. */
  nextMs(): number;
  /** How many delays were given since the last reset. */
  readonly attempts: number;
  reset(): void;
}

/**
 * Full jitter: each delay is drawn evenly from zero to a doubling ceiling. A million meters that lost the same
 * front come back spread over the whole ceiling; a fixed delay, or jitter of a few percent, brings them back at once.
 */
export function backoff({ baseMs, maxMs, minMs = 0, random = systemRandom }: BackoffOptions): Backoff {
  let attempts = 0;
  return {
    nextMs() {
      const ceilingMs = Math.min(maxMs, baseMs * 2 ** Math.min(attempts, 52));
      attempts++;
      return Math.max(Math.min(minMs, maxMs), Math.floor(random() * ceilingMs));
    },
    get attempts() {
      return attempts;
    },
    reset() {
      attempts = 0;
    },
  };
}

/** Wait; rejects with an AbortError as soon as the signal is aborted, and then leaves no timer behind. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return delay(ms, undefined, signal === undefined ? {} : { signal });
}
