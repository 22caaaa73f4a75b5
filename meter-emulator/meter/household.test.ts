import { describe, expect, it } from 'vitest';
import { dayNamed, QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import { EmulatedDevice } from '../device.ts';
import { TelegramDay } from '../telegram.ts';
import { createWorld } from '../world.ts';
import { Household } from './household.ts';

const SEED = 7;
/** A world takes a while to be made. */
const SEEDS = [1, 2, 3, 42];
const SUMMER = dayNamed('2026-06-15');
const at = (second: number): number => (SUMMER.start + second) * 1_000;

describe('a household', () => {
  it('is a function of seed and time: asked in another order, it says the same', () => {
    const one = new Household(SEED);
    const other = new Household(SEED);
    const seconds = [0, 1, 450, 899, 900, 43_210, 86_399, 86_400, -1, -86_400];
    const forward = seconds.map((second) => one.stateAt(at(second)));
    const backward = seconds.toReversed().map((second) => other.stateAt(at(second)));
    expect(backward.toReversed()).toEqual(forward);
  });

  it('has at a quarter-hour boundary the registers of the fleet', () => {
    const household = new Household(SEED);
    const device = new EmulatedDevice(createWorld(SEED), household.plan);
    for (const name of ['2026-03-29', '2026-06-15', '2026-10-25']) {
      const day = dayNamed(name);
      const telegrams = new TelegramDay(device.day(day.ordinal), device.traits!);
      for (let quarter = 0; quarter < day.quarters; quarter++) {
        const shown = household.stateAt((day.start + quarter * QUARTER_SECONDS) * 1_000);
        const { time, importWh, exportWh, rate, monthPeak, devices } = telegrams.stateAt(quarter);
        expect(shown).toMatchObject({ time, importWh, exportWh, rate, monthPeak });
        expect(shown.devices.map(({ value }) => value)).toEqual(devices.map(({ value }) => value));
        expect(shown.quarterPowerW).toBe(0);
      }
    }
  });

  it('counts up within the quarter-hour and never down, across midnight too', () => {
    const household = new Household(SEED);
    let before = household.stateAt(at(80_000));
    for (let second = 80_007; second < 95_000; second += 7) {
      const now = household.stateAt(at(second));
      for (const rate of [0, 1] as const) {
        expect(now.importWh[rate]).toBeGreaterThanOrEqual(before.importWh[rate]);
        expect(now.exportWh[rate]).toBeGreaterThanOrEqual(before.exportWh[rate]);
      }
      before = now;
    }
  });

  it('tells its own offset on both clock changes', () => {
    const household = new Household(SEED);
    const offsets = (utc: string): number[] =>
      [-1, 0].map((second) => household.stateAt(Date.parse(utc) + second * 1_000).time.offsetMinutes);
    expect(offsets('2026-03-29T01:00:00Z')).toEqual([60, 120]);
    expect(offsets('2026-10-25T01:00:00Z')).toEqual([120, 60]);
  });

  it.each([1, 3] as const)('has the phases that are asked for: %i', (phases) => {
    for (const seed of SEEDS)
      expect(new Household(seed, { phases }).stateAt(at(0)).phases).toHaveLength(phases);
  });

  it('has a heat meter where it must', () => {
    for (const seed of SEEDS) {
      const { devices } = new Household(seed, { medium: 'heat' }).stateAt(at(0));
      expect(devices.map(({ deviceType }) => deviceType)).toContain(4);
    }
  });

  it('has gas and water behind it, and serial numbers that no real meter has', () => {
    for (const seed of SEEDS) {
      const household = new Household(seed);
      const { serial, devices } = household.stateAt(at(0));
      expect(new Set(devices.map(({ deviceType }) => deviceType))).toEqual(new Set([3, 7]));
      expect(
        [serial, ...devices.map((device) => device.serial)].every((one) => /^\dEMU\d{10}$/.test(one)),
      ).toBe(true);
    }
  });
});
