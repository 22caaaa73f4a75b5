import type { P1MeterState } from '../../../meter-emulator/p1/encode.ts';

/** One page of the display: the OBIS code, as the LCD shows it, and the value. */
export interface Page {
  readonly code: string;
  readonly value: string;
}

interface PageRow {
  readonly code: string;
  /** Shown in turn by itself; the others only behind the button. */
  readonly cycles: boolean;
  /** Null where this meter has nothing to show there. */
  readonly value: (state: P1MeterState) => string | null;
}

const kWh = (wh: number): string => `${(wh / 1_000).toFixed(3).padStart(10, '0')} kWh`;
const kW = (watts: number): string => `${(watts / 1_000).toFixed(3).padStart(6, '0')} kW`;

const sumOf = (state: P1MeterState, key: 'importW' | 'exportW'): number =>
  state.phases.reduce((sum, phase) => sum + phase[key], 0);
const netOf = (state: P1MeterState): number => sumOf(state, 'importW') - sumOf(state, 'exportW');

const BREAKER_TEXTS = ['0 open', '1 closed', '2 ready'] as const;

const phasePages = (index: number): readonly PageRow[] => [
  {
    code: `${32 + 20 * index}.7.0`,
    cycles: false,
    value: ({ phases }) => {
      const phase = phases[index];
      return phase === undefined ? null : `${(phase.voltageDeciV / 10).toFixed(1)} V`;
    },
  },
  {
    code: `${31 + 20 * index}.7.0`,
    cycles: false,
    value: ({ phases }) => {
      const phase = phases[index];
      return phase === undefined ? null : `${(phase.currentCentiA / 100).toFixed(2)} A`;
    },
  },
];

/**
 * The pages in the order of Belgian meters: the four registers go round by themselves; the button leads through them
 * and on to power, peak, phases, switch, limits, message and what hangs on the M-Bus.
 */
const PAGES: readonly PageRow[] = [
  { code: '1.8.1', cycles: true, value: ({ importWh }) => kWh(importWh[0]) },
  { code: '1.8.2', cycles: true, value: ({ importWh }) => kWh(importWh[1]) },
  { code: '2.8.1', cycles: true, value: ({ exportWh }) => kWh(exportWh[0]) },
  { code: '2.8.2', cycles: true, value: ({ exportWh }) => kWh(exportWh[1]) },
  { code: '1.7.0', cycles: false, value: (state) => kW(Math.max(0, netOf(state))) },
  { code: '2.7.0', cycles: false, value: (state) => kW(Math.max(0, -netOf(state))) },
  { code: '1.4.0', cycles: false, value: ({ quarterPowerW }) => kW(quarterPowerW) },
  { code: '1.6.0', cycles: false, value: ({ monthPeak }) => kW(monthPeak.powerW) },
  ...[0, 1, 2].flatMap(phasePages),
  { code: '96.14.0', cycles: false, value: ({ rate }) => `rate ${rate}` },
  {
    code: '96.3.10',
    cycles: false,
    value: ({ breaker }) => (breaker === null ? null : BREAKER_TEXTS[breaker]),
  },
  { code: '17.0.0', cycles: false, value: ({ limiterW }) => (limiterW === null ? 'no limit' : kW(limiterW)) },
  {
    code: '31.4.0',
    cycles: false,
    value: ({ fuseCentiA }) => (fuseCentiA === null ? 'none' : `${fuseCentiA / 100} A`),
  },
  { code: '96.1.1', cycles: false, value: ({ serial }) => serial },
  { code: '96.1.2', cycles: false, value: ({ ean }) => ean },
  { code: '96.13.0', cycles: false, value: ({ message }) => (message === '' ? null : message) },
];

/** The pages that this meter has, those of the cycle first. */
export function pagesOf(state: P1MeterState): { readonly pages: readonly Page[]; readonly cycling: number } {
  const shown = PAGES.flatMap(({ code, cycles, value }) => {
    const text = value(state);
    return text === null ? [] : [{ code, cycles, value: text }];
  });
  const devices = state.devices.map(
    ({ channel, deviceType, value }): Page => ({
      code: `0-${channel}:24.2.${deviceType === GAS ? 3 : 1}`,
      value: `${(value / 1_000).toFixed(3).padStart(9, '0')} ${deviceType === HEAT ? 'GJ' : 'm³'}`,
    }),
  );
  return { pages: [...shown, ...devices], cycling: shown.filter(({ cycles }) => cycles).length };
}

/** Device types of M-Bus (EN 13757-3). */
const GAS = 3;
const HEAT = 4;

/** Each page of the cycle stays so long. */
const PAGE_MS = 5_000;
/** After the button was not pressed for so long the cycle goes on. */
const BUTTON_MS = 30_000;

/** Which page the display is at: by itself, or where the button led. */
export class PageTurner {
  #pressed: { readonly page: number; readonly atMs: number } | null = null;

  /** The button: from the page that is shown to the next one, round and round. */
  press(pages: number, cycling: number, nowMs: number): void {
    this.#pressed = { page: (this.at(cycling, nowMs) + 1) % pages, atMs: nowMs };
  }

  at(cycling: number, nowMs: number): number {
    if (this.#pressed !== null && nowMs - this.#pressed.atMs < BUTTON_MS) return this.#pressed.page;
    this.#pressed = null;
    return Math.floor(nowMs / PAGE_MS) % cycling;
  }
}
