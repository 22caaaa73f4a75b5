import { afterEach, describe, expect, it } from 'vitest';
import { planReads } from '../../gateway/edge/modbus/plan.ts';
import { builtInProfiles } from '../../gateway/edge/modbus/profiles.ts';
import { type Bench, householdShown, openBench, written } from './testing/bench.ts';

/** Both clock changes, the darkest and the brightest days, and the midnight that ends a year. */
const DAYS = [
  ['2026-03-29', 8],
  ['2026-12-31', 96],
  ['2026-01-15', 0],
  ['2026-06-21', 50],
  ['2026-10-25', 99],
] as const;

let bench: Bench;
afterEach(() => bench.stop());

describe.each(builtInProfiles().map((profile) => [profile.name, profile] as const))('%s', (_, profile) => {
  it.each([
    ['Modbus TCP', false],
    ['RTU frames', true],
  ])('is read over %s exactly as the emulated meter stands, all year round', async (_wire, rtu) => {
    bench = await openBench(profile, { rtu });
    for (const [day, quarter] of rtu ? DAYS.slice(0, 2) : DAYS) {
      bench.shown = householdShown(profile, quarter, day);
      const { registers, instants } = await bench.meter.read();
      expect(written([...registers, ...instants])).toEqual(written(bench.shown.quantities));
      expect(registers.every(({ value }) => Number.isSafeInteger(value) && value >= 0)).toBe(true);
    }
  });

  it('tells its serial number, where it has one, and that it is the model of its profile', async () => {
    bench = await openBench(profile);
    const serial = await bench.meter.serialNumber();
    expect(serial).toBe(profile.serialNumber === undefined ? null : bench.shown.serial);
    expect(await bench.meter.isIdentified()).toBe(profile.identify === undefined ? null : true);
  });

  it('is asked for no more than it answers to, and in as few questions as planned', async () => {
    bench = await openBench(profile);
    await bench.meter.read();
    const plan = planReads([...profile.registers, ...profile.instants], profile);
    expect(bench.device.asked).toEqual(
      plan.map(({ function: code, address, count }) => ({ function: code, address, count })),
    );
    for (const { count } of bench.device.asked)
      expect(count).toBeLessThanOrEqual(profile.limits.registersMax);
  });

  it('refuses one register more than its limit, as the real meter does', async () => {
    bench = await openBench(profile);
    const { function: code, limits, registers } = profile;
    const asked = { unit: 1, function: code, address: registers[0]!.address, count: limits.registersMax + 1 };
    const code3 = limits.registersMax === 125 ? /ERR_MODBUS_VALUE|ERR_MODBUS_ADDRESS/ : /ERR_MODBUS_VALUE/;
    await expect(bench.bus.read(asked)).rejects.toMatchObject({ code: expect.stringMatching(code3) });
  });
});
