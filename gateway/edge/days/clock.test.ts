import { describe, expect, test } from 'vitest';
import { QUALITY, type Timestamp } from '../../../protocol/reading.ts';
import { accumulator, at, DAY, deltasOf, electricity, firstMeter, only, used } from '../testing/days.ts';
import { IMPORT_DAY, IMPORT_NIGHT, meter, ORES, register, snapshot, timestamp } from '../testing/meters.ts';
import { dayAfter, dayNamed, type LocalDay } from './calendar.ts';
import { CLOCK_EARLIEST } from './clock-guard.ts';
import type { DayNotice, Doubt } from './day.ts';
import { DayAccumulator } from './day.ts';

/** A device that has closed days before: its clock was right once. */
const YESTERDAY = new Map([[ORES, dayAfter(DAY, -1).ordinal]]);

const YEARS = 10 * 365 * 86_400;

/** What the meter shows at a true moment, taken by a clock that is off, of a meter that tells the time or does not. */
function shown(trueTime: number, offset = 0, meterTime: Timestamp | null = timestamp(trueTime)) {
  const value = 1_000_000 + Math.floor((trueTime - DAY.start) / 30);
  return { ...snapshot(trueTime + offset, [meter([register(IMPORT_DAY, value)])]), meterTime };
}

function quarters(day: LocalDay, from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => at(day, from + index));
}

const dueNames = (days: DayAccumulator): string[] => days.due().map(({ day }) => day.name);

function openDays(options: Partial<ConstructorParameters<typeof DayAccumulator>[0]> = {}) {
  const notices: (DayNotice | Doubt)[] = [];
  const days = new DayAccumulator({
    owners: () => ORES,
    notice: (notice) => void notices.push(notice),
    ...options,
  });
  return { days, notices };
}

describe('a clock that was never set', () => {
  test.each([null, timestamp(DAY.start)])(
    'makes no days of 56 years, and loses no day after it was set (meter shows %o)',
    (meterTime) => {
      const { days, notices } = openDays();
      for (let second = 0; second < 3; second++)
        days.observe(shown(at(DAY, 20) + second, -at(DAY, 20) + 17, meterTime));
      expect(days.through()).toEqual([]);
      for (const moment of quarters(DAY, 20, 97)) days.observe(shown(moment));
      expect(dueNames(days)).toEqual([DAY.name]);
      expect(deltasOf(only(days, DAY)).slice(20)).toEqual(new Array(76).fill(30));
      expect(notices).toEqual(['clockUnset']);
    },
  );

  test('after a restart keeps what was closed and closes what was missed once it is set', () => {
    const { days } = openDays({ closedThrough: new Map([[ORES, dayAfter(DAY, -3).ordinal]]) });
    days.observe(shown(at(DAY, 20), -at(DAY, 20)));
    days.observe(shown(at(DAY, 20)));
    expect(dueNames(days)).toEqual([dayAfter(DAY, -2).name, dayAfter(DAY, -1).name]);
  });

  test('of a recording is the recording’s own', () => {
    const { days, notices } = openDays({ missedDays: 'skip' });
    days.observe(electricity(dayNamed('2017-05-01'), 3));
    days.observe(electricity(dayNamed('2020-05-01'), 3));
    expect(dueNames(days)).toEqual(['2017-05-01']);
    expect(notices).toEqual([]);
  });

  test('is not what a simulation of the past has: the meter shows the same', () => {
    const { days, notices } = openDays();
    const past = dayNamed('2020-02-28');
    for (const moment of quarters(past, 0, 97)) days.observe(shown(moment));
    expect([dueNames(days), notices]).toEqual([[past.name], []]);
  });

  test('but shows the day on which its image was made owes nothing for the days until it is set', () => {
    const { days, notices } = openDays();
    const image = dayNamed('2025-06-01');
    days.observe(shown(at(DAY, 20), image.start - DAY.start));
    for (const moment of quarters(DAY, 21, 97)) days.observe(shown(moment));
    expect(dueNames(days)).toEqual([DAY.name]);
    expect(notices).toEqual(['clockSet']);
  });
});

