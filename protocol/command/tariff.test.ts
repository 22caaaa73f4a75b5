import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dayOfNumber, numberOfDay } from '../day.ts';
import type { TenantId } from '../identity.ts';
import { isBelgianHoliday, weekdayOf } from './holidays.ts';
import { presetWindows, TARIFF_PRESETS } from './presets.ts';
import { dayBit, EVERY_DAY, PLANS, rateAt, registerOfRate, tariffFault, WORKING_DAYS } from './tariff.ts';
import { windowsFromText, windowsToText } from './tariff-text.ts';

const SEED = 20_261_201;
const ores = 'ores' as TenantId;
const fluvius = 'fluvius' as TenantId;
const at = (hour: number, minute = 0): number => hour * 60 + minute;

describe('windows that do not fit', () => {
  const window = { days: EVERY_DAY, startMinute: at(7), endMinute: at(11), rate: 1 };
  it.each([
    ['of a plan of one rate', { plan: 'mono', windows: [window] }, /one rate/],
    ['none, of a plan of two', { plan: 'bi', windows: [] }, /needs windows/],
    ['ending before they begin', { plan: 'bi', windows: [{ ...window, endMinute: at(7) }] }, /ends before/],
    ['of a third rate in a plan of two', { plan: 'bi', windows: [{ ...window, rate: 3 }] }, /rate/],
    ['of no weekday', { plan: 'bi', windows: [{ ...window, days: dayBit('hol') }] }, /no weekday/],
    [
      'of the same minute twice',
      {
        plan: 'impact',
        windows: [
          window,
          { ...window, days: WORKING_DAYS, startMinute: at(10, 59), endMinute: at(12), rate: 2 },
        ],
      },
      /windows 1 and 2 overlap/,
    ],
  ] as const)('are refused: %s', (_, setting, fault) => {
    expect(tariffFault(setting)).toMatch(fault);
  });

  it('are not those that touch, or that share hours on other days', () => {
    const other = { ...window, startMinute: at(11), endMinute: at(12) };
    expect(tariffFault({ plan: 'bi', windows: [window, other] })).toBeUndefined();
    const weekend = { ...window, days: EVERY_DAY & ~WORKING_DAYS };
    expect(
      tariffFault({ plan: 'bi', windows: [{ ...window, days: WORKING_DAYS }, weekend] }),
    ).toBeUndefined();
  });
});

describe('the rate of a moment', () => {
  const wallonia2025 = { plan: 'bi', windows: presetWindows(ores, 'bi', '2025-12-31')! } as const;
  const wallonia2026 = { plan: 'bi', windows: presetWindows(ores, 'bi', '2026-01-01')! } as const;
  const impact = { plan: 'impact', windows: presetWindows(ores, 'impact', '2026-01-01')! } as const;
  const flanders = { plan: 'bi', windows: presetWindows(fluvius, 'bi', '2026-06-01')! } as const;

  it('is one rate where the plan is mono', () => {
    expect(rateAt({ plan: 'mono', windows: [] }, '2026-01-01', at(3))).toBe(1);
  });

  it('until 2025 in Wallonia is day from 07 to 22 h on weekdays, holidays too', () => {
    const rates = (day: string) =>
      [at(6, 59), at(7), at(21, 59), at(22)].map((minute) => rateAt(wallonia2025, day, minute));
    expect(rates('2025-11-12')).toEqual([2, 1, 1, 2]);
    expect(rates('2025-11-11')).toEqual([2, 1, 1, 2]);
    expect(rates('2025-11-15')).toEqual([2, 2, 2, 2]);
  });

  it('from 2026 in Wallonia is peak from 07 to 11 and 17 to 22 h on all seven days', () => {
    for (const day of ['2026-01-01', '2026-01-03', '2026-01-04', '2026-01-05'])
      expect(
        [at(6, 59), at(7), at(11), at(16, 59), at(17), at(22)].map((minute) =>
          rateAt(wallonia2026, day, minute),
        ),
      ).toEqual([2, 1, 2, 2, 1, 2]);
  });

  it('of IMPACT is pic, medium and eco by the hour', () => {
    const names = Array.from(
      { length: 24 },
      (_, hour) => PLANS.impact.rates[rateAt(impact, '2026-02-03', at(hour)) - 1]!.name[0],
    );
    expect(names.join('')).toBe('meeeeeemmmmeeeeeepppppmm');
    expect([1, 2, 3].map((rate) => registerOfRate('impact', rate))).toEqual([1, 1, 2]);
  });

  it('in Flanders is night on weekends and holidays', () => {
    expect(rateAt(flanders, '2026-07-20', at(12))).toBe(1);
    expect(rateAt(flanders, '2026-07-21', at(12))).toBe(2);
    expect(rateAt(flanders, '2026-07-25', at(12))).toBe(2);
  });

  it('is no plan of a region that has none, nor of water', () => {
    expect(presetWindows(ores, 'impact', '2025-12-31')).toBeUndefined();
    expect(presetWindows(fluvius, 'impact', '2026-06-01')).toBeUndefined();
    expect(presetWindows('farys' as TenantId, 'bi', '2026-06-01')).toBeUndefined();
  });

  it('comes from presets of which every one fits its plan', () => {
    for (const preset of TARIFF_PRESETS) expect(tariffFault(preset), JSON.stringify(preset)).toBeUndefined();
  });
});

