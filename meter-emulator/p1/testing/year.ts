import type { Timestamp } from '../../../protocol/reading.ts';
import { drawAt, stateOf } from '../../hash.ts';
import type { P1ClosedPeakState, P1DeviceState, P1MeterState, P1PhaseState, P1SlaveState } from '../state.ts';

/**
 * A meter through 2026, made for its corners: registers that roll over at the places of the dialect, devices that
 * were never read and that are replaced, every state of breaker and valve, limits, messages and failures. What it
 * shows at a moment depends on that moment alone.
 */

const QUARTER_SECONDS = 900;
const DAY_SECONDS = 86_400;

const utc = (iso: string): number => Date.parse(iso) / 1000;

/** 2026-01-01T00:00:00+01:00, and the same a year later. */
export const YEAR_START = utc('2025-12-31T23:00:00Z');
export const YEAR_END = utc('2026-12-31T23:00:00Z');
/** Directive 2000/84/EC: the last Sundays of March and October, at 01:00 UTC. */
export const SPRING = utc('2026-03-29T01:00:00Z');
export const AUTUMN = utc('2026-10-25T01:00:00Z');

/** Written down, not asked of the runtime's zones nor of the parser: a test holds it against the former. */
export function brussels(epochSeconds: number): Timestamp {
  const summer =
    (epochSeconds >= SPRING && epochSeconds < AUTUMN) ||
    (epochSeconds >= utc('2025-03-30T01:00:00Z') && epochSeconds < utc('2025-10-26T01:00:00Z'));
  return { epochSeconds, offsetMinutes: summer ? 120 : 60 };
}

/** The local midnights that begin the months from December 2024 to December 2026. */
export const MONTH_STARTS: readonly number[] = Array.from({ length: 25 }, (_, index) => {
  const midnight = Date.UTC(2024, 11 + index, 1) / 1000;
  return midnight - brussels(midnight - 3600).offsetMinutes * 60;
});

const MESSAGES = [
  '',
  'Bonjour',
  'Te betalen: 12,50 EUR',
  'a/b!(c)',
  '/FLU5\\253769484_A',
  'Gr\u00f6\u00dfe 7 m\u00b3',
  '3132',
  `${'lorem ipsum/'.repeat(85)}1024`,
] as const;

const CODES = ['', '1', '12345678'] as const;

export interface YearShape {
  readonly header: string;
  /** Where the energy registers of the dialect roll over, in Wh: they do so within the year. */
  readonly energyModulusWh: number;
  /** What hangs on its M-Bus is of these types. */
  readonly deviceTypes: readonly P1DeviceState['deviceType'][];
  readonly seed: number;
}

export function yearState(shape: YearShape, epochSeconds: number): P1MeterState {
  const { seed, energyModulusWh } = shape;
  const time = brussels(epochSeconds);
  const elapsed = epochSeconds - YEAR_START;
  const day = Math.floor((elapsed + (time.offsetMinutes - 60) * 60) / DAY_SECONDS);
  const hour = Math.floor(((epochSeconds + time.offsetMinutes * 60) % DAY_SECONDS) / 3600);
  const state = stateOf(seed, epochSeconds);
  const grown = (perYear: number): number => Math.floor((elapsed * perYear) / (365 * DAY_SECONDS));
  return {
    header: shape.header,
    serial: '1EMU4400000001',
    ean: day % 5 === 0 ? null : '541448820000000016',
    time,
    // The first rolls over in April, the second in November, the sums in between.
    importWh: [
      energyModulusWh - 1_000_000 + grown(3_800_000),
      energyModulusWh - 2_000_000 + grown(2_300_000),
    ],
    exportWh: [grown(2_600_000), energyModulusWh - 1 + grown(700_000)],
    laterImportWh: [grown(10_000), energyModulusWh - 5_000 + grown(11_000)],
    laterExportWh: [0, grown(3)],
    reactiveVarh: [
      energyModulusWh - 300_000 + grown(400_000),
      grown(41_000),
      energyModulusWh - 7 + grown(900_000),
      grown(77_000),
    ],
    frequencyCentiHz: 4_990 + Math.floor(20 * drawAt(state, 1)),
    rate: hour >= 7 && hour < 22 ? 1 : 2,
    quarterPowerW: Math.floor(9_999 * drawAt(state, 2)) + (day % 40 === 0 ? 90_000 : 0),
    ...peaksAt(epochSeconds, seed),
    phases: phasesAt(state, day),
    breaker: ([0, 1, 2, null] as const)[day % 4]!,
    relays: Array.from({ length: day % 5 }, (_, index) => ((day >> index) & 1) as 0 | 1),
    limiterW: day % 3 === 0 ? null : 1 + Math.floor(40_000 * drawAt(stateOf(seed, day), 3)),
    fuseCentiA: day % 4 === 0 ? null : 100 * (day % 100),
    gridVolts: day % 2 === 0 ? 400 : 230,
    message: MESSAGES[day % MESSAGES.length]!,
    messageCode: CODES[day % CODES.length]!,
    moreMessages: Array.from({ length: day % 5 }, (_, index) => MESSAGES[(day + index) % 5]!),
    shortFailures: Math.min(99_999, day * 281),
    longFailures: failuresAt(epochSeconds),
    devices: devicesAt(shape, epochSeconds, day),
    slaves: slavesAt(shape, epochSeconds, day),
  };
}

