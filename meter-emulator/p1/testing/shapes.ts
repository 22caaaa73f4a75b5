import { DIALECTS, type P1Dialect } from '../dialects.ts';
import type { YearShape } from './year.ts';

/** Where registers roll over that print so many places before the point of a kWh. */
const FIVE_PLACES_WH = 10 ** 8;
const SIX_PLACES_WH = 10 ** 9;
const SEVEN_PLACES_WH = 10 ** 10;
const EIGHT_PLACES_WH = 10 ** 11;

const OTHER_PLACES: Partial<Readonly<Record<P1Dialect, number>>> = {
  'dsmr-2.2': FIVE_PLACES_WH,
  'dsmr-2.2-iskra': FIVE_PLACES_WH,
  'dsmr-3.0': FIVE_PLACES_WH,
  sweden: EIGHT_PLACES_WH,
  'sweden-aidon': EIGHT_PLACES_WH,
  'easymeter-q3d': EIGHT_PLACES_WH,
  'iskra-mt174': SEVEN_PLACES_WH,
};

/** The simulated year's meter as one of this dialect. */
export function shapeOf(dialect: P1Dialect, seed: number): YearShape {
  return {
    header: DIALECTS[dialect].header,
    energyModulusWh: OTHER_PLACES[dialect] ?? SIX_PLACES_WH,
    deviceTypes: dialect === 'heat-nl' ? [4] : [3, 4, 7],
    seed,
  };
}