describe('a holiday of Belgium', () => {
  it('is one of ten a year, with Easter where it falls', () => {
    const of = (year: number): string[] => {
      const first = numberOfDay(`${year}-01-01`)!;
      return Array.from({ length: 365 }, (_, day) => dayOfNumber(first + day)).filter(isBelgianHoliday);
    };
    expect(of(2026)).toEqual(
      ['01-01', '04-06', '05-01', '05-14', '05-25', '07-21', '08-15', '11-01', '11-11', '12-25'].map(
        (day) => `2026-${day}`,
      ),
    );
    // Ascension on Labour Day: nine days.
    expect(of(2008)).toHaveLength(9);
    expect(of(2038)).toContain('2038-04-26');
  });

  it('is looked for on weekdays that agree with the calendar of the engine', () => {
    for (let number = 0; number < 30_000; number += 37) {
      const day = dayOfNumber(number);
      expect((weekdayOf(day) + 1) % 7).toBe(new Date(`${day}T00:00:00Z`).getUTCDay());
    }
  });
});

describe('windows as text', () => {
  it('say days, hours and rate', () => {
    const text = 'mon-fri+hol@07:00-22:00=1,sat@00:00-24:00=2,sun+hol@01:30-02:00=1';
    expect(windowsToText(windowsFromText(text)!)).toBe(text);
    expect(windowsToText(presetWindows(ores, 'bi', '2026-01-01')!)).toBe(
      'mon-sun+hol@07:00-11:00=1,mon-sun+hol@17:00-22:00=1',
    );
  });

  it('are refused in any other form', () => {
    for (const text of [
      '',
      'fri-mon@07:00-22:00=1',
      'mon@7:00-22:00=1',
      'mon@07:60-22:00=1',
      'mon-tue-wed@07:00-22:00=1',
      'mon@07:00-22:00',
      'mon@07:00-22:00=0',
      'mon@07:00-22:00=1,',
      'may@07:00-22:00=1',
    ])
      expect(windowsFromText(text), text).toBeUndefined();
  });

  it('come back as they were, whatever they are', () => {
    const window = fc.record({
      days: fc.integer({ min: 1, max: 127 }).chain((days) => fc.constantFrom(days, days | 128)),
      startMinute: fc.integer({ min: 0, max: 1_439 }),
      endMinute: fc.integer({ min: 1, max: 1_440 }),
      rate: fc.integer({ min: 1, max: 4 }),
    });
    fc.assert(
      fc.property(fc.array(window, { maxLength: 16 }), (windows) => {
        expect(windowsFromText(windowsToText(windows))).toEqual(windows);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
