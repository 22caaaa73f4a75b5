import type { TenantId } from '../identity.ts';
import { dayBit, EVERY_DAY, type Plan, type TariffWindow, WORKING_DAYS } from './tariff.ts';

/** The windows that regions have set, by year: data that the operator's side fills a command in from. */

export type Region = 'wallonia' | 'flanders' | 'brussels';

/** Where the operators of electricity are; water has no tariff windows. */
export const REGION_OF_TENANT: Readonly<Record<string, Region>> = {
  ores: 'wallonia',
  resa: 'wallonia',
  fluvius: 'flanders',
  sibelga: 'brussels',
};

export interface TariffPreset {
  readonly region: Region;
  readonly plan: Plan;
  /** First day, `YYYY-MM-DD`; it ends where the next of the same region and plan begins, or with `until`. */
  readonly from: string;
  readonly until: string | null;
  readonly windows: readonly TariffWindow[];
}

const window = (days: number, startHour: number, endHour: number, rate: number): TariffWindow => ({
  days,
  startMinute: startHour * 60,
  endMinute: endHour * 60,
  rate,
});

/** Day rate from 07 to 22 h; nights, weekends and holidays are night. */
const BI_CLASSIC = [window(WORKING_DAYS, 7, 22, 1)];
/** In Wallonia holidays were days as others. */
const BI_WALLONIA_2025 = [window(WORKING_DAYS | dayBit('hol'), 7, 22, 1)];
const BI_WALLONIA_2026 = [window(EVERY_DAY, 7, 11, 1), window(EVERY_DAY, 17, 22, 1)];
const IMPACT = [
  window(EVERY_DAY, 17, 22, 1),
  window(EVERY_DAY, 7, 11, 2),
  window(EVERY_DAY, 22, 24, 2),
  window(EVERY_DAY, 0, 1, 2),
];

const ALWAYS = '1970-01-01';
const preset = (
  region: Region,
  plan: Plan,
  from: string,
  until: string | null,
  windows: readonly TariffWindow[],
): TariffPreset => ({ region, plan, from, until, windows });

export const TARIFF_PRESETS: readonly TariffPreset[] = [
  preset('wallonia', 'mono', ALWAYS, null, []),
  preset('wallonia', 'bi', ALWAYS, '2025-12-31', BI_WALLONIA_2025),
  preset('wallonia', 'bi', '2026-01-01', null, BI_WALLONIA_2026),
  preset('wallonia', 'impact', '2026-01-01', null, IMPACT),
  preset('flanders', 'mono', ALWAYS, null, []),
  preset('flanders', 'bi', ALWAYS, null, BI_CLASSIC),
  preset('brussels', 'mono', ALWAYS, null, []),
  preset('brussels', 'bi', ALWAYS, null, BI_CLASSIC),
];

/** The windows of a plan in a tenant's region on a day; undefined where the region has no such plan then. */
export function presetWindows(
  tenant: TenantId,
  plan: Plan,
  day: string,
): readonly TariffWindow[] | undefined {
  const region = REGION_OF_TENANT[tenant];
  return TARIFF_PRESETS.find(
    (row) =>
      row.region === region &&
      row.plan === plan &&
      row.from <= day &&
      (row.until === null || day <= row.until),
  )?.windows;
}
