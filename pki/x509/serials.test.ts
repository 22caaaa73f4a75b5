import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SerialSet } from './serials.ts';

describe('a set of serial numbers', () => {
  it('has what was put in and nothing else, however many were expected', () => {
    const serials = fc.array(fc.uint8Array({ minLength: 1, maxLength: 21 }), { maxLength: 200 });
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    fc.assert(
      fc.property(serials, serials, fc.nat(100), (put, asked, expected) => {
        const set = new SerialSet(expected);
        for (const serial of put) set.add(serial);
        const model = new Set(put.map(hex));
        expect(set.size).toBe(model.size);
        for (const serial of [...put, ...asked]) expect(set.has(serial)).toBe(model.has(hex(serial)));
      }),
      { seed: 20_261_124, numRuns: 300 },
    );
  });

  it('has nothing before something was put in', () => {
    expect(new SerialSet().has(Uint8Array.of(1))).toBe(false);
  });
});
