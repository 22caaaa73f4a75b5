/**
 * Numbers by address instead of by order: the draw for (seed, device, day, quarter) is computed on its own, so a
 * restarted fleet finds the same registers without drawing everything before them again. A mixing function, no
 * cryptography: pseudonyms use SHA-256 (numbers.ts), keys come from node:crypto.
 */

const SCALE = 1 / 0x1_0000_0000;

/** One round: fold a value into a 32-bit state (the finalizer of MurmurHash3, public domain). */
export function mix(state: number, value: number): number {
  let h = Math.imul(state ^ value, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) + 0x9e3779b9) | 0;
}

/** A 32-bit state out of any whole number (seeds may be larger than 32 bits) and further whole numbers. */
export function stateOf(seed: number, ...values: readonly number[]): number {
  let state = mix(mix(0x2545f491, seed | 0), Math.floor(seed / 0x1_0000_0000) | 0);
  for (const value of values) state = mix(state, value);
  return state;
}

/** The draw at an address: from 0 (inclusive) to 1 (exclusive). */
export function drawAt(state: number, value: number): number {
  return (mix(mix(state, value), 0x5bd1e995) >>> 0) * SCALE;
}

/** A draw between two bounds. */
export function drawBetween(state: number, value: number, low: number, high: number): number {
  return low + (high - low) * drawAt(state, value);
}
