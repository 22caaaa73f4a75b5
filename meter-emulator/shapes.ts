/**
 * Typical days by quarter-hour of local time (index 0 is 00:00 to 00:15), each with the sum 1. Hourly tables after
 * the synthetic load profiles that Belgian operators publish for households, smoothed to quarter-hours.
 */
export type Shape = Float64Array;

export const QUARTERS_PER_DAY = 96;

/** Weekday, Saturday, Sunday. */
export type DayKind = 0 | 1 | 2;

export function dayKind(weekday: number): DayKind {
  return weekday === 6 ? 2 : weekday === 5 ? 1 : 0;
}

// biome-ignore format: one row is one day, 24 hours
const HOURLY = {
  householdWeekday: [26, 23, 21, 20, 20, 23, 33, 45, 43, 39, 37, 39, 45, 42, 38, 38, 44, 57, 72, 76, 70, 60, 47, 34],
  householdSaturday: [30, 26, 23, 21, 21, 21, 25, 34, 45, 53, 55, 56, 58, 54, 49, 47, 50, 59, 70, 71, 65, 57, 48, 38],
  householdSunday: [32, 27, 24, 22, 21, 21, 23, 29, 41, 53, 60, 66, 65, 55, 48, 46, 49, 58, 69, 71, 64, 55, 44, 34],
  heatPump: [36, 36, 37, 39, 44, 52, 57, 52, 45, 41, 38, 36, 35, 34, 34, 36, 40, 46, 49, 49, 46, 42, 39, 37],
  spaceHeat: [10, 9, 9, 10, 15, 38, 78, 82, 62, 46, 38, 34, 33, 33, 34, 40, 52, 66, 74, 72, 62, 46, 26, 14],
  hotWater: [8, 5, 4, 4, 6, 18, 62, 92, 66, 42, 34, 34, 44, 36, 28, 30, 40, 62, 86, 80, 66, 54, 40, 22],
  waterWeekday: [9, 5, 4, 4, 6, 20, 68, 92, 66, 46, 40, 40, 48, 42, 34, 36, 46, 66, 82, 76, 62, 52, 38, 20],
  waterWeekend: [14, 8, 5, 4, 5, 8, 18, 42, 78, 94, 88, 76, 66, 56, 48, 44, 48, 58, 68, 64, 54, 46, 36, 24],
} as const;

type ShapeName = keyof typeof HOURLY;

function quarterShape(hourly: readonly number[]): Shape {
  const shape = new Float64Array(QUARTERS_PER_DAY);
  for (let quarter = 0; quarter < QUARTERS_PER_DAY; quarter++) {
    // The hour's value stands at its middle; between two middles the line is straight.
    const position = (quarter + 0.5) / 4 - 0.5;
    const hour = Math.floor(position);
    const part = position - hour;
    const from = hourly[(hour + 24) % 24]!;
    const to = hourly[(hour + 1) % 24]!;
    shape[quarter] = from + (to - from) * part;
  }
  const sum = shape.reduce((total, value) => total + value, 0);
  return shape.map((value) => value / sum);
}

export const SHAPES: Readonly<Record<ShapeName, Shape>> = Object.fromEntries(
  Object.entries(HOURLY).map(([name, hourly]) => [name, quarterShape(hourly)]),
) as Record<ShapeName, Shape>;

export const HOUSEHOLD: Readonly<Record<DayKind, Shape>> = {
  0: SHAPES.householdWeekday,
  1: SHAPES.householdSaturday,
  2: SHAPES.householdSunday,
};

export const WATER: Readonly<Record<DayKind, Shape>> = {
  0: SHAPES.waterWeekday,
  1: SHAPES.waterWeekend,
  2: SHAPES.waterWeekend,
};
