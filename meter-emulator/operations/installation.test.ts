import { describe, expect, it } from 'vitest';
import { usualPeriods } from '../../gateway/desk/guards/calendar.ts';
import { CONSORTIUM } from '../../protocol/tenants.ts';
import { planFleet } from '../fleet.ts';
import { installationOf, protectedPeriodsOf, valvesOf } from './installation.ts';

describe('what an emulated meter is told at its installation', () => {
  it.each(CONSORTIUM.map(({ id }) => id))('protects in %s when the desk does', (tenant) => {
    const desk = usualPeriods(tenant).map((period) => ('yearly' in period ? period.yearly : period.once));
    expect(protectedPeriodsOf(tenant).map(({ from, through }) => ({ from, to: through }))).toEqual(desk);
  });

  it('names each meter with its owner, a breaker for electricity, valves for gas and for lone water meters', () => {
    const { devices } = planFleet({ seed: 7, meters: 140, tenants: CONSORTIUM });
    for (const plan of devices) {
      const installation = installationOf(plan);
      expect(installation).toMatchObject({ device: plan.id, home: plan.home });
      expect(installation.meters.map(({ owner }) => owner)).toEqual(plan.meters.map(({ owner }) => owner));
      for (const channel of valvesOf(installation)) {
        const { medium } = plan.meters.find((meter) => meter.channel === channel)!;
        expect(medium === 'gas' || (medium === 'water' && channel === 0)).toBe(true);
      }
    }
    expect(devices.some(({ guests }) => guests.length > 0)).toBe(true);
  });
});
