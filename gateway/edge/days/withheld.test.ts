import { describe, expect, it } from 'vitest';
import { QUALITY } from '../../../protocol/reading.ts';
import { isWithheld, type MeterState } from '../operations/state.ts';
import {
  accumulator,
  at,
  DAY,
  deltasOf,
  electricity,
  firstMeter,
  only,
  used,
  wholeDay,
} from '../testing/days.ts';
import { captured, GAS, meter, ORES, snapshot } from '../testing/meters.ts';
import { dayAfter, QUARTER_SECONDS } from './calendar.ts';
import { withhold } from './withheld.ts';

/** As the meter itself asks it: of a silence from one second up to another. */
const silence = (since: number, until: number) => (from: number, to: number) =>
  isWithheld({ airplane: null, silences: [{ since, until }] } as unknown as MeterState, from, to);

function closed(skip: (quarter: number) => boolean = () => false) {
  const { days } = accumulator();
  wholeDay(days, DAY, skip);
  days.observe(electricity(dayAfter(DAY), 0));
  return only(days, DAY);
}

describe('a day with airplane mode in it', () => {
  it('has gaps for each quarter-hour of which any second was in it, flagged, and nothing else changed', () => {
    const draft = closed();
    const since = at(DAY, 40, 899);
    const said = withhold(draft, silence(since, at(DAY, 44, 1)));
    expect(deltasOf(said)).toEqual(
      Array.from({ length: 96 }, (_, quarter) => (quarter >= 40 && quarter <= 44 ? null : used(quarter))),
    );
    expect(firstMeter(said).flags & QUALITY.profileGap).toBe(QUALITY.profileGap);
    expect(firstMeter(said).registers).toEqual(firstMeter(draft).registers);
  });

  it('is silent of a quarter-hour in which it began and ended', () => {
    const said = withhold(closed(), silence(at(DAY, 10, 100), at(DAY, 10, 200)));
    expect(deltasOf(said)[10]).toBeNull();
    expect(deltasOf(said).filter((delta) => delta === null)).toHaveLength(1);
  });

  it('is as it was where airplane mode ended with its beginning, or began with its end', () => {
    const draft = closed();
    expect(withhold(draft, silence(DAY.start - 900, DAY.start))).toEqual(draft);
    expect(withhold(draft, silence(DAY.end, DAY.end + 900))).toEqual(draft);
  });

  it('spreads nothing over the time that was not observed', () => {
    // What the device does meanwhile: it keeps nothing that it sees.
    const since = at(DAY, 40, 30);
    const until = at(DAY, 60, 450);
    const said = withhold(
      closed((quarter) => at(DAY, quarter) >= since && at(DAY, quarter) < until),
      silence(since, until),
    );
    const gaps = deltasOf(said).flatMap((delta, quarter) => (delta === null ? [quarter] : []));
    expect(gaps).toEqual(Array.from({ length: 21 }, (_, index) => 40 + index));
  });

  it('says nothing of an hour of an M-Bus meter that reaches into it, though its captures stand outside', () => {
    const { days } = accumulator();
    for (let hour = 0; hour <= 24; hour++) {
      const time = at(DAY, hour * 4);
      days.observe(snapshot(time, [meter([captured(GAS, 100 * hour, time)], { medium: 'gas', channel: 1 })]));
    }
    const draft = only(days, DAY);
    const said = withhold(draft, silence(at(DAY, 50), at(DAY, 51)));
    const { deltas, periodSeconds } = firstMeter(said).profiles[0]!;
    expect(periodSeconds).toBe(4 * QUARTER_SECONDS);
    expect(deltas.flatMap((delta, hour) => (delta === null ? [hour] : []))).toEqual([12]);
  });

  it('tells no monthly peak that was in it, or may have been', () => {
    const peak = (time: number | null, month = '2026-05') => ({
      obis: '1-0:1.6.0' as never,
      month,
      time: time === null ? null : { epochSeconds: time, offsetMinutes: 120 },
      value: 4_000,
      scaler: 0,
      unit: 'W' as const,
    });
    const draft = closed();
    const [inside, outside, unknown, before] = [
      peak(at(DAY, 45)),
      peak(at(DAY, 10)),
      peak(null),
      peak(null, '2026-04'),
    ];
    const meters = [{ ...firstMeter(draft), peaks: [inside, outside, unknown, before] }];
    const said = withhold({ ...draft, meters }, silence(at(DAY, 44), at(DAY, 46)));
    expect(firstMeter(said).peaks).toEqual([outside, before]);
  });
});

describe('the index as it stands', () => {
  it('is of the last day that is over, late, without a quarter-hour, and leaves the running day alone', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 20; quarter++) days.observe(electricity(DAY, quarter));
    const draft = days.current(ORES)!;
    expect(draft.day).toEqual(dayAfter(DAY, -1));
    expect(draft.capturedAt.epochSeconds).toBe(at(DAY, 20));
    expect(firstMeter(draft)).toMatchObject({ profiles: [], extremes: [] });
    expect(firstMeter(draft).flags).toBe(QUALITY.closedLate | QUALITY.profileGap);
    for (let quarter = 21; quarter <= 96; quarter++) days.observe(electricity(DAY, quarter));
    expect(deltasOf(only(days, DAY)).every((delta, quarter) => delta === used(quarter))).toBe(true);
  });

  it('is none of an owner that was not seen', () => {
    expect(accumulator().days.current(ORES)).toBeUndefined();
  });
});
