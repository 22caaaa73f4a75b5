import { deskError } from '../errors.ts';

/** People whose requests are counted at once; more is not an office. */
const COUNTED_MAX = 4_096;
const MINUTE_MS = 60_000;

/** So many requests of one person a minute: a bucket that fills evenly. */
export class PersonalRate {
  readonly #perMinute: number;
  readonly #buckets = new Map<string, { left: number; atMs: number }>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** @throws ERR_DESK_RATE */
  take(person: string, nowMs: number): void {
    const before = this.#buckets.get(person) ?? { left: this.#perMinute, atMs: nowMs };
    const gained = (Math.max(0, nowMs - before.atMs) / MINUTE_MS) * this.#perMinute;
    const left = Math.min(this.#perMinute, before.left + gained);
    if (left < 1) throw deskError('ERR_DESK_RATE', 'too many questions of this kind within a minute');
    this.#buckets.delete(person);
    this.#buckets.set(person, { left: left - 1, atMs: nowMs });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > COUNTED_MAX && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
