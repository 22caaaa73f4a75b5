import { describe, expect, test } from 'vitest';
import { QUALITY } from '../../../protocol/reading.ts';
import {
  accumulator,
  allOres,
  at,
  DAY,
  deltasOf,
  electricity,
  firstMeter,
  indexAt,
  only,
  used,
  wholeDay,
} from '../testing/days.ts';
import { IMPORT_DAY, meter, ORES, register, snapshot, timestamp } from '../testing/meters.ts';
import { dayNamed } from './calendar.ts';
import { ENDED_DAYS_MAX, MISSED_DAYS_MAX, PROFILE_DAYS_MAX } from './owner-days.ts';

describe('outages', () => {
  test('close the day late with what the first telegram after midnight shows', () => {
    const { days } = accumulator();
    wholeDay(days, DAY, (quarter) => quarter > 80);
    const next = dayNamed('2026-05-13');
    days.observe(snapshot(at(next, 12), [meter([register(IMPORT_DAY, indexAt(96) + 77)])]));
    const draft = only(days, DAY);
    expect(draft.capturedAt).toEqual(timestamp(at(next, 12)));
    expect(firstMeter(draft).registers[0]!.value).toBe(indexAt(96) + 77);
    expect(firstMeter(draft).flags).toBe(QUALITY.closedLate | QUALITY.profileGap);
    expect(deltasOf(draft).filter((delta) => delta === null)).toHaveLength(16);
  });

  test('that begin seconds before midnight leave the day on time', () => {
    const { days } = accumulator();
    wholeDay(days, DAY, (quarter) => quarter === 96);
    days.observe(electricity(DAY, 96, -2));
    const next = dayNamed('2026-05-13');
    days.observe(snapshot(at(next, 12), [meter([register(IMPORT_DAY, indexAt(96) + 77)])]));
    const draft = only(days, DAY);
    expect(draft.capturedAt).toEqual(timestamp(DAY.end - 2));
    expect(firstMeter(draft).registers[0]!.value).toBe(indexAt(96));
    expect(firstMeter(draft).flags).toBe(0);
    expect(deltasOf(draft)).toHaveLength(96);
  });

  test('of whole days leave one late index each, without a profile, and the days around them whole', () => {
    const { days, notices } = accumulator();
    wholeDay(days, DAY);
    const back = dayNamed('2026-05-16');
    for (let quarter = 20; quarter <= 96; quarter++)
      days.observe(snapshot(at(back, quarter), [meter([register(IMPORT_DAY, 20_000 + indexAt(quarter))])]));
    expect(days.due().map(({ day }) => day.name)).toEqual([
      '2026-05-12',
      '2026-05-13',
      '2026-05-14',
      '2026-05-15',
      '2026-05-16',
    ]);
    expect(notices).toEqual(['daysMissed']);
    for (const name of ['2026-05-13', '2026-05-14', '2026-05-15']) {
      const draft = only(days, dayNamed(name));
      expect(firstMeter(draft).flags).toBe(QUALITY.closedLate | QUALITY.profileGap);
      expect(firstMeter(draft).registers[0]!.value).toBe(20_000 + indexAt(20));
      expect(deltasOf(draft).every((delta) => delta === null)).toBe(true);
    }
    expect(deltasOf(only(days, back)).slice(20)).toEqual(
      Array.from({ length: 76 }, (_, index) => used(index + 20)),
    );
  });

  test('before a restart close the days since the last that was closed', () => {
    const { days } = accumulator(allOres, new Map([[ORES, dayNamed('2026-05-09').ordinal]]));
    days.observe(electricity(DAY, 30));
    expect(days.due().map(({ day }) => day.name)).toEqual(['2026-05-10', '2026-05-11']);
    expect(firstMeter(only(days, dayNamed('2026-05-10'))).flags).toBe(
      QUALITY.closedLate | QUALITY.profileGap,
    );
  });

  test('of weeks leave the day in which they began its profile up to there', () => {
    const { days, notices } = accumulator();
    for (let quarter = 0; quarter <= 50; quarter++) days.observe(electricity(DAY, quarter));
    const back = dayNamed('2026-06-20');
    days.observe(snapshot(at(back, 1), [meter([register(IMPORT_DAY, 20_000 + indexAt(96))])]));
    expect(days.due()).toHaveLength(39);
    expect(deltasOf(only(days, DAY)).slice(0, 50)).toEqual(
      Array.from({ length: 50 }, (_, quarter) => used(quarter)),
    );
    expect(notices).toEqual(['daysMissed']);
  });

  test('longer than the bound close the newest days of them', () => {
    const { days } = accumulator(allOres, new Map([[ORES, DAY.ordinal - 500]]));
    days.observe(electricity(DAY, 30));
    expect(days.due()).toHaveLength(MISSED_DAYS_MAX);
    expect(days.due().at(-1)!.day.name).toBe('2026-05-11');
  });

  test('do not begin before the first day that was ever seen', () => {
    const { days } = accumulator();
    days.observe(electricity(DAY, 30));
    expect(days.due()).toEqual([]);
    expect(days.through()).toEqual([[ORES, DAY.ordinal - 1]]);
  });
});

