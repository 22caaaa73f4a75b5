import type { ObisCode } from '../../../protocol/reading.ts';
import type { Handler, ReadState } from './draft.ts';
import { GROUPS_MAX, type LineView } from './line.ts';
import {
  channelOf,
  takeDeviceType,
  takeLegacyReading,
  takeMediumReading,
  takeMediumValve,
  takeReading,
  takeValve,
  timeOf,
} from './mbus.ts';
import type { RowKind } from './obis.ts';
import type { P1Failure, P1Peak, P1Quantity } from './telegram.ts';
import { isEan, readIdentifier, readMessage, readPlain, readVersion } from './text.ts';
import { monthEndingAt, monthOf, readDateTime, readTime } from './time.ts';
import { NO_UNIT, type P1Unit } from './units.ts';

function quantity(line: LineView): P1Quantity {
  const { unit } = line;
  return {
    obis: line.name(),
    value: line.digits,
    scaler: unit.exponent - line.decimals,
    unit: unit.unit,
    printedUnit: unit.printed,
  };
}

/** The identity that says most wins, whatever the order of the lines: 96.1.1, 96.1.0, 42.0.0, 96.1.255, 0.0.0. */
const SERIAL_RANKS: Readonly<Record<string, number>> = {
  '96.1.1': 5,
  '96.1.0': 4,
  '42.0.0': 3,
  '96.1.255': 2,
  '0.0.0': 1,
};

function takeSerial(line: LineView, state: ReadState, serial: string | null): boolean {
  if (line.b > 0 && line.a === 0) {
    const channel = channelOf(line, state.draft);
    if (channel === undefined) return false;
    channel.serial ??= serial;
    return true;
  }
  const rank = SERIAL_RANKS[line.row!.code]!;
  if (serial !== null && rank > state.serialRank) {
    state.draft.serial = serial;
    state.serialRank = rank;
  }
  return true;
}

function takePeak(line: LineView, timeGroup: number, obis: ObisCode, month: string | null): P1Peak | null {
  return peakOf(line, timeGroup, timeGroup + 1, obis, month);
}

function peakOf(
  line: LineView,
  timeGroup: number,
  valueGroup: number,
  obis: ObisCode,
  month: string | null,
): P1Peak | null {
  if (!line.number(valueGroup) || line.unit.unit !== 'W') return null;
  const time = timeOf(line, timeGroup);
  const { unit } = line;
  return {
    obis,
    value: line.digits,
    scaler: unit.exponent - line.decimals,
    unit: unit.unit,
    printedUnit: unit.printed,
    month: month ?? (time === null ? null : monthOf(time)),
    time,
  };
}

/** Groups of a peak's month, its time and its value; before them a count and two codes. */
const PEAK_GROUPS = 3;
const PEAK_HEAD_GROUPS = 3;
const MONTH_PEAK_CODE = '1-0:1.6.0' as ObisCode;

function takePeakHistory(line: LineView, state: ReadState): boolean {
  if (!line.integerGroup(0)) return false;
  const entries = line.groups - PEAK_HEAD_GROUPS;
  if (line.groups > 1 && (entries < 0 || entries % PEAK_GROUPS !== 0)) return false;
  const peaks: P1Peak[] = [];
  for (let group = PEAK_HEAD_GROUPS; group < line.groups; group += PEAK_GROUPS) {
    const monthEnd = timeOf(line, group);
    const month = monthEnd === null ? null : monthEndingAt(monthEnd);
    const peak = takePeak(line, group + 1, MONTH_PEAK_CODE, month);
    if (peak === null) return false;
    peaks.push(peak);
  }
  state.draft.peaks = peaks;
  return true;
}

const FAILURE_HEAD_GROUPS = 2;

function takeFailures(line: LineView, state: ReadState): boolean {
  if (line.groups === 1) return line.to[0] === line.from[0] || line.integerGroup(0);
  if (!line.integerGroup(0) || line.groups % 2 !== 0) return false;
  const failures: P1Failure[] = [];
  for (let group = FAILURE_HEAD_GROUPS; group < line.groups; group += 2) {
    // A Slovenian Iskra prints no unit: what else a duration could be in, no meter has shown.
    if (!line.number(group + 1) || (line.unit !== NO_UNIT && line.unit.unit !== 's')) return false;
    // A log of the year 2000 is a meter's first day in a test bench: kept as it is, it is no reading.
    failures.push({
      time: readTime(line.bytes, line.from[group]!, line.to[group]!),
      durationSeconds: line.digits,
    });
  }
  state.draft.failures = failures;
  return true;
}

function takeMessage(line: LineView, state: ReadState): boolean {
  const text = readMessage(line.bytes, line.from[0]!, line.to[0]!);
  if (text === null) return true;
  if (line.row!.code === '96.13.0') state.draft.text = text;
  else state.draft.messages.push({ obis: line.name(), text });
  return true;
}

const has = (unit: P1Unit | null, line: LineView): boolean => line.number(0) && line.unit.unit === unit;

/**
 * A number without the unit that it should have (an old Luxembourg meter: `0-0:17.0.0(77.376)`) is shown, not
 * kept: whether it is W or kW would be a guess. One with another unit contradicts its code and stays unknown.
 */
function takeUnitless(line: LineView, { draft }: ReadState): boolean {
  if (line.groups !== 1 || !line.number(0) || line.unit !== NO_UNIT) return false;
  draft.others.push(quantity(line));
  return true;
}

