import { clock, deciCurrents, phaseExportsOf, phaseImportsOf, powersOf, voltages } from './lines.ts';
import {
  phaseReactiveExportsOf,
  phaseReactiveImportsOf,
  reactivePowersOf,
  reactiveTotalsOf,
  totalsOf,
} from './reactive-lines.ts';
import { dialect, type Line } from './row.ts';

/** Sweden says neither version nor serial number: eight places of energy, four of power. */
const swedish = (reactiveEnergy: string, reactivePower: string): readonly Line[] => [
  clock,
  totalsOf(8),
  reactiveTotalsOf(8, reactiveEnergy),
  powersOf(4),
  reactivePowersOf(4, reactivePower),
  phaseImportsOf(4),
  phaseExportsOf(4),
  phaseReactiveImportsOf(4, reactivePower),
  phaseReactiveExportsOf(4, reactivePower),
  voltages,
  deciCurrents,
];

export const NORDIC = {
  sweden: dialect({
    after: "Swedenergy's recommendation for a local customer interface, 2.0",
    header: 'ELL5\\253SIM635_A',
    periodSeconds: 10,
    lines: swedish('*kvarh', '*kvar'),
  }),
  'sweden-aidon': dialect({
    after:
      "Swedenergy's recommendation 2.0, as Aidon and Kamstrup spell it: kVArh, and a blank in the first line",
    header: 'ADN9 SIM6534',
    periodSeconds: 10,
    lines: swedish('*kVArh', '*kVAr'),
  }),
} as const;
