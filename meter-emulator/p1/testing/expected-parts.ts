import type { P1Channel, P1Quantity, P1Telegram } from '../../../gateway/edge/p1/telegram.ts';
import type { P1DeviceState, P1MeterState } from '../state.ts';
import {
  CURRENTS,
  EXPORTS,
  IMPORTS,
  phasesOf,
  quantity,
  REACTIVE_EXPORTS,
  REACTIVE_IMPORTS,
  reading,
  time,
  timeOrNull,
  VOLTAGES,
} from './quantities.ts';

/** What the dialects' expectations share. */

export type Part = (state: P1MeterState) => Partial<P1Telegram>;

export const nothing: Omit<P1Telegram, 'header'> = {
  crc: 'valid',
  encryption: 'none',
  version: null,
  meterTime: null,
  clockInvalid: false,
  serial: null,
  ean: null,
  registers: [],
  instants: [],
  others: [],
  monthPeak: null,
  peaks: [],
  tariff: null,
  breaker: null,
  relays: [],
  limiter: null,
  fuses: [],
  gridVolts: null,
  counters: [],
  failures: [],
  text: null,
  messages: [],
  channels: [],
  unknown: [],
};

export const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, number) => total + number, 0);
export const above = (value: number): number => Math.max(value, 0);

export const rates = (state: P1MeterState, before: number): P1Quantity[] => [
  quantity('1-0:1.8.1', state.importWh[0], before, 3, 'kWh'),
  quantity('1-0:1.8.2', state.importWh[1], before, 3, 'kWh'),
  quantity('1-0:2.8.1', state.exportWh[0], before, 3, 'kWh'),
  quantity('1-0:2.8.2', state.exportWh[1], before, 3, 'kWh'),
];
export const imported = (state: P1MeterState): number =>
  sum([...state.importWh, ...(state.laterImportWh ?? [])]);
export const exported = (state: P1MeterState): number =>
  sum([...state.exportWh, ...(state.laterExportWh ?? [])]);
export const active = (state: P1MeterState): number =>
  sum(state.phases.map(({ importW, exportW }) => importW - exportW));
export const reactive = (state: P1MeterState): number =>
  sum(state.phases.map(({ reactiveVar }) => reactiveVar!));
export const quadrant = (state: P1MeterState, number: 1 | 2 | 3 | 4): number =>
  state.reactiveVarh![number - 1]!;

export const powers = (state: P1MeterState, before: number): P1Quantity[] => [
  quantity('1-0:1.7.0', above(active(state)), before, 3, 'kW'),
  quantity('1-0:2.7.0', above(-active(state)), before, 3, 'kW'),
];
export const volts = ({ phases }: P1MeterState): P1Quantity[] =>
  phasesOf(phases, VOLTAGES, (code, { voltageDeciV }) => quantity(code, voltageDeciV, 3, 1, 'V'));
/** With 0, 1 or 2 decimals; what is finer is cut off. */
export const amperes = ({ phases }: P1MeterState, behind: 0 | 1 | 2): P1Quantity[] =>
  phasesOf(phases, CURRENTS, (code, { currentCentiA }) =>
    quantity(code, Math.floor(currentCentiA / 10 ** (2 - behind)), 3, behind, 'A'),
  );
export const phasePowers = ({ phases }: P1MeterState, before: number): P1Quantity[] => [
  ...phasesOf(phases, IMPORTS, (code, { importW }) => quantity(code, importW, before, 3, 'kW')),
  ...phasesOf(phases, EXPORTS, (code, { exportW }) => quantity(code, exportW, before, 3, 'kW')),
];
export const phaseVars = ({ phases }: P1MeterState, before: number, unit: string): P1Quantity[] => [
  ...phasesOf(phases, REACTIVE_IMPORTS, (code, { reactiveVar }) =>
    quantity(code, above(reactiveVar!), before, 3, unit),
  ),
  ...phasesOf(phases, REACTIVE_EXPORTS, (code, { reactiveVar }) =>
    quantity(code, above(-reactiveVar!), before, 3, unit),
  ),
];

export const text = ({ message }: P1MeterState): string | null => (message === '' ? null : message);
export const common: Part = (state) => ({
  serial: state.serial,
  tariff: state.rate,
  breaker: state.breaker,
  text: text(state),
});

export const MEDIA = { 3: 'gas', 4: 'heat', 7: 'water' } as const;
export const device = (
  { channel, deviceType, serial, ean, valve, value, time: captured }: P1DeviceState,
  code: string,
  hasEan: boolean,
): P1Channel => ({
  channel,
  deviceType,
  medium: MEDIA[deviceType],
  serial,
  ean: hasEan ? ean : null,
  valve,
  readings: [
    reading(`0-${channel}:${code}`, value, 5, 3, deviceType === 4 ? 'GJ' : 'm3', timeOrNull(captured)),
  ],
});
export const dutchDevices = ({ devices, slaves = [] }: P1MeterState): P1Channel[] => [
  ...devices.map((one) => device(one, '24.2.1', false)),
  ...slaves.map(
    ({ channel, serial, energyWh, time: captured }): P1Channel => ({
      channel,
      deviceType: 2,
      medium: 'electricity',
      serial,
      ean: null,
      valve: null,
      readings: [reading(`0-${channel}:24.2.1`, energyWh, 6, 3, 'kWh', time(captured))],
    }),
  ),
];
export const wholeAmperes = ({ fuseCentiA }: P1MeterState): number =>
  fuseCentiA === null ? 999 : Math.floor(fuseCentiA / 100);
export const tenths = ({ limiterW }: P1MeterState, unit = 'kW'): P1Quantity =>
  quantity('0-0:17.0.0', limiterW === null ? 9_999 : Math.floor(limiterW / 100), 3, 1, unit);

/** 1.8.0 to 1.8.4, and the same of export. */
export const withRates = (state: P1MeterState): P1Quantity[] => {
  const energies = (code: string, values: readonly number[]): P1Quantity[] =>
    values.map((value, rate) => quantity(`1-0:${code}.8.${rate}`, value, 6, 3, 'kWh'));
  return [
    ...energies('1', [imported(state), ...state.importWh, ...state.laterImportWh!]),
    ...energies('2', [exported(state), ...state.exportWh, ...state.laterExportWh!]),
  ];
};

/** A channel of which nothing is said but that it is there. */
export const emptyChannel: P1Channel = {
  channel: 1,
  deviceType: null,
  medium: null,
  serial: null,
  ean: null,
  valve: null,
  readings: [],
};
