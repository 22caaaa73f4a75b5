import { describe, expect, test } from 'vitest';
import { QUALITY } from '../../../protocol/reading.ts';
import {
  accumulator,
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
import { dayNamed, QUARTER_SECONDS } from './calendar.ts';

describe('what a day refuses to invent', () => {
  test('leaves a gap on both sides of a sample that is missing, and flags it', () => {
    const { days } = accumulator();
    wholeDay(days, DAY, (quarter) => quarter === 40);
    const draft = only(days, DAY);
    const expected = Array.from({ length: 96 }, (_, quarter) =>
      quarter === 39 || quarter === 40 ? null : used(quarter),
    );
    expect(deltasOf(draft)).toEqual(expected);
    expect(firstMeter(draft).flags).toBe(QUALITY.profileGap);
  });

  test('takes no sample that is too far from its quarter-hour', () => {
    const { days } = accumulator();
    wholeDay(days, DAY, (quarter) => quarter === 40);
    const late = accumulator().days;
    for (let quarter = 0; quarter <= 96; quarter++)
      late.observe(electricity(DAY, quarter, quarter === 40 ? 61 : 0));
    expect(deltasOf(only(late, DAY))).toEqual(deltasOf(only(days, DAY)));
  });

  test('makes a fall a gap with a flag, and goes on from the lower register', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 96; quarter++) {
      const value = indexAt(quarter) - (quarter >= 50 ? 900_000 : 0);
      days.observe(snapshot(at(DAY, quarter), [meter([register(IMPORT_DAY, value)])]));
    }
    const draft = only(days, DAY);
    expect(deltasOf(draft)[49]).toBeNull();
    expect(deltasOf(draft)[50]).toBe(used(50));
    expect(firstMeter(draft).flags).toBe(QUALITY.profileGap);
    expect(firstMeter(draft).registers[0]!.flags).toBe(QUALITY.registerFell);
  });

  test('makes a jump beyond what a connection can pass a gap with a flag', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 96; quarter++) {
      const value = indexAt(quarter) + (quarter >= 50 ? 5_000_000 : 0);
      days.observe(snapshot(at(DAY, quarter), [meter([register(IMPORT_DAY, value)])]));
    }
    expect(deltasOf(only(days, DAY))[49]).toBeNull();
    expect(firstMeter(only(days, DAY)).flags).toBe(QUALITY.profileGap);
    expect(firstMeter(only(days, DAY)).registers[0]!.flags).toBe(QUALITY.registerJumped);
  });

  test('sees a fall over midnight and over a gap', () => {
    const { days } = accumulator();
    wholeDay(days, DAY);
    const next = dayNamed('2026-05-13');
    for (let quarter = 3; quarter <= 96; quarter++)
      days.observe(snapshot(at(next, quarter), [meter([register(IMPORT_DAY, 5 + quarter)])]));
    expect(firstMeter(only(days, DAY)).flags).toBe(0);
    expect(firstMeter(only(days, next)).registers[0]!.flags).toBe(QUALITY.registerFell);
  });

  test('takes no sample from a placeholder', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 96; quarter++) {
      const bad = quarter === 10;
      const value = register(IMPORT_DAY, bad ? 0 : indexAt(quarter), {
        flags: bad ? QUALITY.placeholder : 0,
      });
      days.observe(snapshot(at(DAY, quarter), [meter([value])]));
    }
    expect(deltasOf(only(days, DAY)).flatMap((delta, index) => (delta === null ? [index] : []))).toEqual([
      9, 10,
    ]);
    expect(firstMeter(only(days, DAY)).flags).toBe(QUALITY.profileGap);
  });

  test('refuses a time that is no whole second and more meters than a device carries', () => {
    const { days } = accumulator();
    const fraction = { ...electricity(DAY, 1), at: { epochSeconds: DAY.start + 0.5, offsetMinutes: 120 } };
    expect(() => days.observe(fraction)).toThrow(expect.objectContaining({ code: 'ERR_EDGE_TIME' }));
    const many = Array.from({ length: 6 }, (_, channel) => meter([], { channel }));
    expect(() => days.observe(snapshot(DAY.start, many))).toThrow(
      expect.objectContaining({ code: 'ERR_EDGE_METERS' }),
    );
    expect(days.through()).toEqual([]);
  });
});

