import { describe, expect, it } from 'vitest';
import { QUALITY } from '../../../protocol/reading.ts';
import { dayAfter } from '../days/calendar.ts';
import { DayAccumulator } from '../days/day.ts';
import type { MeterSnapshot, Snapshot } from '../source.ts';
import { DAY } from '../testing/device.ts';
import { IMPORT_DAY, meter, ORES, register, snapshot } from '../testing/meters.ts';
import { GATHER_SECONDS, Gather } from './gather.ts';

const P1 = 0;
const MODBUS = 1;

function stage(channels: readonly (ReadonlySet<number> | null)[] = [null, new Set([1])]) {
  const shown: Snapshot[] = [];
  const collisions: number[] = [];
  const days = new DayAccumulator({ owners: () => ORES });
  const gather = new Gather({
    channels,
    observe: (one) => {
      shown.push(one);
      days.observe(one);
    },
    collided: (channel) => collisions.push(channel),
  });
  return { gather, shown, collisions, days };
}

const own = (value: number): MeterSnapshot => meter([register(IMPORT_DAY, value)]);
const pump = (value: number): MeterSnapshot =>
  meter([register(IMPORT_DAY, value)], { channel: 1, serial: 'PUMP1' });

describe('several sources of one device', () => {
  it('close a day with one snapshot of all of them, none of them stale', () => {
    const { gather, days } = stage();
    // P1 once a second, Modbus every ten, 0.7 s after whole tens: from ten minutes before midnight to a minute after.
    for (let second = DAY.end - 600; second <= DAY.end + 60; second++) {
      gather.take(P1, snapshot(second, [own(second - DAY.start)]));
      if (second % 10 === 0) gather.take(MODBUS, snapshot(second, [pump(second - DAY.start)], null));
    }
    const [due] = days.due();
    const { meters } = days.draft(due!)!;
    expect(meters.map(({ channel, registers }) => [channel, registers[0]!.value])).toEqual([
      [0, DAY.end - DAY.start],
      [1, DAY.end - DAY.start],
    ]);
    for (const { flags } of meters) expect(flags & (QUALITY.stale | QUALITY.closedLate)).toBe(0);
  });

  it('wait for each other no longer than what still stands for midnight', () => {
    const { gather, days, shown } = stage();
    for (let second = DAY.end - 300; second <= DAY.end + 100; second++) {
      gather.take(P1, snapshot(second, [own(second - DAY.start)]));
      if (second < DAY.end - 200) gather.take(MODBUS, snapshot(second, [pump(second - DAY.start)], null));
    }
    const held = shown.filter(({ at }) => at.epochSeconds >= DAY.end);
    expect(held[0]!.at.epochSeconds).toBe(DAY.end);
    expect(held[1]!.at.epochSeconds).toBe(DAY.end + GATHER_SECONDS);
    const { meters } = days.draft(days.due()[0]!)!;
    expect(meters[0]!.registers[0]!.value).toBe(DAY.end - DAY.start);
    expect(meters[0]!.flags & QUALITY.stale).toBe(0);
    expect(meters[1]!.flags & QUALITY.stale).toBe(QUALITY.stale);
  });

  it('show what comes during the day as it comes', () => {
    const { gather, shown } = stage();
    gather.take(P1, snapshot(DAY.start + 100, [own(1)]));
    expect(shown).toEqual([]);
    gather.take(MODBUS, snapshot(DAY.start + 103, [pump(2)], null));
    gather.take(P1, snapshot(DAY.start + 104, [own(3)]));
    expect(shown.map(({ meters }) => meters.length)).toEqual([2, 1]);
    // The meter's clock is that of P1, read three seconds before.
    expect(shown[0]!.meterTime!.epochSeconds).toBe(DAY.start + 103);
  });

  it('start anew when the clock is set, back too', () => {
    const { gather, shown } = stage();
    for (const day of [DAY, dayAfter(DAY, 40), dayAfter(DAY, -1)]) {
      gather.take(P1, snapshot(day.start + 50, [own(1)]));
      gather.take(MODBUS, snapshot(day.start + 51, [pump(1)], null));
    }
    expect(shown.map(({ meters }) => meters.length)).toEqual([2, 2, 2]);
  });

  it('do not take each other’s channels: the configured one stays, and it is said once', () => {
    const { gather, shown, collisions } = stage();
    const gas = meter([register(IMPORT_DAY, 7)], { channel: 1, serial: 'GAS', medium: 'gas' });
    gather.take(MODBUS, snapshot(DAY.start + 1, [pump(1)], null));
    for (const second of [2, 3, 4]) gather.take(P1, snapshot(DAY.start + second, [own(second), gas]));
    expect(shown.flatMap(({ meters }) => meters.map(({ serial }) => serial))).not.toContain('GAS');
    expect(collisions).toEqual([1]);
  });

  it('that are one pass everything on as it is', () => {
    const { gather, shown } = stage([null]);
    const given = snapshot(DAY.start, [own(1)]);
    gather.take(0, given);
    expect(shown[0]).toBe(given);
  });
});
