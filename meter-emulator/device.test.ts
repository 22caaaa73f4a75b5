import { describe, expect, it } from 'vitest';
import { dayNamed } from '../gateway/edge/days/calendar.ts';
import { readTelegrams } from '../gateway/edge/p1/reader.ts';
import type { Snapshot } from '../gateway/edge/source.ts';
import { CONSORTIUM } from '../protocol/tenants.ts';
import { EmulatedDevice } from './device.ts';
import { type DevicePlan, planFleet } from './fleet.ts';
import { EmulatedStation, type Sampling } from './run/emulated-station.ts';
import { TelegramDay } from './telegram.ts';
import { createWorld } from './world.ts';

const world = createWorld(7);
const { devices } = planFleet({ seed: 7, meters: 210, tenants: CONSORTIUM });
const withGuest = devices.find(({ guests, meters }) => guests.length > 0 && meters.length === 3)!;
const withHeat = devices.find(({ meters }) =>
  meters.some((meter) => meter.medium === 'heat' && meter.channel > 0),
)!;
const lone = devices.find(({ source }) => source === 'virtual')!;

function snapshotsOf(
  plan: DevicePlan,
  date: string,
  sampling: Sampling = 'quarter-hour',
  own = world,
): Snapshot[] {
  const snapshots: Snapshot[] = [];
  new EmulatedStation(own, plan, sampling).feed(dayNamed(date), (snapshot) => snapshots.push(snapshot));
  return snapshots;
}

/** Registers as text, one line a snapshot: what a person would write down in front of the meter. */
const written = ({ at, meters }: Snapshot): string =>
  [at.epochSeconds, ...meters.flatMap(({ registers }) => registers.map(({ value }) => value))].join(' ');

describe('an emulated device', () => {
  it('is read through its P1 port exactly as its registers stand', () => {
    for (const plan of [withGuest, withHeat]) {
      const telegrams = snapshotsOf(plan, '2026-03-28').map(written);
      const profile = snapshotsOf(plan, '2026-03-28', 'close').map(written);
      expect(telegrams).toEqual(profile);
    }
  });

  it('shows the same registers in two runs, and others with another seed', () => {
    const again = createWorld(7);
    for (const plan of [withGuest, lone])
      expect(snapshotsOf(plan, '2026-05-01', 'quarter-hour', again)).toEqual(snapshotsOf(plan, '2026-05-01'));
    expect(snapshotsOf(lone, '2026-05-01', 'quarter-hour', createWorld(8)).map(written)).not.toEqual(
      snapshotsOf(lone, '2026-05-01').map(written),
    );
  });

  it.each([
    ['2026-03-29', 92],
    ['2026-03-30', 96],
    ['2026-10-25', 100],
  ])('shows on %s %i quarter-hours and the midnight that ends them', (date, quarters) => {
    const day = dayNamed(date);
    const snapshots = snapshotsOf(withGuest, date);
    expect(snapshots).toHaveLength(quarters + 1);
    expect(snapshots[0]!.at.epochSeconds).toBe(day.start);
    expect(snapshots.at(-1)!.at.epochSeconds).toBe(day.end);
    expect(snapshots.every(({ meterTime, at }) => meterTime!.epochSeconds === at.epochSeconds)).toBe(true);
  });

  it('has on the days of the clock changes the registers that it always had', () => {
    expect(written(snapshotsOf(withGuest, '2026-03-29').at(-1)!)).toMatchSnapshot();
    expect(written(snapshotsOf(withGuest, '2026-10-25').at(-1)!)).toMatchSnapshot();
    expect(written(snapshotsOf(lone, '2026-03-29').at(-1)!)).toMatchSnapshot();
    expect(written(snapshotsOf(lone, '2026-10-25').at(-1)!)).toMatchSnapshot();
  });

  it('begins each day where the last one ended, over the change of a month', () => {
    const last = snapshotsOf(withGuest, '2026-03-31').at(-1)!;
    expect(written(snapshotsOf(withGuest, '2026-04-01')[0]!)).toBe(written(last));
  });

  it('assigns each channel to its owner', () => {
    const station = new EmulatedStation(world, withGuest, 'close');
    const owners = snapshotsOf(withGuest, '2026-05-01')[0]!.meters.map(station.ownerOf);
    expect(owners).toEqual(withGuest.meters.map(({ owner }) => owner));
    expect(new Set(owners).size).toBe(2);
    expect(station.owners).toEqual([withGuest.home, ...withGuest.guests]);
  });
});

describe('the telegrams of an emulated device', () => {
  const device = new EmulatedDevice(world, withGuest);
  const telegramAt = (date: string, quarter: number) => {
    const day = new TelegramDay(device.day(dayNamed(date).ordinal), device.traits!);
    const { telegrams, faults } = readTelegrams(day.bytesAt(quarter));
    expect(faults).toEqual([]);
    return telegrams[0]!;
  };

  it('print a month peak that rises through the month and begins anew with the next', () => {
    const peaks = ['2026-03-10', '2026-03-20', '2026-03-31'].map(
      (date) => telegramAt(date, 40).monthPeak!.value,
    );
    expect(peaks).toEqual(peaks.toSorted((one, other) => one - other));
    const midnight = telegramAt('2026-03-31', 96);
    expect(midnight.monthPeak).toMatchObject({ value: 0, time: null });
    expect(midnight.peaks.at(-1)).toMatchObject({ month: '2026-03' });
    expect(midnight.peaks.at(-1)!.value).toBeGreaterThanOrEqual(peaks.at(-1)!);
  });

  it('print the peaks of thirteen months', () => {
    const { peaks } = telegramAt('2026-03-28', 0);
    expect(peaks.map(({ month }) => month)).toHaveLength(13);
    expect(peaks[0]!.month).toBe('2025-02');
    expect(peaks.at(-1)!.month).toBe('2026-02');
    expect(peaks.every(({ value, time }) => value > 0 && time !== null)).toBe(true);
  });

  it('run rate 1 by day and rate 2 by night, and say so', () => {
    expect(telegramAt('2026-03-31', 0).tariff).toBe(2);
    expect(telegramAt('2026-03-31', 40).tariff).toBe(1);
    expect(telegramAt('2026-03-31', 96).tariff).toBe(2);
  });

  it('print the clock with S in summer and W in winter, also between two hours of one name', () => {
    const offsets = [10, 14].map((quarter) => telegramAt('2026-10-25', quarter).meterTime!.offsetMinutes);
    expect(offsets).toEqual([120, 60]);
    const times = [10, 14].map((quarter) => telegramAt('2026-10-25', quarter).meterTime!.epochSeconds);
    expect(times[1]! - times[0]!).toBe(3_600);
  });

  it('print serial numbers and EANs of the meter and of its channels', () => {
    const telegram = telegramAt('2026-03-28', 5);
    const [own, ...others] = device.meters;
    expect(telegram.serial).toBe(own!.serial);
    expect([own!.ean, null]).toContain(telegram.ean);
    expect(telegram.channels.map(({ serial }) => serial)).toEqual(others.map(({ serial }) => serial));
  });

  it('show voltages of a low-voltage grid', () => {
    const volts = telegramAt('2026-03-28', 30).instants.filter(({ unit }) => unit === 'V');
    expect(volts.length).toBe(device.traits!.phases);
    for (const { value } of volts) expect(Math.abs(value - 2_300)).toBeLessThan(230);
  });
});