/** One phase on every seventh day; on every fifth a delta grid, of which one voltage is not measured. */
function phasesAt(state: number, day: number): P1PhaseState[] {
  return Array.from({ length: day % 7 === 0 ? 1 : 3 }, (_, index) => {
    const draw = (value: number): number => drawAt(state, 10 * (index + 1) + value);
    const powerW = Math.floor(24_000 * (draw(1) - 0.5));
    return {
      voltageDeciV: day % 5 === 0 && index === 1 ? 0 : 2_070 + Math.floor(460 * draw(2)),
      currentCentiA: Math.floor(99_999 * draw(3) ** 4),
      importW: Math.max(0, powerW),
      exportW: Math.max(0, -powerW),
      reactiveVar: Math.floor(6_000 * (draw(4) - 0.5)),
      powerFactorMilli: Math.floor(1_000 * draw(5)),
    };
  });
}

/** The running month's peak is that of the last full quarter-hour of a row that rises until mid-month. */
function peaksAt(epochSeconds: number, seed: number): Pick<P1MeterState, 'monthPeak' | 'closedPeaks'> {
  const month = MONTH_STARTS.findLastIndex((start) => start <= epochSeconds);
  const start = MONTH_STARTS[month]!;
  const quarters = Math.min(Math.floor((epochSeconds - start) / QUARTER_SECONDS), 1_440);
  const closedPeaks: P1ClosedPeakState[] = [];
  for (let closed = Math.max(1, month - 12); closed <= month; closed += 1) {
    const end = MONTH_STARTS[closed]!;
    const draw = drawAt(stateOf(seed, closed), 4);
    closedPeaks.push({
      monthEnd: brussels(end),
      // The last quarter-hour of a month ends on the midnight that begins the next one; January had no power.
      time: closed % 12 === 1 ? null : brussels(end - QUARTER_SECONDS * Math.floor(8 * draw)),
      powerW: closed % 12 === 1 ? 0 : Math.floor(99_999 * draw),
    });
  }
  return {
    monthPeak:
      quarters === 0
        ? { time: null, powerW: 0 }
        : { time: brussels(start + quarters * QUARTER_SECONDS), powerW: 1_000 + quarters },
    closedPeaks,
  };
}

/** One more on each of the first days of a month, ten at most; two of them end as the clocks change. */
function failuresAt(epochSeconds: number): P1MeterState['longFailures'] {
  const ends = [...MONTH_STARTS.map((start) => start + 12_345), SPRING, AUTUMN - 1, AUTUMN];
  return ends
    .filter((end) => end >= YEAR_START && end <= epochSeconds)
    .sort((one, other) => one - other)
    .slice(-10)
    .map((end, index) => ({ end: brussels(end), durationSeconds: 181 + index * 429_496_729 }));
}

/** The gas meter is replaced on the second of July and comes back on channel 4; the old one repeats itself. */
const REPLACED = utc('2026-07-02T08:00:00Z');
/** Water and heat answer for the first time on the third of January. */
const FIRST_ANSWER = YEAR_START + 2 * DAY_SECONDS;
const CAPTURE_SECONDS = 300;
const VOLUME_MODULUS = 100_000_000;

function devicesAt({ deviceTypes }: YearShape, epochSeconds: number, day: number): P1DeviceState[] {
  const captured = epochSeconds - (((epochSeconds % CAPTURE_SECONDS) + CAPTURE_SECONDS) % CAPTURE_SECONDS);
  const counted = (from: number, since: number, seconds: number): number =>
    (from + Math.floor((captured - since) / seconds)) % VOLUME_MODULUS;
  const devices: P1DeviceState[] = [];
  const add = (
    channel: number,
    deviceType: P1DeviceState['deviceType'],
    serial: string,
    rest: Rest,
  ): void => {
    if (!deviceTypes.includes(deviceType)) return;
    const ean = channel === 1 ? '541448820000000023' : channel === 2 ? '541448820000000030' : null;
    devices.push({ channel, deviceType, serial, ean, ...rest });
  };
  const isReplaced = epochSeconds >= REPLACED;
  const oldCaptured = Math.min(captured, REPLACED);
  const answered = captured >= FIRST_ANSWER;
  add(1, 3, '7EMU3300000001', {
    valve: ([0, 1, 2] as const)[day % 3]!,
    time: brussels(oldCaptured),
    // Rolls over in February.
    value: (99_500_000 + Math.floor((oldCaptured - YEAR_START) / 7)) % VOLUME_MODULUS,
  });
  add(2, 7, '8EMU2200000002', {
    valve: day % 9 === 0 ? 0 : null,
    time: answered ? brussels(captured) : null,
    value: answered ? counted(412_907, FIRST_ANSWER, 300) : 0,
  });
  if (day % 2 === 0 || deviceTypes.length === 1)
    add(3, 4, '6EMU1100000003', {
      valve: null,
      time: answered ? brussels(captured) : null,
      value: answered ? counted(240_860, FIRST_ANSWER, 3_600) : 0,
    });
  if (isReplaced)
    add(4, 3, '7EMU3300000004', {
      valve: 1,
      time: brussels(captured),
      value: counted(0, REPLACED, 7),
    });
  return devices;
}

type Rest = Pick<P1DeviceState, 'valve' | 'time' | 'value'>;

/** An electricity meter behind the meter, on the days on which no heat meter has its channel. */
function slavesAt({ deviceTypes }: YearShape, epochSeconds: number, day: number): P1SlaveState[] {
  if (day % 2 === 0 || deviceTypes.length === 1) return [];
  return [
    {
      channel: 3,
      serial: '5EMU6600000003',
      time: brussels(epochSeconds - 60),
      energyWh: (999_000_000 + Math.floor((epochSeconds - YEAR_START) / 20)) % 1_000_000_000,
    },
  ];
}
