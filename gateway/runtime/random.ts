/** Numbers from 0 (inclusive) to 1 (exclusive). For jitter, seeds and emulation; never for keys: those come from node:crypto. */
export type Random = () => number;

/** Unseeded: for jitter in a running process. */
export const systemRandom: Random = Math.random;

/**
 * A repeatable stream (sfc32, seeded through a 128-bit FNV-like hash of all parts): the same parts give the same
 * numbers on every machine, other parts an independent stream. `seededRandom(7, 'household', 12)` needs no
 * drawing order between its users.
 */
export function seededRandom(...parts: readonly (number | string)[]): Random {
  let [a, b, c, d] = hash128(parts.join('\u0000'));
  const next: Random = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 0x1_0000_0000;
  };
  for (let warmUp = 0; warmUp < 12; warmUp++) next();
  return next;
}

/** cyrb128 (public domain): spreads short texts over 128 bits, so that neighbouring seeds share nothing. */
function hash128(text: string): [number, number, number, number] {
  let [h1, h2, h3, h4] = [1779033703, 3144134277, 1013904242, 2773480762];
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    h1 = h2 ^ Math.imul(h1 ^ code, 597399067);
    h2 = h3 ^ Math.imul(h2 ^ code, 2869860233);
    h3 = h4 ^ Math.imul(h3 ^ code, 951274213);
    h4 = h1 ^ Math.imul(h4 ^ code, 2716044179);
  }
  h1 = Math.imul(h3 ^ (h1 >>> 18), 597399067);
  h2 = Math.imul(h4 ^ (h2 >>> 22), 2869860233);
  h3 = Math.imul(h1 ^ (h3 >>> 17), 951274213);
  h4 = Math.imul(h2 ^ (h4 >>> 19), 2716044179);
  h1 ^= h2 ^ h3 ^ h4;
  return [h1, h2 ^ h1, h3 ^ h1, h4 ^ h1];
}

/** A whole number from `min` to `max`, both included. */
export function randomInteger(random: Random, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1));
}

/** One of the entries; the list must not be empty. */
export function randomPick<T>(random: Random, entries: readonly T[]): T {
  return entries[Math.floor(random() * entries.length)]!;
}