describe('a clock that leaps by years', () => {
  test.each([YEARS, -YEARS / 5, 20 * 86_400, -20 * 86_400])(
    'by %i s is not believed while the meter says otherwise: nothing is closed by it, and only its time is missing',
    (offset) => {
      const { days, notices } = openDays();
      for (const moment of quarters(DAY, 0, 40)) days.observe(shown(moment));
      for (const moment of quarters(DAY, 40, 50)) days.observe(shown(moment, offset));
      for (const moment of quarters(DAY, 50, 97)) days.observe(shown(moment));
      expect(dueNames(days)).toEqual([DAY.name]);
      const deltas = deltasOf(only(days, DAY));
      expect(deltas.flatMap((delta, index) => (delta === null ? [index] : []))).toEqual([
        39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49,
      ]);
      expect(firstMeter(only(days, DAY)).flags).toBe(QUALITY.profileGap);
      expect(notices).toEqual(['clockDoubted']);
    },
  );

  test('is believed at once when the meter shows the same time', () => {
    const { days } = openDays();
    days.observe(shown(at(DAY, 0)));
    const later = dayAfter(DAY, 300);
    days.observe(shown(at(later, 0)));
    expect(dueNames(days).at(-1)).toBe(dayAfter(later, -1).name);
  });

  test('is believed after a day, although the meter says otherwise: its clock may be the wrong one', () => {
    const { days, notices } = openDays();
    days.observe(shown(at(DAY, 0), 0, timestamp(946_684_800)));
    const back = dayAfter(DAY, 5);
    for (const moment of quarters(back, 0, 97)) days.observe(shown(moment, 0, timestamp(946_684_800)));
    expect(dueNames(days)).toContain(back.name);
    expect(notices).toEqual(['clockDoubted', 'daysMissed']);
  });

  test('with meters that tell no time is believed when it looks like an outage, or has lasted an hour', () => {
    const { days, notices } = openDays({ closedThrough: YESTERDAY });
    days.observe(shown(at(DAY, 0), 0, null));
    const back = dayAfter(DAY, 30);
    days.observe(shown(at(back, 0), 0, null));
    expect(dueNames(days)).toHaveLength(30);
    days.observe(shown(at(back, 1), YEARS, null));
    days.observe(shown(at(back, 2), 0, null));
    expect(notices).toEqual(['daysMissed', 'clockDoubted']);
    expect(dueNames(days)).toHaveLength(30);
    for (const moment of quarters(back, 3, 9)) days.observe(shown(moment, YEARS, null));
    expect(days.due().some(({ day }) => day.name > '2030')).toBe(true);
  });

  test('and is put right closes no day a second time: the one from which it leapt is over', () => {
    const { days } = openDays({ closedThrough: YESTERDAY });
    for (const moment of quarters(DAY, 0, 40)) days.observe(shown(moment, 0, null));
    for (const moment of quarters(DAY, 40, 46)) days.observe(shown(moment, YEARS, null));
    // Closed by the clock that was wrong, and in the outbox.
    for (const due of days.due()) days.closed(due);
    for (const moment of quarters(DAY, 46, 97)) days.observe(shown(moment));
    for (const moment of quarters(dayAfter(DAY), 0, 97)) days.observe(shown(moment));
    expect(dueNames(days)).toEqual([dayAfter(DAY).name]);
  });

  test('and is put right before anything was closed goes on with the day as if nothing had been', () => {
    const { days } = openDays({ closedThrough: YESTERDAY });
    for (const moment of quarters(DAY, 0, 40)) days.observe(shown(moment, 0, null));
    for (const moment of quarters(DAY, 40, 46)) days.observe(shown(moment, YEARS, null));
    for (const moment of quarters(DAY, 46, 97)) days.observe(shown(moment));
    expect(dueNames(days)).toEqual([DAY.name]);
    const deltas = deltasOf(only(days, DAY));
    expect(deltas.flatMap((delta, index) => (delta === null ? [index] : []))).toEqual([
      39, 40, 41, 42, 43, 44, 45,
    ]);
  });

  test('is spoken of once, not with each telegram', () => {
    const { days, notices } = openDays();
    days.observe(shown(at(DAY, 0)));
    for (let second = 0; second < 500; second++) days.observe(shown(at(DAY, 1) + second, YEARS));
    days.observe(shown(at(DAY, 2)));
    for (let second = 0; second < 500; second++) days.observe(shown(at(DAY, 3) + second, -86_400));
    expect(notices).toEqual(['clockDoubted', 'clockSetBack']);
  });
});

