import { describe, expect, test } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import { dayAfter, dayAt, dayNamed, monthBefore, offsetMinutesAt } from './calendar.ts';

const epoch = (text: string): number => Date.parse(text) / 1000;

describe('the calendar of Europe/Brussels', () => {
  test.each(['', '2026-2-1', '2026-02-30', '2026-13-01', 'tomorrow', '2026-03-29T00:00', '20260329'])(
    'refuses %j as a day',
    (name) => {
      expect(() => dayNamed(name)).toThrow(expect.objectContaining({ code: 'ERR_EDGE_DAY' }));
    },
  );

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('refuses %d as a time', (time) => {
    let thrown: unknown;
    try {
      dayAt(time);
    } catch (error) {
      thrown = error;
    }
    expect(isHesError(thrown, 'ERR_EDGE_TIME')).toBe(true);
  });

  test.each([
    ['2026-03-29', '2026-03-28T23:00:00Z', '2026-03-29T22:00:00Z', 92],
    ['2026-03-28', '2026-03-27T23:00:00Z', '2026-03-28T23:00:00Z', 96],
    ['2026-07-01', '2026-06-30T22:00:00Z', '2026-07-01T22:00:00Z', 96],
    ['2026-10-25', '2026-10-24T22:00:00Z', '2026-10-25T23:00:00Z', 100],
    ['2025-10-26', '2025-10-25T22:00:00Z', '2025-10-26T23:00:00Z', 100],
    ['2028-02-29', '2028-02-28T23:00:00Z', '2028-02-29T23:00:00Z', 96],
  ])('knows where %s begins and ends and how many quarter-hours it has', (name, start, end, quarters) => {
    expect(dayNamed(name)).toMatchObject({ start: epoch(start), end: epoch(end), quarters });
  });

  test('puts local midnight into the day that begins, and the second before into the one that ends', () => {
    expect(dayAt(epoch('2026-03-28T23:00:00Z')).name).toBe('2026-03-29');
    expect(dayAt(epoch('2026-03-28T22:59:59Z')).name).toBe('2026-03-28');
    expect(dayAt(epoch('2026-03-29T22:00:00Z')).name).toBe('2026-03-30');
    expect(dayAt(epoch('2026-03-29T21:59:59Z')).name).toBe('2026-03-29');
  });

  test('joins twelve years of days without a seam, one of 92 and one of 100 quarter-hours a year', () => {
    const counts = new Map<number, number>();
    let day = dayNamed('2026-01-01');
    for (let index = 0; index < 12 * 365 + 3; index++) {
      const next = dayAfter(day);
      expect(next.start).toBe(day.end);
      expect(next.ordinal).toBe(day.ordinal + 1);
      counts.set(day.quarters, (counts.get(day.quarters) ?? 0) + 1);
      day = next;
    }
    expect(day.name).toBe('2038-01-01');
    expect([counts.get(92), counts.get(100), counts.size]).toEqual([12, 12, 3]);
  });

  test('finds the day of any second however far apart the questions are', () => {
    for (const day of ['2026-10-25', '1999-12-31', '2026-03-29', '2040-06-15'].map(dayNamed)) {
      for (const time of [day.start, day.start + 1, day.end - 3601, day.end - 1])
        expect(dayAt(time)).toEqual(day);
      expect(dayAt(day.end)).toEqual(dayAfter(day));
      expect(dayAt(day.start - 1)).toEqual(dayAfter(day, -1));
    }
  });

  test('says how far local time is ahead of UTC on both sides of the clock change', () => {
    expect(offsetMinutesAt(epoch('2026-10-25T00:59:59Z'))).toBe(120);
    expect(offsetMinutesAt(epoch('2026-10-25T01:00:00Z'))).toBe(60);
  });

  test('finds the month before, across the year', () => {
    expect(monthBefore(dayNamed('2026-01-31'))).toBe('2025-12');
    expect(monthBefore(dayNamed('2026-12-01'))).toBe('2026-11');
  });
});
