import type { P1MeterState, P1PhaseState } from './state.ts';

/**
 * What a household does not tell about itself and some dialects print. A value that the state has is printed as
 * it is; these are for states that have none, so that every household can be printed in every dialect.
 */

/** Reactive for active energy in each quadrant: what a house with a fridge and an inverter might show. */
const SHARES = {
  inductiveImport: 8,
  inductiveExport: 64,
  capacitiveExport: 16,
  capacitiveImport: 32,
} as const;
const REACTIVE_POWER_SHARE = 8;

export function importTotalWh({ importWh, laterImportWh }: P1MeterState): number {
  return importWh[0] + importWh[1] + (laterImportWh === undefined ? 0 : laterImportWh[0] + laterImportWh[1]);
}

export function exportTotalWh({ exportWh, laterExportWh }: P1MeterState): number {
  return exportWh[0] + exportWh[1] + (laterExportWh === undefined ? 0 : laterExportWh[0] + laterExportWh[1]);
}

/** Quadrants I to IV. They never fall where the active energy does not. */
export function quadrantsVarh(state: P1MeterState): readonly [number, number, number, number] {
  if (state.reactiveVarh !== undefined) return state.reactiveVarh;
  const importWh = importTotalWh(state);
  const exportWh = exportTotalWh(state);
  return [
    Math.floor(importWh / SHARES.inductiveImport),
    Math.floor(exportWh / SHARES.inductiveExport),
    Math.floor(exportWh / SHARES.capacitiveExport),
    Math.floor(importWh / SHARES.capacitiveImport),
  ];
}

export function reactiveVar({ reactiveVar, importW, exportW }: P1PhaseState): number {
  return reactiveVar ?? Math.trunc((importW - exportW) / REACTIVE_POWER_SHARE);
}

/** A meter of three phases nets them: above zero it takes, below it gives. */
export function netW({ phases }: P1MeterState): number {
  let sum = 0;
  for (const { importW, exportW } of phases) sum += importW - exportW;
  return sum;
}

export function netVar({ phases }: P1MeterState): number {
  let sum = 0;
  for (const phase of phases) sum += reactiveVar(phase);
  return sum;
}

/** Of the sum of the phases, in the direction of the active power. */
export function apparentVa(state: P1MeterState): number {
  return Math.round(Math.hypot(netW(state), netVar(state)));
}
