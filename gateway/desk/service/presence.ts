import type { DeviceId } from '../../../protocol/identity.ts';

/**
 * What a desk remembers of who is awake: hints, in memory, that save questions. Whether a device is there, only the
 * front knows; a hint that is wrong costs a question or a little time, never a command.
 */

/** 100 bytes each; of more devices than this the longest untouched are asked again. */
export const HINTS_MAX = 100_000;
/** A device that just spoke is not asked whether it is there. One that wakes for seconds is gone soon. */
const AWAKE_FOR_MS = 2_000;
/** The front tells when a device wakes; this is for what a desk was not told while it was away. */
const ABSENT_FOR_MS = 60_000;

export type Presence = 'awake' | 'absent' | 'unknown';

interface Hint {
  readonly presence: Presence;
  readonly untilMs: number;
  /** When it was heard of, in the order of `now`. */
  readonly heard: number;
}

export class PresenceHints {
  readonly #hints = new Map<DeviceId, Hint>();
  #count = 0;

  of(device: DeviceId, nowMs: number): Presence {
    const hint = this.#hints.get(device);
    return hint === undefined || hint.untilMs <= nowMs ? 'unknown' : hint.presence;
  }

  awake(device: DeviceId, nowMs: number): void {
    this.#count += 1;
    this.#put(device, { presence: 'awake', untilMs: nowMs + AWAKE_FOR_MS, heard: this.#count });
  }

  /** A moment among those in which devices were heard of. */
  get moment(): number {
    return this.#count;
  }

  /** Whether the device was heard of since: what was asked about it before says nothing any more. */
  heardSince(device: DeviceId, moment: number): boolean {
    return (this.#hints.get(device)?.heard ?? 0) > moment;
  }

  /** @param forMs for how long nobody asks again by himself; waking up ends it */
  absent(device: DeviceId, nowMs: number, forMs = ABSENT_FOR_MS): void {
    this.#put(device, { presence: 'absent', untilMs: nowMs + forMs, heard: 0 });
  }

  /** Nothing that was believed of anybody holds: a front went away. */
  forgetAll(): void {
    this.#hints.clear();
  }

  get size(): number {
    return this.#hints.size;
  }

  #put(device: DeviceId, hint: Hint): void {
    this.#hints.delete(device);
    this.#hints.set(device, hint);
    if (this.#hints.size <= HINTS_MAX) return;
    const [oldest] = this.#hints.keys();
    if (oldest !== undefined) this.#hints.delete(oldest);
  }
}
