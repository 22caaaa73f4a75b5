import { describe, expect, it } from 'vitest';
import { sunHeight } from './climate.ts';
import { dayFrame, dayNumber, quarterStart } from './days.ts';
import { ElectricityCurve, type ElectricityDay, electricityTraits } from './electricity.ts';
import { stateOf } from './hash.ts';
import { VolumeCurve } from './volumes.ts';
import { createWorld } from './world.ts';

const SEED = 7;
const SINCE = dayNumber('2021-05-05');
const worlds = new Map([7, 8].map((seed) => [seed, createWorld(seed)]));
const state = (index: number, seed = SEED) => stateOf(seed, index);
const curve = (index: number, region: 'wallonia' | 'flanders' = 'flanders', seed = SEED) =>
  new ElectricityCurve(worlds.get(seed)!.surroundings(region), state(index, seed), SINCE);

/** The first household of the seed of which this holds. */
function household(holds: (traits: ReturnType<typeof electricityTraits>) => boolean): number {
  for (let index = 0; index < 500; index++) if (holds(electricityTraits(state(index)))) return index;
  throw new Error('no such household');
}

const REGISTERS = ['importDayWh', 'importNightWh', 'exportDayWh', 'exportNightWh'] as const;
const steps = (register: Float64Array) =>
  Array.from(register.slice(1), (value, index) => value - register[index]!);
const importOf = (day: ElectricityDay) =>
  steps(day.importDayWh).map((wh, index) => wh + steps(day.importNightWh)[index]!);

describe('the electricity curve', () => {
  it('never falls, stays whole, and begins each day where the last one ended, over a year and both clock changes', () => {
    const meter = curve(household((traits) => traits.panelsKw > 0 && traits.carWhPerYear > 0));
    let before: ElectricityDay | undefined;
    for (let day = dayNumber('2025-10-20'); day < dayNumber('2026-11-02'); day++) {
      const now = meter.day(day);
      for (const name of REGISTERS) {
        expect(now[name].every(Number.isSafeInteger)).toBe(true);
        expect(Math.min(...steps(now[name]))).toBeGreaterThanOrEqual(0);
        if (before !== undefined) expect(now[name][0]).toBe(before[name].at(-1));
      }
      before = now;
    }
  });

  it('shows nothing before the meter was installed', () => {
    const day = curve(3).day(SINCE - 40);
    expect(REGISTERS.flatMap((name) => [...day[name]]).every((value) => value === 0)).toBe(true);
  });

  it('is the same after a restart, whichever day is asked for first', () => {
    const running = curve(4);
    for (let day = dayNumber('2026-01-01'); day < dayNumber('2026-03-28'); day++) running.day(day);
    expect(curve(4).day(dayNumber('2026-03-28'))).toEqual(running.day(dayNumber('2026-03-28')));
  });

  it('is another one for another seed and another household', () => {
    const day = dayNumber('2026-03-28');
    expect(curve(4, 'flanders', 8).day(day)).not.toEqual(curve(4).day(day));
    expect(curve(5).day(day)).not.toEqual(curve(4).day(day));
  });

  it.each([
    ['2026-03-29', 92],
    ['2026-03-30', 96],
    ['2026-10-25', 100],
  ])('has on %s %i quarter-hours', (date, quarters) => {
    expect(curve(1).day(dayNumber(date)).importDayWh).toHaveLength(quarters + 1);
  });

  it('runs rate 1 by day and rate 2 by night and in the weekend', () => {
    const moved = (register: Float64Array) =>
      steps(register).flatMap((wh, quarter) => (wh > 0 ? [quarter] : []));
    const tuesday = curve(2).day(dayNumber('2026-02-03'));
    expect(moved(tuesday.importDayWh).every((quarter) => quarter >= 28 && quarter < 88)).toBe(true);
    expect(moved(tuesday.importNightWh).every((quarter) => quarter < 28 || quarter >= 88)).toBe(true);
    expect(moved(curve(2).day(dayNumber('2026-02-07')).importDayWh)).toEqual([]);
  });

  it('takes the Walloon windows from 2026 on, weekends included', () => {
    const rates = (date: string) => {
      const day = curve(2, 'wallonia').day(dayNumber(date));
      return steps(day.importDayWh)
        .map((wh, quarter) => (wh > steps(day.importNightWh)[quarter]! ? 'd' : 'n'))
        .join('');
    };
    expect(rates('2026-02-07')).toBe(
      'n'.repeat(28) + 'd'.repeat(16) + 'n'.repeat(24) + 'd'.repeat(20) + 'n'.repeat(8),
    );
    expect(rates('2025-12-30').slice(28, 88)).toBe('d'.repeat(60));
  });

  it('exports only under the sun, and more in June than in December', () => {
    const meter = curve(household((traits) => traits.panelsKw > 3));
    const total = (from: string, days: number) => {
      const first = meter.day(dayNumber(from));
      const last = meter.day(dayNumber(from) + days);
      return last.exportDayWh[0]! + last.exportNightWh[0]! - first.exportDayWh[0]! - first.exportNightWh[0]!;
    };
    expect(total('2025-06-01', 30)).toBeGreaterThan(4 * total('2025-12-01', 30));
    const day = meter.day(dayNumber('2026-06-21'));
    const frame = dayFrame(dayNumber('2026-06-21'));
    steps(day.exportDayWh).forEach((wh, quarter) => {
      if (sunHeight(quarterStart(frame, quarter).epochSeconds + 450) < 0) expect(wh).toBe(0);
    });
  });

  it('has the size of Belgian households, with evenings above nights', () => {
    const year = (index: number) => {
      const meter = curve(index);
      const from = meter.day(dayNumber('2025-01-01'));
      const to = meter.day(dayNumber('2026-01-01'));
      return to.importDayWh[0]! + to.importNightWh[0]! - from.importDayWh[0]! - from.importNightWh[0]!;
    };
    const years = Array.from({ length: 40 }, (_, index) => year(index));
    const mean = years.reduce((sum, wh) => sum + wh) / years.length;
    expect(mean).toBeGreaterThan(2_000_000);
    expect(mean).toBeLessThan(5_000_000);
    const evenings = Array.from({ length: 20 }, (_, index) =>
      importOf(curve(index).day(dayNumber('2026-01-14'))),
    );
    const sum = (from: number, to: number) =>
      evenings.reduce((all, day) => all + day.slice(from, to).reduce((part, wh) => part + wh), 0);
    expect(sum(68, 84)).toBeGreaterThan(1.5 * sum(4, 20));
  });

  it('charges a car in one block of the night', () => {
    const day = curve(household((traits) => traits.carWhPerYear > 2_000_000)).day(dayNumber('2026-02-04'));
    const night = importOf(day).slice(0, 28);
    expect(Math.max(...night)).toBeGreaterThan(500);
  });
});