function takeRegister(line: LineView, state: ReadState): boolean {
  if (!has(line.row!.unit, line)) return takeUnitless(line, state);
  const { registers } = state.draft;
  const taken = quantity(line);
  for (const known of registers) {
    if (known.obis !== taken.obis) continue;
    state.repeated = true;
    return false;
  }
  registers.push(taken);
  return true;
}

/** General objects of electricity (C = 0) are names and versions where no unit says that they are numbers. */
function takeOther(line: LineView, { draft }: ReadState): boolean {
  if (line.groups !== 1 || !line.number(0)) return false;
  if (line.unit === NO_UNIT && line.row!.code.startsWith('0.')) return false;
  draft.others.push(quantity(line));
  return true;
}

const COMMA = 0x2c;

/** `(100.0*A,-100.0*A)`: both directions in one group, as some Fluvius meters print them. */
function splitAtCommas(line: LineView): void {
  for (let group = 0; group < line.groups && line.groups < GROUPS_MAX; group += 1) {
    const comma = line.bytes.indexOf(COMMA, line.from[group]!);
    if (comma < 0 || comma >= line.to[group]!) continue;
    line.from.copyWithin(group + 1, group, line.groups);
    line.to.copyWithin(group + 1, group, line.groups);
    line.to[group] = comma;
    line.from[group + 1] = comma + 1;
    line.groups += 1;
  }
}

/** DSMR P1 5.0.2 §6.12: the version of the document is on channel 3. */
const VERSION_B = 3;

export const HANDLERS: Readonly<Record<RowKind, Handler>> = {
  version: (line, { draft }) => {
    // On 1-0 and 1-1 it is a signature of the firmware (Lithuania: 1-0:0.2.8(1EA43311)).
    if (line.a === 1 && line.b !== VERSION_B) return false;
    draft.version ??= readVersion(line.bytes, line.from[0]!, line.to[0]!);
    return true;
  },
  clock: (line, { draft }) => {
    // A Holley prints the end of the last month under the same code, further down.
    if (draft.meterTime !== null) return false;
    draft.meterTime = timeOf(line, 0) ?? readDateTime(line.bytes, line.from[0]!, line.to[0]!);
    draft.clockInvalid = draft.meterTime === null;
    return true;
  },
  serial: (line, state) => takeSerial(line, state, readIdentifier(line.bytes, line.from[0]!, line.to[0]!)),
  plainSerial: (line, state) => takeSerial(line, state, readPlain(line.bytes, line.from[0]!, line.to[0]!)),
  ean: (line, { draft }) => {
    const text = readIdentifier(line.bytes, line.from[0]!, line.to[0]!);
    const ean = isEan(text) ? text : null;
    if (line.b === 0) {
      draft.ean = ean;
      return text === null || ean !== null;
    }
    const channel = channelOf(line, draft);
    if (channel === undefined) return false;
    channel.ean = ean;
    return text === null || ean !== null;
  },
  register: takeRegister,
  instant: (line, state) => {
    if (!has(line.row!.unit, line)) return takeUnitless(line, state);
    state.draft.instants.push(quantity(line));
    return true;
  },
  monthPeak: (line, state) => {
    const { draft } = state;
    if (line.groups < 2) return takeOther(line, state);
    // Wallonia's Iskra prints the value first, and a time without its letter.
    const isValueFirst = line.number(0) && line.unit !== NO_UNIT;
    const peak = isValueFirst ? peakOf(line, 1, 0, line.name(), null) : takePeak(line, 0, line.name(), null);
    if (peak !== null) draft.monthPeak = peak;
    return peak !== null;
  },
  peakHistory: takePeakHistory,
  tariff: (line, { draft }) => {
    if (!line.integerGroup(0)) return false;
    draft.tariff = line.digits;
    return true;
  },
  switch: (line, { draft }) => {
    if (!line.integerGroup(0)) return false;
    if (line.b === 0) draft.breaker = line.digits;
    else draft.relays.push({ relay: line.b, state: line.digits });
    return true;
  },
  limiter: (line, state) => {
    if (!line.number(0) || line.unit === NO_UNIT) return takeUnitless(line, state);
    state.draft.limiter = quantity(line);
    return true;
  },
  fuse: (line, state) => {
    // Luxembourg prints a second one, for the other direction: (100*A)(-063*A).
    splitAtCommas(line);
    const fuses: P1Quantity[] = [];
    for (let group = 0; group < line.groups; group += 1) {
      if (!line.number(group) || line.unit.unit !== 'A') return takeUnitless(line, state);
      fuses.push(quantity(line));
    }
    state.draft.fuses.push(...fuses);
    return true;
  },
  grid: (line, { draft }) => {
    if (!line.number(0)) return false;
    draft.gridVolts = line.digits;
    return true;
  },
  message: takeMessage,
  messageCode: takeMessage,
  counter: (line, { draft }) => {
    if (!has('1', line)) return false;
    draft.counters.push(quantity(line));
    return true;
  },
  failures: takeFailures,
  deviceType: takeDeviceType,
  reading: takeReading,
  legacyReading: takeLegacyReading,
  valve: takeValve,
  other: takeOther,
  mediumReading: takeMediumReading,
  mediumValve: takeMediumValve,
};
