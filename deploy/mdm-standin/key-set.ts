import { hash } from 'node:crypto';

/** Slots of a new set; it doubles when it is half full. */
const SLOTS_FIRST = 1 << 12;

/** Each slot holds 64 bits of a hash, as two numbers; both zero is an empty one. */
const WORDS_PER_SLOT = 2;

/**
 * A set of idempotency keys by 64 bits of their SHA-256: 16 to 32 bytes each whatever their length, so a million
 * daily indexes take 32 MiB. Among ten million keys two share a hash with a chance of 1 in 370,000.
 */
export class KeySet {
  readonly #keysMax: number;
  #slots = new Uint32Array(SLOTS_FIRST * WORDS_PER_SLOT);
  #size = 0;

  constructor(keysMax: number) {
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#size;
  }

  /** No further key has room; those that are in it are still known. */
  get full(): boolean {
    return this.#size >= this.#keysMax;
  }

  has(key: string): boolean {
    const [high, low] = hashOf(key);
    return find(this.#slots, high, low) < 0;
  }

  /** @returns whether the key is new. A full set must not be added to: ask `full` first. */
  add(key: string): boolean {
    const [high, low] = hashOf(key);
    const at = find(this.#slots, high, low);
    if (at < 0) return false;
    this.#slots[at] = high;
    this.#slots[at + 1] = low;
    if (++this.#size * WORDS_PER_SLOT * 2 > this.#slots.length) this.#grow();
    return true;
  }

  #grow(): void {
    const before = this.#slots;
    const slots = new Uint32Array(before.length * 2);
    for (let at = 0; at < before.length; at += WORDS_PER_SLOT) {
      const high = before[at]!;
      const low = before[at + 1]!;
      if (high === 0 && low === 0) continue;
      const to = find(slots, high, low);
      slots[to] = high;
      slots[to + 1] = low;
    }
    this.#slots = slots;
  }
}

function hashOf(key: string): [high: number, low: number] {
  const digest = hash('sha256', key, 'buffer');
  // The lowest bit is always set, so that no key looks like an empty slot.
  return [digest.readUInt32LE(0), (digest.readUInt32LE(4) | 1) >>> 0];
}

/** Where the key would go, or −1 where it is there already. Linear probing; never more than half full. */
function find(slots: Uint32Array, high: number, low: number): number {
  const mask = slots.length - 1;
  for (let at = (high * WORDS_PER_SLOT) & mask; ; at = (at + WORDS_PER_SLOT) & mask) {
    const thereHigh = slots[at]!;
    const thereLow = slots[at + 1]!;
    if (thereHigh === high && thereLow === low) return -1;
    if (thereHigh === 0 && thereLow === 0) return at;
  }
}