describe('the volume curves', () => {
  const volume = (medium: 'gas' | 'water' | 'heat', index = 3) =>
    new VolumeCurve(worlds.get(SEED)!.surroundings('flanders'), medium, state(index), SINCE);
  const used = (medium: 'gas' | 'water' | 'heat', from: string, to: string) =>
    volume(medium).day(dayNumber(to))[0]! - volume(medium).day(dayNumber(from))[0]!;

  it.each(['gas', 'water', 'heat'] as const)(
    '%s never falls and begins each day where the last one ended',
    (medium) => {
      let end: number | undefined;
      for (let day = dayNumber('2026-03-20'); day < dayNumber('2026-04-10'); day++) {
        const register = volume(medium).day(day);
        expect(Math.min(...steps(register))).toBeGreaterThanOrEqual(0);
        if (end !== undefined) expect(register[0]).toBe(end);
        end = register.at(-1)!;
      }
    },
  );

  it('burns most gas in winter, and little but hot water in summer', () => {
    expect(used('gas', '2025-01-01', '2025-02-01')).toBeGreaterThan(
      5 * used('gas', '2025-07-01', '2025-08-01'),
    );
    expect(used('gas', '2025-07-01', '2025-08-01')).toBeGreaterThan(0);
  });

  it('draws water in events: most quarter-hours have none', () => {
    const day = steps(volume('water').day(dayNumber('2026-02-04')));
    expect(day.filter((litres) => litres === 0).length).toBeGreaterThan(48);
    expect(used('water', '2025-01-01', '2026-01-01')).toBeGreaterThan(25_000);
    expect(used('water', '2025-01-01', '2026-01-01')).toBeLessThan(170_000);
  });
});
