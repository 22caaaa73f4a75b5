import type { TenantId } from '../protocol/identity.ts';

/**
 * When which of the two registers runs: rate 1 by day, rate 2 by night (e-MUCS; the Netherlands number them the
 * other way round). Windows are data by region and by date, since regions change them.
 */
export type TariffPlan = 'classic' | 'wallonia2026';

export const ALL_REGIONS = ['wallonia', 'flanders', 'brussels'] as const;
export type Region = (typeof ALL_REGIONS)[number];

interface Windows {
  /** Local hours, from (included) to (excluded), in which rate 1 runs. */
  readonly dayHours: readonly (readonly [number, number])[];
  readonly weekend: 'night' | 'as-weekdays';
}

const WINDOWS: Readonly<Record<TariffPlan, Windows>> = {
  classic: { dayHours: [[7, 22]], weekend: 'night' },
  wallonia2026: {
    dayHours: [
      [7, 11],
      [17, 22],
    ],
    weekend: 'as-weekdays',
  },
};

interface PlanPeriod {
  readonly from: string;
  readonly plan: TariffPlan;
}

/** Newest first. Wallonia's two-rate windows change on 1 January 2026. */
const PLANS: Readonly<Record<Region, readonly PlanPeriod[]>> = {
  wallonia: [
    { from: '2026-01-01', plan: 'wallonia2026' },
    { from: '0000-01-01', plan: 'classic' },
  ],
  flanders: [{ from: '0000-01-01', plan: 'classic' }],
  brussels: [{ from: '0000-01-01', plan: 'classic' }],
};

const REGIONS: Readonly<Record<string, Region>> = {
  ores: 'wallonia',
  resa: 'wallonia',
  sibelga: 'brussels',
};

/** Where an operator is at home; whoever is not in the table is taken for Flemish. */
export function regionOf(tenant: TenantId): Region {
  return REGIONS[tenant] ?? 'flanders';
}

export function planAt(region: Region, date: string): TariffPlan {
  return PLANS[region].find((period) => period.from <= date)!.plan;
}

/** Whether rate 1 runs in a quarter-hour of the local day (0 to 95); Monday is weekday 0. */
export function isDayRate(plan: TariffPlan, weekday: number, localQuarter: number): boolean {
  const { dayHours, weekend } = WINDOWS[plan];
  if (weekday >= 5 && weekend === 'night') return false;
  const hour = localQuarter / 4;
  return dayHours.some(([from, to]) => hour >= from && hour < to);
}
