import { describe, expect, test } from 'vitest';
import { type MeterReading, QUALITY } from '../../protocol/reading.ts';
import { dayNamed, type LocalDay, QUARTER_SECONDS } from './calendar.ts';
import { DayAccumulator, type DayDraft, type DayNotice, type OwnerMap } from './day.ts';
import {
  captured,
  FARYS,
  GAS,
  IMPORT_DAY,
  IMPORT_NIGHT,
  meter,
  ORES,
  register,
  snapshot,
  timestamp,
  WATER,
} from './example.ts';
import { ENDED_DAYS_MAX, MISSED_DAYS_MAX, PROFILE_DAYS_MAX } from './owner-days.ts';
import type { Snapshot } from './source.ts';

const DAY = dayNamed('2026-05-12');
const START_WH = 1_000_000;
/** Each quarter-hour uses other 25 to 60 Wh, so that a shifted profile cannot go unnoticed. */
const used = (quarter: number): number => 25 + ((quarter * 7) % 36);
const indexAt = (quarter: number): number => {
  let wh = START_WH;
  for (let past = 0; past < quarter; past++) wh += used(past);
  return wh;
};

const allOres: OwnerMap = () => ORES;
const byMedium: OwnerMap = ({ medium }) => (medium === 'water' ? FARYS : ORES);

function accumulator(owners: OwnerMap = allOres, closedThrough: Map<typeof ORES, number> = new Map()) {
  const notices: DayNotice[] = [];
  const days = new DayAccumulator({ owners, closedThrough, notice: (notice) => notices.push(notice) });
  return { days, notices };
}

const at = (day: LocalDay, quarter: number, seconds = 0): number =>
  day.start + quarter * QUARTER_SECONDS + seconds;

const electricity = (day: LocalDay, quarter: number, seconds = 0): Snapshot =>
  snapshot(at(day, quarter, seconds), [meter([register(IMPORT_DAY, indexAt(quarter))])]);

/** Sample all boundaries of a day but some; the one that ends it is among them. */
function wholeDay(
  days: DayAccumulator,
  day: LocalDay,
  skip: (quarter: number) => boolean = () => false,
): void {
  for (let quarter = 0; quarter <= day.quarters; quarter++)
    if (!skip(quarter)) days.observe(electricity(day, quarter));
}

function only(days: DayAccumulator, day: LocalDay, owner = ORES): DayDraft {
  const draft = days.draft({ owner, day });
  expect(draft).toBeDefined();
  return draft!;
}

