import { describe, expect, it } from 'vitest';
import { dayNamed, QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import { Cadence } from './cadence.ts';

const QUARTER_MS = QUARTER_SECONDS * 1_000;
const START_MS = dayNamed('2026-03-29').start * 1_000;

/** The moments whose telegrams are sent in so many real milliseconds, looked at every 10 as a meter does. */
function moments(periodMs: number, realMs: number, nowAt: (realMs: number) => number): number[] {
  const cadence = new Cadence(periodMs, nowAt(0), 0);
  const sent: number[] = [];
  for (let at = 10; at <= realMs; at += 10) {
    const due = cadence.due(nowAt(at), at);
    if (due !== null) sent.push(due);
  }
  return sent;
}

describe('when a telegram is due', () => {
  it('is once a second, at the clock’s own seconds', () => {
    const sent = moments(1_000, 5_000, (real) => START_MS + 350 + real);
    expect(sent).toEqual([1, 2, 3, 4, 5].map((second) => START_MS + second * 1_000));
  });

  it('is every ten seconds where the dialect says so', () => {
    const sent = moments(10_000, 40_000, (real) => START_MS + real);
    expect(sent).toEqual([10, 20, 30, 40].map((second) => START_MS + second * 1_000));
  });

  it('is also at every quarter-hour of a day seen in a minute, one hour short as it is', () => {
    const speed = 1_440;
    const sent = moments(1_000, 60_000, (real) => START_MS + real * speed);
    for (let quarter = 1; quarter <= 92; quarter++) expect(sent).toContain(START_MS + quarter * QUARTER_MS);
    expect(sent.toSorted((one, other) => one - other)).toEqual(sent);
  });

  it('is of the quarter-hour that it is now when the clock leapt over several', () => {
    const sent = moments(1_000, 3_000, (real) => START_MS + real + (real < 1_500 ? 0 : 5.5 * QUARTER_MS));
    expect(sent).toContain(START_MS + 5 * QUARTER_MS);
    expect(sent).toHaveLength(3);
  });

  it('comes also while the clock stands still, and after it was set back', () => {
    expect(moments(1_000, 4_600, () => START_MS)).toHaveLength(3);
    const back = moments(1_000, 4_000, (real) => START_MS + real - (real < 2_000 ? 0 : 3_600_000));
    expect(back.at(-1)).toBeLessThan(START_MS);
    expect(back.length).toBeGreaterThanOrEqual(3);
  });
});
