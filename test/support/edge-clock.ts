import { closeSync, openSync, writeSync } from 'node:fs';
import type { ChildSpec } from '../../gateway/runtime/child.ts';

const PRELOAD = new URL('./edge-clock-preload.ts', import.meta.url).href;

/**
 * A clock does not tell the edge to hurry: a quarter-hour lasts as long as what is done in it. It always stands a
 * hundredth of a second before the next second, from where a source that reads at whole seconds (Modbus) is due at
 * once, whichever second it is.
 */
const WITHIN_SECOND_MS = 990;

/**
 * The time of an edge's process, set by a test. A clock that runs many times as fast as the real one cannot do:
 * a sample belongs to a quarter-hour's boundary if it is read within a minute of it, which at a day in five seconds
 * is 3.5 ms, less than what a busy machine lets a process wait.
 */
export class SteeredClock {
  readonly #file: string;
  readonly #fd: number;
  readonly #startedAtMs: number;
  readonly #originMs: number;
  #seconds: number;

  /** @param originSeconds the first moment; to the process it is now, so that certificates are valid */
  constructor(file: string, originSeconds: number) {
    this.#file = file;
    this.#fd = openSync(file, 'w', 0o600);
    this.#startedAtMs = Math.floor(Date.now() / 1_000) * 1_000;
    this.#originMs = originSeconds * 1_000;
    this.#seconds = originSeconds;
    this.set(originSeconds);
  }

  get seconds(): number {
    return this.#seconds;
  }

  set(seconds: number): void {
    this.#seconds = seconds;
    writeSync(this.#fd, Float64Array.of(this.realMs(seconds)), 0, Float64Array.BYTES_PER_ELEMENT, 0);
  }

  /** What `Date.now` says in the process at a moment of the meters. */
  realMs(seconds: number): number {
    return this.#startedAtMs + seconds * 1_000 + WITHIN_SECOND_MS - this.#originMs;
  }

  /** For `clock` of edge.yaml. */
  get config(): object {
    return { kind: 'simulated', originMs: this.#originMs, startedAtMs: this.#startedAtMs, speed: 1 };
  }

  /** A process that sees this clock. */
  seenBy(spec: ChildSpec): ChildSpec {
    return {
      ...spec,
      nodeFlags: [...(spec.nodeFlags ?? []), '--import', PRELOAD],
      env: { ...spec.env, HES_TEST_CLOCK: this.#file },
    };
  }

  close(): void {
    closeSync(this.#fd);
  }
}