const firstMeter = (draft: DayDraft): MeterReading => draft.meters[0]!;
const deltasOf = (draft: DayDraft): readonly (number | null)[] => firstMeter(draft).profiles[0]!.deltas;

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
    expect(firstMeter(draft).flags).toBe(QUALITY.profileGap | QUALITY.registerFell);
    expect(firstMeter(draft).registers[0]!.flags).toBe(QUALITY.registerFell);
  });

  test('makes a jump beyond what a connection can pass a gap with a flag', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 96; quarter++) {
      const value = indexAt(quarter) + (quarter >= 50 ? 5_000_000 : 0);
      days.observe(snapshot(at(DAY, quarter), [meter([register(IMPORT_DAY, value)])]));
    }
    expect(deltasOf(only(days, DAY))[49]).toBeNull();
    expect(firstMeter(only(days, DAY)).flags).toBe(QUALITY.profileGap | QUALITY.registerJumped);
  });

  test('sees a fall over midnight and over a gap', () => {
    const { days } = accumulator();
    wholeDay(days, DAY);
    const next = dayNamed('2026-05-13');
    for (let quarter = 3; quarter <= 96; quarter++)
      days.observe(snapshot(at(next, quarter), [meter([register(IMPORT_DAY, 5 + quarter)])]));
    expect(firstMeter(only(days, DAY)).flags).toBe(0);
    expect(firstMeter(only(days, next)).flags & QUALITY.registerFell).toBe(QUALITY.registerFell);
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
    expect([...days.through()]).toEqual([]);
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
    expect([...days.through()]).toEqual([[ORES, DAY.ordinal - 1]]);
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

describe('owners', () => {
  const water = (quarter: number) =>
    meter([captured(WATER, 500 + quarter, at(DAY, quarter))], {
      medium: 'water',
      channel: 2,
      serial: '8ITR0000000001',
    });

  test('get a day each, with their own meters only', () => {
    const { days } = accumulator(byMedium);
    for (let quarter = 0; quarter <= 96; quarter++)
      days.observe(
        snapshot(at(DAY, quarter), [meter([register(IMPORT_DAY, indexAt(quarter))]), water(quarter)]),
      );
    expect(days.due()).toEqual([
      { owner: ORES, day: DAY },
      { owner: FARYS, day: DAY },
    ]);
    expect(only(days, DAY).meters.map(({ medium }) => medium)).toEqual(['electricity']);
    const guest = only(days, DAY, FARYS);
    expect(guest.meters.map(({ medium }) => medium)).toEqual(['water']);
    expect(deltasOf(guest)).toEqual(new Array(96).fill(1));
    expect(firstMeter(guest).flags).toBe(0);
  });

  test('whose meter is gone are waited for an hour, then closed with what was seen last, flagged stale', () => {
    const { days } = accumulator(byMedium);
    days.observe(snapshot(at(DAY, 0), [meter([register(IMPORT_DAY, 1)]), water(0)]));
    days.observe(snapshot(at(DAY, 40), [meter([register(IMPORT_DAY, 2)]), water(40)]));
    days.observe(snapshot(at(DAY, 96), [meter([register(IMPORT_DAY, 3)])]));
    expect(days.due()).toEqual([{ owner: ORES, day: DAY }]);
    days.observe(snapshot(at(DAY, 100), [meter([register(IMPORT_DAY, 4)])]));
    expect(days.due()).toHaveLength(2);
    const draft = only(days, DAY, FARYS);
    expect(draft.capturedAt).toEqual(timestamp(at(DAY, 40)));
    expect(firstMeter(draft).flags & QUALITY.stale).toBe(QUALITY.stale);
    expect(firstMeter(draft).registers[0]!.value).toBe(540);
  });
});

describe('meters of one owner', () => {
  const gas = (serial: string, value: number, time: number, channel = 1) =>
    meter([captured(GAS, value, time)], { medium: 'gas', channel, serial });

  test('that were replaced during the day are both in its index, the old one stale', () => {
    const { days } = accumulator();
    days.observe(snapshot(at(DAY, 0), [gas('OLD', 100, at(DAY, 0))]));
    days.observe(snapshot(at(DAY, 1), [gas('OLD', 101, at(DAY, 1))]));
    days.observe(snapshot(at(DAY, 2), [gas('NEW', 0, at(DAY, 2))]));
    days.observe(snapshot(at(DAY, 96), [gas('NEW', 9, at(DAY, 96))]));
    const readings = only(days, DAY).meters;
    expect(readings.map(({ serial }) => serial)).toEqual(['NEW', 'OLD']);
    expect(readings[1]!.flags & QUALITY.stale).toBe(QUALITY.stale);
    expect(readings[0]!.flags & (QUALITY.stale | QUALITY.registerFell)).toBe(0);
  });

  test('on M-Bus that capture once an hour have a profile by the hour', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 96; quarter++) {
      const hour = Math.floor(quarter / 4);
      days.observe(snapshot(at(DAY, quarter, 3), [gas('G', 100 + hour, at(DAY, hour * 4))]));
    }
    expect(firstMeter(only(days, DAY)).profiles).toEqual([
      {
        obis: GAS,
        unit: 'm3',
        scaler: -3,
        start: DAY.start,
        periodSeconds: 3600,
        deltas: new Array(24).fill(1),
      },
    ]);
    expect(firstMeter(only(days, DAY)).flags).toBe(0);
  });

  test('on M-Bus whose midnight arrives after midnight still end the day with it', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 97; quarter++) {
      // What is shown is always a quarter-hour old: the value of 24:00 is read at 00:15.
      const shown = Math.max(0, quarter - 1);
      days.observe(snapshot(at(DAY, quarter, 30), [gas('G', 100 + shown, at(DAY, shown))]));
    }
    const reading = firstMeter(only(days, DAY));
    expect(reading.profiles[0]!.deltas).toEqual(new Array(96).fill(1));
    expect(reading.flags).toBe(0);
  });

  test('on M-Bus that capture at odd times keep them: the periods that end in the day', () => {
    const { days } = accumulator();
    const odd = 54 * 60 + 9;
    for (let hour = -2; hour <= 24; hour++) {
      const time = DAY.start + hour * 3600 + odd;
      days.observe(snapshot(time + 20, [gas('G', 100 + hour, time)]));
    }
    const { profiles, flags } = firstMeter(only(days, DAY));
    expect(profiles[0]).toMatchObject({ start: DAY.start - 3600 + odd, periodSeconds: 3600 });
    expect(profiles[0]!.deltas).toEqual(new Array(24).fill(1));
    expect(flags & QUALITY.profileGap).toBe(0);
  });

  test('on M-Bus whose value is older than a day are flagged stale', () => {
    const { days } = accumulator();
    for (const quarter of [0, 96])
      days.observe(snapshot(at(DAY, quarter), [gas('G', 7, DAY.start - 3 * 86_400)]));
    const reading = firstMeter(only(days, DAY));
    expect(reading.registers[0]).toMatchObject({ value: 7, flags: QUALITY.stale });
    expect(reading.profiles).toEqual([]);
    expect(reading.flags & QUALITY.profileGap).toBe(QUALITY.profileGap);
  });

  test('keep each register apart', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= 96; quarter++)
      days.observe(
        snapshot(at(DAY, quarter), [
          meter([register(IMPORT_DAY, quarter * 3), register(IMPORT_NIGHT, 1000 + quarter * 5)]),
        ]),
      );
    expect(
      firstMeter(only(days, DAY)).profiles.map(({ obis, deltas }) => [obis, new Set(deltas).size, deltas[0]]),
    ).toEqual([
      [IMPORT_DAY, 1, 3],
      [IMPORT_NIGHT, 1, 5],
    ]);
  });
});
