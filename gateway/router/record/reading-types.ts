import type { Medium, Unit } from '../../../protocol/reading.ts';

/**
 * OBIS × medium → reading type, IEC 61968-9 annex C. A row gives the fields of its 18 that are not 0.
 *
 *  1 macroPeriod   2 aggregate   3 measuringPeriod   4 accumulation   5 flowDirection   6 commodity
 *  7 measurementKind   8–9 interharmonic   10–11 argument   12 tou   13 cpp   14 consumptionTier
 * 15 phases   16 multiplier   17 unit   18 currency
 */
export interface ReadingTypeFields {
  readonly macroPeriod?: number;
  readonly aggregate?: number;
  readonly measuringPeriod?: number;
  readonly accumulation?: number;
  readonly flow?: number;
  readonly commodity: number;
  readonly kind: number;
  readonly tou?: number;
  readonly phases?: number;
  readonly multiplier: number;
  readonly unit: number;
}

export interface ReadingTypeRow {
  readonly medium: Medium;
  /** Channel `n` in the code stands for any M-Bus channel. */
  readonly obis: string;
  /** The unit that the device must state; another one makes the reading unmapped. */
  readonly unit: Unit;
  readonly fields: ReadingTypeFields;
}

export const COMMODITY: Readonly<Record<Medium, number>> = { electricity: 1, gas: 7, water: 9, heat: 12 };

/** Unit symbol (field 17), and the multiplier (field 16) in which it is stated where no row says otherwise. */
export const UNITS: Readonly<Record<Unit, { readonly code: number; readonly multiplier: number }>> = {
  Wh: { code: 72, multiplier: 3 },
  varh: { code: 73, multiplier: 3 },
  VAh: { code: 71, multiplier: 3 },
  W: { code: 38, multiplier: 3 },
  var: { code: 63, multiplier: 3 },
  VA: { code: 61, multiplier: 3 },
  m3: { code: 42, multiplier: 0 },
  J: { code: 31, multiplier: 9 },
  V: { code: 29, multiplier: 0 },
  A: { code: 5, multiplier: 0 },
  count: { code: 111, multiplier: 0 },
};

export const ACCUMULATION = { bulkQuantity: 1, deltaData: 4, indicating: 6, summation: 9, instantaneous: 12 };
export const AGGREGATE = { average: 2, maximum: 8, minimum: 9 };
export const MACRO_PERIOD = { daily: 11, monthly: 13 };

/** Field 3, by the seconds of a profile's period; another period is unmapped. */
export const MEASURING_PERIOD: Readonly<Record<number, number>> = {
  60: 3,
  120: 10,
  180: 14,
  300: 6,
  600: 1,
  900: 2,
  1200: 31,
  1800: 5,
  3600: 7,
  86400: 4,
};

const FLOW = { forward: 1, q1plusQ2: 5, q3plusQ4: 13, q1: 15, q2: 16, q3: 17, q4: 18, reverse: 19 };
const KIND = { current: 4, demand: 8, energy: 12, power: 37, voltage: 54, volume: 58 };
/** Phase, and that phase against neutral. */
const PHASES = { L1: 128, L2: 64, L3: 32, L1N: 129, L2N: 65, L3N: 33 };

type Rest = Omit<ReadingTypeFields, 'commodity' | 'multiplier' | 'unit'>;

function row(medium: Medium, obis: string, unit: Unit, rest: Rest): ReadingTypeRow {
  const { code, multiplier } = UNITS[unit];
  return { medium, obis, unit, fields: { commodity: COMMODITY[medium], multiplier, unit: code, ...rest } };
}

const energy = (obis: string, unit: Unit, flow: number, tou = 0, accumulation = ACCUMULATION.bulkQuantity) =>
  row('electricity', obis, unit, { accumulation, flow, kind: KIND.energy, tou });

const power = (obis: string, unit: Unit, flow: number, phases = 0) =>
  row('electricity', obis, unit, { accumulation: ACCUMULATION.indicating, flow, kind: KIND.power, phases });

const average15 = (obis: string, flow: number) =>
  row('electricity', obis, 'W', {
    aggregate: AGGREGATE.average,
    measuringPeriod: 2,
    accumulation: ACCUMULATION.indicating,
    flow,
    kind: KIND.demand,
  });

const peak15 = (obis: string, flow: number) =>
  row('electricity', obis, 'W', {
    macroPeriod: MACRO_PERIOD.monthly,
    aggregate: AGGREGATE.maximum,
    measuringPeriod: 2,
    accumulation: ACCUMULATION.indicating,
    flow,
    kind: KIND.demand,
  });

const instant = (obis: string, unit: Unit, kind: number, phases: number) =>
  row('electricity', obis, unit, { accumulation: ACCUMULATION.indicating, kind, phases });

const volume = (medium: Medium, obis: string) =>
  row(medium, obis, 'm3', { accumulation: ACCUMULATION.bulkQuantity, flow: FLOW.forward, kind: KIND.volume });

