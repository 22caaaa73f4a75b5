import { describe, expect, it } from 'vitest';
import type { ObisCode, Register } from '../../../protocol/reading.ts';
import { dayAfter, dayNamed } from './calendar.ts';
import { followingRow, newRow, sampleAt, sampleBoundary } from './row.ts';

const DAY = dayNamed('2026-02-03');
const register = (value: number, scaler: number): Register => ({
  obis: '1-0:1.8.0' as ObisCode,
  value,
  scaler,
  unit: 'Wh',
  time: null,
  flags: 0,
});

describe('the samples of a day', () => {
  it('keep a register that counts in hundredths of a milliwatt-hour through a day of 200 kWh', () => {
    // An eBZ prints eight decimals of a kWh: 2^31 of its steps are 21.5 kWh.
    const values = Array.from(
      { length: DAY.quarters + 1 },
      (_, slot) => 271_412_830_185 + slot * 208_333_337,
    );
    const row = newRow('electricity', register(values[0]!, -5), DAY)!;
    values.forEach((value, slot) => {
      expect(sampleBoundary(row, slot, register(value, -5))).toBe(true);
    });
    expect(values.map((_, slot) => sampleAt(row, slot))).toEqual(values);
  });

  it('take four bytes each where no day can count more steps', () => {
    expect(newRow('electricity', register(0, 0), DAY)!.values.BYTES_PER_ELEMENT).toBe(4);
    expect(newRow('electricity', register(0, -1), DAY)!.values.BYTES_PER_ELEMENT).toBe(4);
    expect(newRow('electricity', register(0, -4), DAY)!.values.BYTES_PER_ELEMENT).toBe(8);
  });

  it('begin anew on the day after a register fell further than they reach', () => {
    const row = newRow('electricity', register(99_999_999_999, 0), DAY)!;
    expect(sampleBoundary(row, 0, register(99_999_999_999, 0))).toBe(true);
    // In the day itself it is a gap: the samples that are there keep their meaning.
    expect(sampleBoundary(row, 1, register(12, 0))).toBe(false);
    const next = followingRow(row, dayAfter(DAY));
    expect(sampleBoundary(next, 0, register(15, 0))).toBe(true);
    expect(sampleBoundary(next, 1, register(19, 0))).toBe(true);
    expect([sampleAt(next, 0), sampleAt(next, 1), sampleAt(next, 2)]).toEqual([15, 19, null]);
    expect(next.carry?.value).toBe(99_999_999_999);
  });
});