describe('a day that is whole', () => {
  test.each([
    ['2026-03-29', 92],
    ['2026-05-12', 96],
    ['2026-10-25', 100],
  ])('has on %s a profile of %i increments that add up to the register', (name, quarters) => {
    const day = dayNamed(name);
    const { days } = accumulator();
    wholeDay(days, day);
    expect(days.due()).toEqual([{ owner: ORES, day }]);
    const draft = only(days, day);
    const { profiles, registers, flags } = firstMeter(draft);
    expect(profiles[0]).toMatchObject({ obis: IMPORT_DAY, start: day.start, periodSeconds: 900, scaler: 0 });
    expect(profiles[0]!.deltas).toEqual(Array.from({ length: quarters }, (_, quarter) => used(quarter)));
    expect(registers[0]!.value).toBe(indexAt(quarters));
    expect(flags).toBe(0);
    expect(draft).toMatchObject({ clock: 'synchronised', capturedAt: timestamp(day.end) });
  });

  test('is the same from a telegram a second as from one a quarter-hour', () => {
    const { days } = accumulator();
    for (let time = DAY.start; time <= DAY.end; time += 7) {
      const quarter = Math.floor((time - DAY.start) / QUARTER_SECONDS);
      days.observe(snapshot(time, [meter([register(IMPORT_DAY, indexAt(quarter))])]));
    }
    days.observe(electricity(DAY, 96));
    expect(deltasOf(only(days, DAY))).toEqual(Array.from({ length: 96 }, (_, quarter) => used(quarter)));
  });

  test('takes the last telegram before a boundary where the next came too late', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 96; quarter++)
      if (quarter !== 40) days.observe(electricity(DAY, quarter));
      else days.observe(electricity(DAY, quarter, -5));
    expect(firstMeter(only(days, DAY)).flags).toBe(0);
  });

  test('starts the next day with the sample that closed it', () => {
    const { days } = accumulator();
    wholeDay(days, DAY);
    const next = dayNamed('2026-05-13');
    for (let quarter = 1; quarter <= 96; quarter++)
      days.observe(snapshot(at(next, quarter), [meter([register(IMPORT_DAY, indexAt(96) + quarter * 10)])]));
    expect(deltasOf(only(days, next))).toEqual(new Array(96).fill(10));
  });

  test('keeps extremes of voltage and current, not of power', () => {
    const { days } = accumulator();
    const instant = (value: number, unit: 'V' | 'W') => ({
      obis: (unit === 'V' ? '1-0:32.7.0' : '1-0:1.7.0') as typeof IMPORT_DAY,
      value,
      scaler: -1,
      unit,
    });
    [2310, 2287, 2402].forEach((volts, index) => {
      const extra = { instants: [instant(volts, 'V'), instant(volts, 'W')] };
      days.observe(snapshot(at(DAY, index), [meter([register(IMPORT_DAY, 1)], extra)]));
    });
    days.observe(electricity(DAY, 96));
    expect(firstMeter(only(days, DAY)).extremes).toEqual([
      { obis: '1-0:32.7.0', unit: 'V', scaler: -1, min: 2287, max: 2402 },
    ]);
  });

  test('keeps the peak of its month although the telegram of midnight shows the next one', () => {
    const day = dayNamed('2026-05-31');
    const { days } = accumulator();
    const peak = (month: string, value: number) => ({
      obis: '1-0:1.6.0' as typeof IMPORT_DAY,
      month,
      time: timestamp(day.start),
      value,
      scaler: 0,
      unit: 'W' as const,
    });
    const show = (quarter: number, ...peaks: ReturnType<typeof peak>[]) =>
      days.observe(snapshot(at(day, quarter), [meter([register(IMPORT_DAY, quarter)], { peaks })]));
    show(0, peak('2026-05', 3000), peak('2026-04', 2000), peak('2025-04', 1));
    show(95, peak('2026-05', 4000), peak('2026-04', 2000));
    show(96, peak('2026-06', 0), peak('2026-04', 2000));
    expect(firstMeter(only(days, day)).peaks.map(({ month, value }) => [month, value])).toEqual([
      ['2026-05', 4000],
      ['2026-04', 2000],
    ]);
  });

  test('gives a register that prints more digits from some time on the steps of the morning', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 96; quarter++) {
      const fine = quarter >= 10;
      const value = fine ? indexAt(quarter) * 10 : indexAt(quarter);
      days.observe(
        snapshot(at(DAY, quarter), [meter([register(IMPORT_DAY, value, { scaler: fine ? -1 : 0 })])]),
      );
    }
    const { profiles, registers } = firstMeter(only(days, DAY));
    expect(profiles[0]).toMatchObject({ scaler: 0 });
    expect(profiles[0]!.deltas).toEqual(Array.from({ length: 96 }, (_, quarter) => used(quarter)));
    expect(registers[0]).toMatchObject({ scaler: -1, value: indexAt(96) * 10 });
  });

  test('remembers a power failure that was over by midnight', () => {
    const { days } = accumulator();
    wholeDay(days, DAY, (quarter) => quarter === 7);
    const failed = accumulator().days;
    for (let quarter = 0; quarter <= 96; quarter++) {
      const flags = quarter === 7 ? QUALITY.powerFail : 0;
      failed.observe(
        snapshot(at(DAY, quarter), [meter([register(IMPORT_DAY, indexAt(quarter))], { flags })]),
      );
    }
    expect(firstMeter(only(failed, DAY)).flags).toBe(QUALITY.powerFail);
  });
});

describe('the clock of the meter', () => {
  test.each([
    ['synchronised', 30, 0],
    ['unsynchronised', 31, 0],
    ['unsynchronised', -899, 0],
    ['invalid', 900, QUALITY.clockInvalid],
    ['invalid', -86_400, QUALITY.clockInvalid],
  ])('is %s when it is %i seconds off', (quality, off, flags) => {
    const { days } = accumulator();
    wholeDay(days, DAY, (quarter) => quarter === 96);
    const time = timestamp(DAY.end + off);
    days.observe(snapshot(DAY.end, [meter([register(IMPORT_DAY, indexAt(96))])], time));
    expect(only(days, DAY).clock).toBe(quality);
    expect(firstMeter(only(days, DAY)).flags).toBe(flags);
  });

  test('is unsynchronised when the meter tells no time', () => {
    const { days } = accumulator();
    days.observe(snapshot(DAY.start, [meter([register(IMPORT_DAY, 1)])], null));
    days.observe(snapshot(DAY.end, [meter([register(IMPORT_DAY, 2)])], null));
    expect(only(days, DAY).clock).toBe('unsynchronised');
  });
});
