import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decimal } from './decimal.ts';

describe('decimal', () => {
  it.each([
    [34, -3, '0.034'],
    [0, -3, '0.000'],
    [999, -3, '0.999'],
    [1_000, -3, '1.000'],
    [1_234_567, -3, '1234.567'],
    [1_234_500, -3, '1234.500'],
    [-34, -3, '-0.034'],
    [-1_234_567, -3, '-1234.567'],
    [2_347, -1, '234.7'],
    [0, 0, '0'],
    [-0, 0, '0'],
    [42, 0, '42'],
    [42, 3, '42000'],
    [0, 3, '0'],
    [5, -9, '0.000000005'],
    [Number.MAX_SAFE_INTEGER, -3, '9007199254740.991'],
  ])('writes %d × 10^%d as %s', (value, exponent, text) => {
    expect(decimal(value, exponent)).toBe(text);
  });

  it('is exact for every safe integer: the digits without the point are the value', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.integer({ min: -12, max: 6 }), (value, exponent) => {
        const text = decimal(value, exponent);
        expect(text).toMatch(/^-?(0|[1-9][0-9]*)(\.[0-9]+)?$|^-?0\.[0-9]+$/);
        const [whole, fraction = ''] = text.split('.') as [string, string?];
        expect(fraction).toHaveLength(Math.max(0, -exponent));
        const scaled = BigInt(whole.replace('-', '') + fraction) * (value < 0 ? -1n : 1n);
        expect(scaled).toBe(BigInt(value) * 10n ** BigInt(Math.max(0, exponent)));
      }),
      { seed: 61968, numRuns: 500 },
    );
  });
});
