import { END, eachPhase } from './lines.ts';
import {
  apparentVa,
  exportTotalWh,
  importTotalWh,
  netVar,
  netW,
  quadrantsVarh,
  reactiveVar,
} from './reactive.ts';
import type { Line } from './row.ts';
import type { P1MeterState } from './state.ts';

/** Lines of the ports outside of Belgium and the Netherlands: totals, reactive and apparent values. */

/** 1.8.0 and 2.8.0: the sums of all rates, which roll over by themselves. */
export const totalsOf =
  (places: number): Line =>
  (out, state) => {
    out.text('1-0:1.8.0(').number(importTotalWh(state), places, 3).text('*kWh)\r\n');
    out.text('1-0:2.8.0(').number(exportTotalWh(state), places, 3).text('*kWh)\r\n');
  };

/** Reactive import is what lies in quadrants I and II, export III and IV (IEC 62056-61 §5.3.1 value group C). */
export function reactiveTotals(state: P1MeterState): readonly [number, number] {
  const [first, second, third, fourth] = quadrantsVarh(state);
  return [first + second, third + fourth];
}

export const reactiveTotalsOf =
  (places: number, unit: string): Line =>
  (out, state) => {
    const [taken, given] = reactiveTotals(state);
    out.text('1-0:3.8.0(').number(taken, places, 3).text(unit).text(END);
    out.text('1-0:4.8.0(').number(given, places, 3).text(unit).text(END);
  };

export const quadrantEnergies: Line = (out, state) => {
  const quadrants = quadrantsVarh(state);
  for (let index = 0; index < quadrants.length; index += 1)
    out
      .text('1-0:')
      .number(5 + index, 1)
      .text('.8.0(')
      .number(quadrants[index]!, 6, 3)
      .text('*kvarh)\r\n');
};

export const reactivePowersOf =
  (places: number, unit: string): Line =>
  (out, state) => {
    const net = netVar(state);
    out.text('1-0:3.7.0(').number(Math.max(net, 0), places, 3).text(unit).text(END);
    out.text('1-0:4.7.0(').number(Math.max(-net, 0), places, 3).text(unit).text(END);
  };

/** Power in one quadrant at a time, by the directions of active and reactive power. */
export const quadrantPowers: Line = (out, state) => {
  const active = netW(state);
  const reactive = netVar(state);
  const running = active >= 0 ? (reactive >= 0 ? 0 : 3) : reactive >= 0 ? 1 : 2;
  for (let index = 0; index < 4; index += 1)
    out
      .text('1-0:')
      .number(5 + index, 1)
      .text('.7.0(')
      .number(index === running ? Math.abs(reactive) : 0, 2, 3)
      .text('*kvar)\r\n');
};

export const phaseReactiveImportsOf = (places: number, unit: string): Line =>
  eachPhase(['1-0:23.7.0(', '1-0:43.7.0(', '1-0:63.7.0('], (out, phase) => {
    out
      .number(Math.max(reactiveVar(phase), 0), places, 3)
      .text(unit)
      .text(END);
  });
export const phaseReactiveExportsOf = (places: number, unit: string): Line =>
  eachPhase(['1-0:24.7.0(', '1-0:44.7.0(', '1-0:64.7.0('], (out, phase) => {
    out
      .number(Math.max(-reactiveVar(phase), 0), places, 3)
      .text(unit)
      .text(END);
  });

export const apparentPowers: Line = (out, state) => {
  const imports = netW(state) >= 0;
  const powerVa = apparentVa(state);
  out
    .text('1-0:9.7.0(')
    .number(imports ? powerVa : 0, 2, 3)
    .text('*kVA)\r\n');
  out
    .text('1-0:10.7.0(')
    .number(imports ? 0 : powerVa, 2, 3)
    .text('*kVA)\r\n');
};

/** Totals with their four rates. */
export const rateEnergies: Line = (out, state) => {
  const { importWh, exportWh, laterImportWh = [0, 0], laterExportWh = [0, 0] } = state;
  const print = (code: string, energiesWh: readonly number[]): void => {
    for (let rate = 0; rate < energiesWh.length; rate += 1)
      out.text(code).number(rate, 1).text('(').number(energiesWh[rate]!, 6, 3).text('*kWh)\r\n');
  };
  print('1-0:1.8.', [importTotalWh(state), ...importWh, ...laterImportWh]);
  print('1-0:2.8.', [exportTotalWh(state), ...exportWh, ...laterExportWh]);
};