describe('a clock that is set back within a day', () => {
  test('forgets what it had sampled ahead: nothing fell, and nothing is missing', () => {
    const { days } = openDays();
    for (const moment of quarters(DAY, 0, 40)) days.observe(shown(moment));
    for (const moment of quarters(DAY, 40, 44)) days.observe(shown(moment, 2 * 3_600));
    for (const moment of quarters(DAY, 44, 97)) days.observe(shown(moment));
    const draft = only(days, DAY);
    const deltas = deltasOf(draft);
    expect(deltas.flatMap((delta, index) => (delta === null ? [index] : []))).toEqual([39, 40, 41, 42, 43]);
    expect(deltas.filter((delta) => delta !== null)).toEqual(new Array(91).fill(30));
    expect(firstMeter(draft).registers[0]!.flags).toBe(0);
  });

  test('by seconds changes nothing', () => {
    const { days } = openDays();
    quarters(DAY, 0, 97).forEach((moment, index) => {
      days.observe(shown(moment + 20, index % 2 === 0 ? 0 : -19));
      days.observe(shown(moment + 30, index % 3 === 0 ? -25 : 0));
    });
    expect(dueNames(days)).toEqual([DAY.name]);
    expect(deltasOf(only(days, DAY)).includes(null)).toBe(false);
  });
});

describe('two sources of one owner', () => {
  const other = (quarter: number, seconds: number) =>
    snapshot(at(DAY, quarter, seconds), [
      meter([register(IMPORT_NIGHT, 500 + quarter)], { channel: 1, serial: 'SDM-1' }),
    ]);

  test('both close their day on time, whichever speaks first after midnight', () => {
    for (const [first, second] of [
      [0, 20],
      [20, 0],
    ]) {
      const { days, notices } = accumulator();
      for (let quarter = 0; quarter <= DAY.quarters; quarter++) {
        const telegrams = [electricity(DAY, quarter, first), other(quarter, second!)];
        for (const telegram of telegrams.toSorted(
          (one, another) => one.at.epochSeconds - another.at.epochSeconds,
        ))
          days.observe(telegram);
      }
      const draft = only(days, DAY);
      expect(draft.meters.map(({ flags }) => flags)).toEqual([0, 0]);
      const [mains, sub] = draft.meters.toSorted((one, another) => one.channel - another.channel);
      expect(mains!.profiles[0]!.deltas).toEqual(Array.from({ length: 96 }, (_, quarter) => used(quarter)));
      expect(sub!.profiles[0]!.deltas).toEqual(new Array(96).fill(1));
      expect(sub!.registers[0]!.value).toBe(596);
      expect(notices).toEqual([]);
    }
  });

  test('the one that fell silent before midnight is stale, and the other is not', () => {
    const { days } = accumulator();
    for (let quarter = 0; quarter <= DAY.quarters; quarter++) {
      days.observe(electricity(DAY, quarter));
      if (quarter < 90) days.observe(other(quarter, 20));
    }
    const [mains, sub] = only(days, DAY).meters;
    expect([mains!.flags, sub!.flags]).toEqual([0, QUALITY.stale | QUALITY.profileGap]);
  });
});

test('the bound below which no clock is believed lies before any device that this program was made for', () => {
  expect(CLOCK_EARLIEST).toBe(Date.parse('2024-01-01T00:00:00Z') / 1000);
});
