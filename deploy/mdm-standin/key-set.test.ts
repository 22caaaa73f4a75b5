import { describe, expect, it } from 'vitest';
import { KeySet } from './key-set.ts';

const key = (n: number) => `0123456789abcdef/ores/${n}`;

describe('the memory of keys', () => {
  it('says that it is full before it would forget', () => {
    const keys = new KeySet(3);
    for (let n = 0; n < 3; n++) expect(keys.add(key(n))).toBe(true);
    expect(keys.full).toBe(true);
    expect(keys.has(key(0))).toBe(true);
    expect(keys.has(key(3))).toBe(false);
  });

  it('knows every key that it was given, and no other, while it grows', () => {
    const keys = new KeySet(1_000_000);
    for (let n = 0; n < 50_000; n++) expect(keys.add(key(n))).toBe(true);
    for (let n = 0; n < 50_000; n++) expect(keys.add(key(n))).toBe(false);
    for (let n = 50_000; n < 100_000; n++) expect(keys.has(key(n))).toBe(false);
    expect(keys.size).toBe(50_000);
  });
});
