import { describe, expect, test } from 'vitest';
import { QUALITY } from '../../../protocol/reading.ts';
import { accumulator, at, byMedium, DAY, deltasOf, firstMeter, indexAt, only } from '../testing/days.ts';
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
} from '../testing/meters.ts';

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

  test('say of a register that fell, and of no other, that it did', () => {
    const { days } = accumulator();
    for (const [quarter, night] of [50, 40, 41].entries())
      days.observe(
        snapshot(at(DAY, quarter), [meter([register(IMPORT_DAY, quarter), register(IMPORT_NIGHT, night)])]),
      );
    days.observe(snapshot(at(DAY, 96), [meter([register(IMPORT_DAY, 9), register(IMPORT_NIGHT, 99)])]));
    const { flags, registers } = firstMeter(only(days, DAY));
    expect(flags).toBe(QUALITY.profileGap);
    expect(registers.map((one) => one.flags)).toEqual([0, QUALITY.registerFell]);
  });

  test('say it of the meter where the register that fell is gone', () => {
    const { days } = accumulator();
    for (const [quarter, night] of [50, 40].entries())
      days.observe(
        snapshot(at(DAY, quarter), [meter([register(IMPORT_DAY, quarter), register(IMPORT_NIGHT, night)])]),
      );
    days.observe(snapshot(at(DAY, 96), [meter([register(IMPORT_DAY, 9)])]));
    const { flags, registers } = firstMeter(only(days, DAY));
    expect(flags).toBe(QUALITY.profileGap | QUALITY.registerFell);
    expect(registers.map((one) => one.flags)).toEqual([0]);
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