const heat = (obis: string, unit: Unit) =>
  row('heat', obis, unit, { accumulation: ACCUMULATION.bulkQuantity, flow: FLOW.forward, kind: KIND.energy });

export const READING_TYPES: readonly ReadingTypeRow[] = [
  // Active energy. Rate 1 is day and rate 2 night in Belgium; the rate is passed on as the meter numbers it.
  energy('1-0:1.8.0', 'Wh', FLOW.forward),
  energy('1-0:1.8.1', 'Wh', FLOW.forward, 1),
  energy('1-0:1.8.2', 'Wh', FLOW.forward, 2),
  energy('1-0:1.8.3', 'Wh', FLOW.forward, 3),
  energy('1-0:1.8.4', 'Wh', FLOW.forward, 4),
  energy('1-0:2.8.0', 'Wh', FLOW.reverse),
  energy('1-0:2.8.1', 'Wh', FLOW.reverse, 1, ACCUMULATION.summation),
  energy('1-0:2.8.2', 'Wh', FLOW.reverse, 2, ACCUMULATION.summation),
  energy('1-0:2.8.3', 'Wh', FLOW.reverse, 3, ACCUMULATION.summation),
  energy('1-0:2.8.4', 'Wh', FLOW.reverse, 4, ACCUMULATION.summation),
  // Reactive energy: +R is quadrants 1 and 2, −R quadrants 3 and 4.
  energy('1-0:3.8.0', 'varh', FLOW.q1plusQ2),
  energy('1-0:3.8.1', 'varh', FLOW.q1plusQ2, 1),
  energy('1-0:3.8.2', 'varh', FLOW.q1plusQ2, 2),
  energy('1-0:4.8.0', 'varh', FLOW.q3plusQ4),
  energy('1-0:4.8.1', 'varh', FLOW.q3plusQ4, 1),
  energy('1-0:4.8.2', 'varh', FLOW.q3plusQ4, 2),
  energy('1-0:5.8.0', 'varh', FLOW.q1),
  energy('1-0:6.8.0', 'varh', FLOW.q2),
  energy('1-0:7.8.0', 'varh', FLOW.q3),
  energy('1-0:8.8.0', 'varh', FLOW.q4),
  energy('1-0:9.8.0', 'VAh', FLOW.forward),
  energy('1-0:10.8.0', 'VAh', FLOW.reverse),
  // Demand: the running quarter-hour, and the month's highest.
  average15('1-0:1.4.0', FLOW.forward),
  average15('1-0:2.4.0', FLOW.reverse),
  peak15('1-0:1.6.0', FLOW.forward),
  peak15('1-0:2.6.0', FLOW.reverse),
  // Momentary power, voltage and current.
  power('1-0:1.7.0', 'W', FLOW.forward),
  power('1-0:2.7.0', 'W', FLOW.reverse),
  power('1-0:3.7.0', 'var', FLOW.q1plusQ2),
  power('1-0:4.7.0', 'var', FLOW.q3plusQ4),
  power('1-0:9.7.0', 'VA', FLOW.forward),
  power('1-0:21.7.0', 'W', FLOW.forward, PHASES.L1),
  power('1-0:41.7.0', 'W', FLOW.forward, PHASES.L2),
  power('1-0:61.7.0', 'W', FLOW.forward, PHASES.L3),
  power('1-0:22.7.0', 'W', FLOW.reverse, PHASES.L1),
  power('1-0:42.7.0', 'W', FLOW.reverse, PHASES.L2),
  power('1-0:62.7.0', 'W', FLOW.reverse, PHASES.L3),
  instant('1-0:32.7.0', 'V', KIND.voltage, PHASES.L1N),
  instant('1-0:52.7.0', 'V', KIND.voltage, PHASES.L2N),
  instant('1-0:72.7.0', 'V', KIND.voltage, PHASES.L3N),
  instant('1-0:31.7.0', 'A', KIND.current, PHASES.L1),
  instant('1-0:51.7.0', 'A', KIND.current, PHASES.L2),
  instant('1-0:71.7.0', 'A', KIND.current, PHASES.L3),
  // M-Bus channels. e-MUCS 2.1.1 prints water on 24.2.3 in its example, and gas stands on 24.2.1 elsewhere.
  volume('gas', '0-n:24.2.3'),
  volume('gas', '0-n:24.2.1'),
  volume('water', '0-n:24.2.1'),
  volume('water', '0-n:24.2.3'),
  heat('0-n:24.2.1', 'J'),
  heat('0-n:24.2.1', 'Wh'),
  heat('0-n:24.2.3', 'J'),
  heat('0-n:24.2.3', 'Wh'),
  // The same quantities from meters that speak for themselves (OBIS groups 6, 7 and 8).
  volume('gas', '7-0:3.0.0'),
  volume('gas', '7-0:3.1.0'),
  volume('water', '8-0:1.0.0'),
  heat('6-0:1.0.0', 'J'),
  heat('6-0:1.0.0', 'Wh'),
];
