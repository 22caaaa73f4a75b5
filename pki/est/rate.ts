import { pkiError } from '../errors.ts';
import { ADDRESSES_MAX } from './limits.ts';

const MINUTE_MS = 60_000;

/** So many requests a minute of one address: a bucket that fills evenly. The address longest silent is forgotten. */
export class AddressRate {
  readonly #perMinute: number;
  readonly #buckets = new Map<string, { left: number; atMs: number }>();

  constructor(perMinute: number) {
    this.#perMinute = perMinute;
  }

  /** @throws ERR_EST_RATE */
  take(address: string, nowMs: number): void {
    const before = this.#buckets.get(address) ?? { left: this.#perMinute, atMs: nowMs };
    const gained = (Math.max(0, nowMs - before.atMs) / MINUTE_MS) * this.#perMinute;
    const left = Math.min(this.#perMinute, before.left + gained);
    if (left < 1) throw pkiError('ERR_EST_RATE', 'too many requests from this address within a minute');
    this.#buckets.delete(address);
    this.#buckets.set(address, { left: left - 1, atMs: nowMs });
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > ADDRESSES_MAX && oldest !== undefined) this.#buckets.delete(oldest);
  }
}
