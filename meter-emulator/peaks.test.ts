import { describe, expect, it } from 'vitest';
import { dayNumber } from './days.ts';
import { ElectricityCurve } from './electricity.ts';
import { stateOf } from './hash.ts';
import { MonthPeaks } from './peaks.ts';
import { createWorld } from './world.ts';

const world = createWorld(7);
const SINCE = dayNumber('2021-05-05');
const curveSince = (since: number) =>
  new ElectricityCurve(world.surroundings('flanders'), stateOf(7, 2), since);
const curve = curveSince(SINCE);

describe('month peaks', () => {
  it('are the highest quarter-hours of their months, thirteen of them and the running one', () => {
    const { current, history } = new MonthPeaks(curve, SINCE).atStartOf(dayNumber('2026-03-29'));
    expect(history.map(({ month }) => month)).toEqual([
      ...Array.from({ length: 11 }, (_, index) => `2025-${String(index + 2).padStart(2, '0')}`),
      '2026-01',
      '2026-02',
    ]);
    let highest = 0;
    for (let day = dayNumber('2026-02-01'); day < dayNumber('2026-03-01'); day++)
      highest = Math.max(highest, curve.peakOf(day).watts);
    expect(history.at(-1)!.watts).toBe(highest);
    expect(current.month).toBe('2026-03');
    expect(current.watts).toBeGreaterThan(0);
  });

  it('are the same when reached day by day and when asked for at once', () => {
    const walking = new MonthPeaks(curve, SINCE);
    for (let day = dayNumber('2025-11-20'); day < dayNumber('2026-02-03'); day++) walking.atStartOf(day);
    const asked = new MonthPeaks(curve, SINCE).atStartOf(dayNumber('2026-02-03'));
    expect(walking.atStartOf(dayNumber('2026-02-03'))).toEqual(asked);
  });

  it('begin a month with nothing', () => {
    const { current, history } = new MonthPeaks(curve, SINCE).atStartOf(dayNumber('2026-03-01'));
    expect(current).toMatchObject({ month: '2026-03', watts: 0 });
    expect(history.at(-1)!.month).toBe('2026-02');
  });

  it('reach back only to the installation of the meter', () => {
    const since = dayNumber('2026-01-10');
    const { history } = new MonthPeaks(curveSince(since), since).atStartOf(dayNumber('2026-03-28'));
    expect(history.map(({ month }) => month)).toEqual(['2026-01', '2026-02']);
  });

  it('can be asked about the past again', () => {
    const peaks = new MonthPeaks(curve, SINCE);
    peaks.atStartOf(dayNumber('2026-03-28'));
    expect(peaks.atStartOf(dayNumber('2025-12-05'))).toEqual(
      new MonthPeaks(curve, SINCE).atStartOf(dayNumber('2025-12-05')),
    );
  });
});
