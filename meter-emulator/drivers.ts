import { QUARTER_SECONDS } from '../gateway/edge/calendar.ts';
import { boughtPart, type Climate, yearPhase } from './climate.ts';
import { type DayFrame, dayFrame, dayNumber } from './days.ts';
import { dayKind, HOUSEHOLD, SHAPES } from './shapes.ts';
import { isDayRate, planAt, type Region } from './tariffs.ts';

/**
 * What drives consumption, day by day, and its sum since the origin: cold for heating, sun for panels, the shape of
 * weekdays for everything. A meter's register at any midnight is a coefficient times such a sum, so it needs neither
 * a replay of the years before nor a state on disk, and all meters of a region live under the same weather.
 */
export const DRIVERS = [
  'householdDay',
  'householdNight',
  'sunnyHouseholdDay',
  'sunnyHouseholdNight',
  'heatPumpDay',
  'heatPumpNight',
  'exportDay',
  'exportNight',
  'carCharge',
  'spaceHeat',
  'hotWater',
  'water',
] as const;
export type Driver = (typeof DRIVERS)[number];

/** No emulated meter is older than this. */
export const ORIGIN_DATE = '2015-01-01';
const ORIGIN_DAY = dayNumber(ORIGIN_DATE);

/** Degree days of an average Belgian year, so that coefficients may be given per year. */
const DEGREE_DAYS_PER_YEAR = 2_350;

export interface DriverTable {
  readonly region: Region;
  /** The amount of one day. */
  amount(driver: Driver, day: number): number;
  /** The sum of all days from the origin up to, and without, this day. */
  sumBefore(driver: Driver, day: number): number;
}

interface Column {
  readonly amounts: number[];
  readonly sums: number[];
}

export function createDriverTable(climate: Climate, region: Region): DriverTable {
  const columns = Object.fromEntries(
    DRIVERS.map((name) => [name, { amounts: [], sums: [0] }]),
  ) as unknown as Record<Driver, Column>;
  let daysKnown = 0;
  const extendTo = (index: number): void => {
    for (; daysKnown <= index; daysKnown++) {
      const amounts = amountsOfDay(climate, region, dayFrame(ORIGIN_DAY + daysKnown));
      for (const name of DRIVERS) {
        const column = columns[name];
        column.amounts.push(amounts[name]);
        column.sums.push(column.sums[daysKnown]! + amounts[name]);
      }
    }
  };
  const indexOf = (day: number): number => {
    const index = Math.max(0, day - ORIGIN_DAY);
    if (index >= daysKnown) extendTo(index);
    return index;
  };
  return {
    region,
    amount: (driver, day) => columns[driver].amounts[indexOf(day)]!,
    sumBefore: (driver, day) => columns[driver].sums[indexOf(day)]!,
  };
}

/** Houses use more light and more dryer in winter: a factor around 1. */
function seasonOfUse(day: number): number {
  return 1 + 0.17 * Math.cos(yearPhase(day));
}

function amountsOfDay(climate: Climate, region: Region, frame: DayFrame): Record<Driver, number> {
  const amounts = Object.fromEntries(DRIVERS.map((name) => [name, 0])) as Record<Driver, number>;
  const plan = planAt(region, frame.date);
  const kind = dayKind(frame.weekday);
  const season = seasonOfUse(frame.number);
  const cold = climate.heatingDegrees(frame.number) / DEGREE_DAYS_PER_YEAR;
  for (let quarter = 0; quarter < frame.quarterCount; quarter++) {
    const local = frame.localQuarters[quarter]!;
    const sun = climate.sun(frame.number, frame.startSeconds + (quarter + 0.5) * QUARTER_SECONDS);
    const household = HOUSEHOLD[kind][local]! * season;
    const heatPump = SHAPES.heatPump[local]! * cold;
    if (isDayRate(plan, frame.weekday, local)) {
      amounts.householdDay += household;
      amounts.sunnyHouseholdDay += household * boughtPart(sun);
      amounts.heatPumpDay += heatPump;
      amounts.exportDay += sun;
    } else {
      amounts.householdNight += household;
      amounts.sunnyHouseholdNight += household * boughtPart(sun);
      amounts.heatPumpNight += heatPump;
      amounts.exportNight += sun;
    }
  }
  amounts.carCharge = frame.weekday < 5 ? 1.1 : 0.75;
  amounts.spaceHeat = cold;
  amounts.hotWater = 1 + 0.12 * Math.cos(yearPhase(frame.number));
  amounts.water = frame.weekday < 5 ? 0.96 : 1.1;
  return amounts;
}
