import { describe, expect, it } from 'vitest';
import { isoTime, isPlaceholderTime, monthEndingAt, monthOf, readTime } from './time.ts';

const read = (text: string) => readTime(Buffer.from(text, 'latin1'), 0, text.length);
const placeholder = (text: string) => isPlaceholderTime(Buffer.from(text, 'latin1'), 0, text.length);
const utc = (text: string): number => Date.parse(text) / 1000;

describe('P1 time', () => {
  it.each([
    ['632525252525S', 'a placeholder by its form'],
    ['250000000000W', 'month 0'],
    ['251301120000W', 'month 13'],
    ['250230120000W', '30 February'],
    ['250229120000W', '29 February of a common year'],
    ['250115240000W', 'hour 24'],
    ['250115126000W', 'minute 60'],
    ['250115120060W', 'second 60'],
    ['250115120000X', 'a letter that is no offset'],
    ['25011512000', 'eleven digits'],
    ['2501151200000W', 'thirteen digits'],
    ['25O115120000W', 'a letter O'],
    ['', 'nothing'],
  ])('reads no moment in %s (%s)', (text) => {
    expect(read(text)).toBeNull();
  });

  it('takes S as UTC+2 and W as UTC+1, whatever the season says', () => {
    expect(read('260715120000S')).toEqual({
      epochSeconds: utc('2026-07-15T10:00:00Z'),
      offsetMinutes: 120,
      assumed: false,
    });
    expect(read('260715120000W')).toEqual({
      epochSeconds: utc('2026-07-15T11:00:00Z'),
      offsetMinutes: 60,
      assumed: false,
    });
    expect(read('200229235959w')?.epochSeconds).toBe(utc('2020-02-29T22:59:59Z'));
  });

  it('tells the two hours apart that October has twice', () => {
    expect(read('261025023000S')?.epochSeconds).toBe(utc('2026-10-25T00:30:00Z'));
    expect(read('261025023000W')?.epochSeconds).toBe(utc('2026-10-25T01:30:00Z'));
  });

  it.each([
    ['161107190000', '2016-11-07T18:00:00Z', 60],
    ['120715210000', '2012-07-15T19:00:00Z', 120],
    ['260329015959', '2026-03-29T00:59:59Z', 60],
    ['260329030000', '2026-03-29T01:00:00Z', 120],
    ['261025015959', '2026-10-24T23:59:59Z', 120],
    ['261025023000', '2026-10-25T01:30:00Z', 60],
  ])('assumes the European offset of %s, which has no letter, and says so', (text, iso, offsetMinutes) => {
    expect(read(text)).toEqual({ epochSeconds: utc(iso), offsetMinutes, assumed: true });
  });

  it('agrees with the calendar on every day of a century', () => {
    for (let day = utc('2000-01-01T00:00:00Z'); day < utc('2099-12-31T00:00:00Z'); day += 86_400 * 5 + 3600) {
      const iso = new Date(day * 1000).toISOString();
      const text = `${iso.slice(2, 4)}${iso.slice(5, 7)}${iso.slice(8, 10)}${iso.slice(11, 13)}0000W`;
      expect(read(text)?.epochSeconds).toBe(day - 3600);
      expect(monthOf({ epochSeconds: day, offsetMinutes: 0 })).toBe(iso.slice(0, 7));
    }
  });

  it('knows what stands for "never"', () => {
    for (const text of ['632525252525S', '700101010000W', '000101000000W', ''])
      expect(placeholder(text)).toBe(true);
    for (const text of ['700102000000W', '260101000000W', '000104180320W'])
      expect(placeholder(text)).toBe(false);
  });

  it('gives a month to the midnight that closes it', () => {
    expect(monthEndingAt(read('260501000000S')!)).toBe('2026-04');
    expect(monthEndingAt(read('260101000000W')!)).toBe('2025-12');
    expect(monthEndingAt(read('260430235959S')!)).toBe('2026-04');
  });

  it('prints the offset that was read, and none that was assumed', () => {
    expect(isoTime(read('200512135409S')!)).toBe('2020-05-12T13:54:09+02:00');
    expect(isoTime(read('161107190000')!)).toBe('2016-11-07T19:00:00');
  });
});
