import { row } from '../cbor/record.ts';
import { integer } from '../cbor/shape.ts';
import { isBelgianHoliday, weekdayOf } from './holidays.ts';

/** Tariff plans: what a meter switches by. Plans and their windows are data; a region's are presets.ts. */

export const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun', 'hol'] as const;
export type DayKind = (typeof DAYS)[number];

/** A day of `DAYS` as its bit. */
export const dayBit = (day: DayKind): number => 1 << DAYS.indexOf(day);
export const EVERY_DAY = 0xff;
export const WORKING_DAYS = 0x1f;
const WEEKDAYS = 0x7f;

const DAY_MINUTES = 1_440;
/** 0-0:96.14.0 has room for four (P1); the plans of Belgium use three. */
const RATES_MAX = 4;

/** From one minute of a local day to another: which rate holds, on which days. Midnight divides windows. */
export interface TariffWindow {
  /** Bits of `DAYS`: the weekdays, and `hol` where it holds on those that are holidays too. */
  readonly days: number;
  readonly startMinute: number;
  /** Up to, and not with, this one. 1440 is midnight. */
  readonly endMinute: number;
  readonly rate: number;
}

export const WINDOW_SHAPE = row<TariffWindow>({
  days: integer(1, EVERY_DAY),
  startMinute: integer(0, DAY_MINUTES - 1),
  endMinute: integer(1, DAY_MINUTES),
  rate: integer(1, RATES_MAX),
});

/**
 * The plans. `rates`: each rate by its name and the register that counts in it: 1.8.1 and 2.8.1, or 1.8.2 and
 * 2.8.2, of which one always runs. The indicator of P1 shows the rate. `base`: the rate outside all windows.
 * IMPACT is billed by quarter-hours, which need the meter's communication to be on; its registers go on as the
 * nearest two.
 */
export const PLANS = {
  mono: { number: 1, base: 1, needsCommunication: false, rates: [{ name: 'single', register: 1 }] },
  bi: {
    number: 2,
    base: 2,
    needsCommunication: false,
    rates: [
      { name: 'day', register: 1 },
      { name: 'night', register: 2 },
    ],
  },
  impact: {
    number: 3,
    base: 3,
    needsCommunication: true,
    rates: [
      { name: 'pic', register: 1 },
      { name: 'medium', register: 1 },
      { name: 'eco', register: 2 },
    ],
  },
} as const satisfies Readonly<
  Record<
    string,
    {
      readonly number: number;
      readonly base: number;
      readonly needsCommunication: boolean;
      readonly rates: readonly { readonly name: string; readonly register: 1 | 2 }[];
    }
  >
>;
export type Plan = keyof typeof PLANS;

export interface TariffSetting {
  readonly plan: Plan;
  readonly windows: readonly TariffWindow[];
}

/** Why a plan and its windows do not fit each other, or undefined where they do. */
export function tariffFault({ plan, windows }: TariffSetting): string | undefined {
  const rates = PLANS[plan].rates.length;
  if (plan === 'mono' && windows.length > 0) return 'the plan mono has one rate and no windows';
  if (plan !== 'mono' && windows.length === 0) return `the plan ${plan} needs windows`;
  for (const [index, window] of windows.entries()) {
    if ((window.days & WEEKDAYS) === 0) return `window ${index + 1} is of no weekday`;
    if (window.endMinute <= window.startMinute) return `window ${index + 1} ends before it begins`;
    if (window.rate > rates) return `window ${index + 1} has a rate that the plan ${plan} has not`;
    for (const [after, other] of windows.slice(index + 1).entries())
      if (
        (window.days & other.days & WEEKDAYS) !== 0 &&
        window.startMinute < other.endMinute &&
        other.startMinute < window.endMinute
      )
        return `windows ${index + 1} and ${index + after + 2} overlap`;
  }
  return undefined;
}

/**
 * The rate at a minute of a local day.
 * @param day `YYYY-MM-DD`
 */
export function rateAt({ plan, windows }: TariffSetting, day: string, minuteOfDay: number): number {
  const asked = (1 << weekdayOf(day)) | (isBelgianHoliday(day) ? dayBit('hol') : 0);
  const window = windows.find(
    ({ days, startMinute, endMinute }) =>
      (days & asked) === asked && minuteOfDay >= startMinute && minuteOfDay < endMinute,
  );
  return window?.rate ?? PLANS[plan].base;
}

/** Which of the two registers counts in a rate of a plan. */
export function registerOfRate(plan: Plan, rate: number): 1 | 2 {
  return PLANS[plan].rates[rate - 1]?.register ?? 1;
}
