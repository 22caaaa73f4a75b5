import { boughtPart, type Climate, yearPhase } from './climate.ts';
import { type DayFrame, dayFrame, dayNumber, sunOfDay } from './days.ts';
import { dayKind, HOUSEHOLD, SHAPES } from './shapes.ts';
import { ALL_REGIONS, isDayRate, planAt, type Region } from './tariffs.ts';

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
export const ORIGIN_DATE = '2018-12-01';
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

type Columns = Readonly<Record<Driver, Column>>;

const emptyColumns = (): Columns =>
  Object.fromEntries(DRIVERS.map((name) => [name, { amounts: [], sums: [0] }])) as unknown as Columns;

/**
 * The driver tables of all regions, which grow together up to the last day that was asked for: sun and calendar of a
 * day are worked out once, and the same numbers are added in the same order in whatever order days are asked for.
 */
export function createDriverTables(climate: Climate): (region: Region) => DriverTable {
  const regions = new Map(ALL_REGIONS.map((region) => [region, emptyColumns()]));
  let daysKnown = 0;
  const extendTo = (index: number): void => {
    for (; daysKnown <= index; daysKnown++) {
      const frame = dayFrame(ORIGIN_DAY + daysKnown);
      const sun = sunOfDay(climate, frame);
      for (const [region, columns] of regions) addDay(columns, climate, region, frame, sun);
    }
  };
  const indexOf = (day: number): number => {
    const index = Math.max(0, day - ORIGIN_DAY);
    if (index >= daysKnown) extendTo(index);
    return index;
  };
  return (region) => {
    const columns = regions.get(region)!;
    return {
      region,
      // The table must have grown before its column is read.
      amount: (driver, day) => {
        const index = indexOf(day);
        return columns[driver].amounts[index]!;
      },
      sumBefore: (driver, day) => {
        const index = indexOf(day);
        return columns[driver].sums[index]!;
      },
    };
  };
}

/** Houses use more light and more dryer in winter: a factor around 1. */
function seasonOfUse(day: number): number {
  return 1 + 0.17 * Math.cos(yearPhase(day));
}

function addDay(
  columns: Columns,
  climate: Climate,
  region: Region,
  frame: DayFrame,
  sun: Float64Array,
): void {
  const plan = planAt(region, frame.date);
  const kind = dayKind(frame.weekday);
  const season = seasonOfUse(frame.number);
  const cold = climate.heatingDegrees(frame.number) / DEGREE_DAYS_PER_YEAR;
  const byRate = { household: [0, 0], sunny: [0, 0], heatPump: [0, 0], exported: [0, 0] };
  for (let quarter = 0; quarter < frame.quarterCount; quarter++) {
    const local = frame.localQuarters[quarter]!;
    const rate = isDayRate(plan, frame.weekday, local) ? 0 : 1;
    const household = HOUSEHOLD[kind][local]! * season;
    byRate.household[rate]! += household;
    byRate.sunny[rate]! += household * boughtPart(sun[quarter]!);
    byRate.heatPump[rate]! += SHAPES.heatPump[local]! * cold;
    byRate.exported[rate]! += sun[quarter]!;
  }
  const amounts: Record<Driver, number> = {
    householdDay: byRate.household[0]!,
    householdNight: byRate.household[1]!,
    sunnyHouseholdDay: byRate.sunny[0]!,
    sunnyHouseholdNight: byRate.sunny[1]!,
    heatPumpDay: byRate.heatPump[0]!,
    heatPumpNight: byRate.heatPump[1]!,
    exportDay: byRate.exported[0]!,
    exportNight: byRate.exported[1]!,
    carCharge: frame.weekday < 5 ? 1.1 : 0.75,
    spaceHeat: cold,
    hotWater: 1 + 0.12 * Math.cos(yearPhase(frame.number)),
    water: frame.weekday < 5 ? 0.96 : 1.1,
  };
  for (const name of DRIVERS) {
    const { amounts: known, sums } = columns[name];
    known.push(amounts[name]);
    sums.push(sums.at(-1)! + amounts[name]);
  }
}
