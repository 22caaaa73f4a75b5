import { createClimate } from './climate.ts';
import { regionDays } from './days.ts';
import { createDriverTables } from './drivers.ts';
import type { Surroundings } from './flow.ts';
import type { Region } from './tariffs.ts';

/** What all meters of a seed share: one weather, and for each region its days and drivers, made when first asked for. */
export interface World {
  readonly seed: number;
  surroundings(region: Region): Surroundings;
}

export function createWorld(seed: number): World {
  const climate = createClimate(seed);
  const driversOf = createDriverTables(climate);
  const regions = new Map<Region, Surroundings>();
  return {
    seed,
    surroundings(region) {
      const known = regions.get(region);
      if (known !== undefined) return known;
      const made = { drivers: driversOf(region), day: regionDays(climate, region) };
      regions.set(region, made);
      return made;
    },
  };
}