describe('days that nobody closes', () => {
  test('lose the oldest profile beyond a bound, then the oldest day, never the registers of the newest', () => {
    const { days, notices } = accumulator();
    let day = DAY;
    for (let count = 0; count <= PROFILE_DAYS_MAX; count++) {
      days.observe(snapshot(day.start, [meter([register(IMPORT_DAY, count)])]));
      days.observe(snapshot(day.start + 900, [meter([register(IMPORT_DAY, count)])]));
      day = dayNamed(new Date(Date.parse(day.name) + 86_400_000).toISOString().slice(0, 10));
    }
    days.observe(snapshot(day.start, [meter([register(IMPORT_DAY, 99)])]));
    expect(notices).toEqual(['profileDropped']);
    expect(firstMeter(only(days, DAY)).profiles).toEqual([]);
    expect(firstMeter(only(days, DAY)).flags).toBe(QUALITY.profileGap);
    expect(firstMeter(only(days, DAY)).registers[0]!.value).toBe(1);
    expect(firstMeter(only(days, dayNamed('2026-05-13'))).profiles).toHaveLength(1);
    for (let count = 0; count < ENDED_DAYS_MAX; count++) {
      day = dayNamed(new Date(Date.parse(day.name) + 86_400_000).toISOString().slice(0, 10));
      days.observe(snapshot(day.start, [meter([register(IMPORT_DAY, 100 + count)])]));
    }
    expect(days.due()).toHaveLength(ENDED_DAYS_MAX);
    expect(notices).toContain('dayDropped');
  });

  test('are forgotten once they are closed, and not due a second time', () => {
    const { days } = accumulator();
    wholeDay(days, DAY);
    days.closed({ owner: ORES, day: DAY });
    expect(days.due()).toEqual([]);
    expect(days.draft({ owner: ORES, day: DAY })).toBeUndefined();
    days.observe(electricity(DAY, 95));
    days.observe(electricity(DAY, 96, 5));
    expect(days.due()).toEqual([]);
  });
});

describe('a clock that is set back', () => {
  test('over midnight closes no day twice', () => {
    const { days, notices } = accumulator();
    wholeDay(days, DAY);
    days.closed({ owner: ORES, day: DAY });
    days.observe(electricity(DAY, 95));
    days.observe(electricity(DAY, 96, 5));
    expect(days.due()).toEqual([]);
    expect(notices).toEqual(['clockSetBack']);
  });

  test('from another year opens the real days again', () => {
    const { days, notices } = accumulator();
    days.observe(electricity(dayNamed('2036-01-01'), 5));
    days.observe(electricity(DAY, 5));
    wholeDay(days, DAY, (quarter) => quarter < 6);
    expect(days.due().map(({ day }) => day.name)).toEqual(['2026-05-12']);
    expect(notices).toEqual(['clockSetBack', 'daysReopened']);
  });
});
