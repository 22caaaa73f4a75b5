import { describe, expect, it } from 'vitest';
import { decodeDailyIndex, encodeDailyIndex } from './payload.ts';
import { SAMPLE_INDEX } from './testing/samples.ts';

describe('the daily index', () => {
  it('comes back as it went', () => {
    const bytes = encodeDailyIndex(SAMPLE_INDEX);
    expect(decodeDailyIndex(bytes)).toEqual(SAMPLE_INDEX);
  });
});
