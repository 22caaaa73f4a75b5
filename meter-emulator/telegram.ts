import { dayOfOrdinal, offsetMinutesAt } from '../gateway/edge/days/calendar.ts';
import type { Timestamp } from '../protocol/reading.ts';
import { quarterStart } from './days.ts';
import type { DeviceDay, PeaksOfMonths } from './device.ts';
import { type ElectricityTraits, highestQuarter } from './electricity.ts';
import { drawAt } from './hash.ts';
import { type MeterConditions, withConditions } from './p1/conditions.ts';
import {
  encodeTelegramBytes,
  type P1ClosedPeakState,
  type P1DeviceState,
  type P1Dialect,
  type P1MeterState,
  type P1PeakState,
  type P1PhaseState,
} from './p1/encode.ts';
import type { MonthPeak } from './peaks.ts';

/** Both editions of e-MUCS are in the field; the older one prints no EAN. */
const MODELS: readonly { readonly dialect: P1Dialect; readonly header: string }[] = [
  { dialect: 'emucs-2.1.1', header: 'FLU5\\253769484_A' },
  { dialect: 'emucs-1.7.1', header: 'FLU5\\253770234_A' },
  { dialect: 'emucs-2.1.1', header: 'SAG5\\353770311_B' },
];

const DEVICE_TYPES = { gas: 3, heat: 4, water: 7 } as const;

/** How a load spreads over three phases: houses are never balanced. */
const PHASE_SHARES = [0.5, 0.31, 0.19] as const;

/** What the P1 port prints on one day: the telegram at a quarter-hour boundary, 0 to `quarterCount`. */
export class TelegramDay {
  readonly #day: DeviceDay;
  readonly #traits: ElectricityTraits;
  readonly #model: (typeof MODELS)[number];
  readonly #start: ClosedMonths;
  readonly #conditions: MeterConditions | undefined;
  #end: ClosedMonths | undefined;

  /** @param conditions what commands did to the meter; none prints a meter that was never commanded */
  constructor(day: DeviceDay, traits: ElectricityTraits, conditions?: MeterConditions) {
    this.#day = day;
    this.#traits = traits;
    this.#conditions = conditions;
    this.#model = MODELS[day.meters[0]!.plan.ordinal % MODELS.length]!;
    this.#start = closedMonths(day.peaksAtStart!);
  }

  /** The bytes are shared and valid until the next telegram of any meter (p1/encode.ts). */
  bytesAt(quarter: number): Buffer {
    const state = this.stateAt(quarter);
    const laid = this.#conditions === undefined ? state : withConditions(state, this.#conditions);
    return encodeTelegramBytes(this.#model.dialect, laid);
  }

  stateAt(quarter: number): P1MeterState {
    const day = this.#day;
    const electricity = day.electricity!;
    const own = day.meters[0]!;
    const atEnd = quarter === day.frame.quarterCount;
    if (atEnd) this.#end ??= closedMonths(day.peaksAtEnd()!);
    const months = atEnd ? this.#end! : this.#start;
    return {
      header: this.#model.header,
      serial: own.serial,
      ean: own.ean,
      time: quarterStart(day.frame, quarter),
      importWh: [electricity.importDayWh[quarter]!, electricity.importNightWh[quarter]!],
      exportWh: [electricity.exportDayWh[quarter]!, electricity.exportNightWh[quarter]!],
      rate: day.dayRate(quarter) ? 1 : 2,
      // The running quarter-hour begins at this boundary.
      quarterPowerW: 0,
      monthPeak: atEnd ? peakState(months.current) : this.#peakSoFar(quarter),
      closedPeaks: months.closed,
      phases: this.#phases(quarter),
      breaker: 1,
      relays: [0, 0, 0, 0],
      limiterW: null,
      fuseCentiA: this.#traits.fuseA * 100,
      gridVolts: 400,
      message: '',
      shortFailures: 0,
      longFailures: [],
      devices: this.#devices(quarter),
    };
  }

  #peakSoFar(quarter: number): P1PeakState {
    const { importDayWh, importNightWh } = this.#day.electricity!;
    const today = highestQuarter(importDayWh, importNightWh, this.#day.frame.startSeconds, quarter);
    const before = this.#start.current;
    return peakState(today.watts > before.watts ? { ...before, ...today } : before);
  }

  /** Momentary power is that of the quarter-hour that ends here; the first telegram shows the one that begins. */
  #phases(quarter: number): P1PhaseState[] {
    const { importDayWh, importNightWh, exportDayWh, exportNightWh } = this.#day.electricity!;
    const from = Math.max(0, quarter - 1);
    const watts = (one: Float64Array, other: Float64Array): number =>
      4 * (one[from + 1]! + other[from + 1]! - one[from]! - other[from]!);
    const netW = watts(importDayWh, importNightWh) - watts(exportDayWh, exportNightWh);
    const shares = this.#traits.phases === 3 ? PHASE_SHARES : [1];
    return shares.map((share, phase) => {
      const powerW = Math.round(netW * share);
      const voltageDeciV = this.#voltageDeciV(quarter, phase, powerW);
      return {
        voltageDeciV,
        currentCentiA: Math.round((Math.abs(powerW) * 1_000) / voltageDeciV),
        importW: Math.max(0, powerW),
        exportW: Math.max(0, -powerW),
      };
    });
  }

  /** Around 234 V, lower under load, higher where panels feed in: half a volt for each kilowatt. */
  #voltageDeciV(quarter: number, phase: number, powerW: number): number {
    return Math.round(2_340 - powerW / 200 + 50 * (drawAt(this.#day.noise, quarter * 3 + phase) - 0.5));
  }

  #devices(quarter: number): P1DeviceState[] {
    const devices: P1DeviceState[] = [];
    const time = quarterStart(this.#day.frame, quarter);
    this.#day.meters.forEach(({ plan, serial, ean }, index) => {
      if (plan.channel === 0 || plan.medium === 'electricity') return;
      const deviceType = DEVICE_TYPES[plan.medium];
      const valve = plan.medium === 'gas' ? 1 : null;
      const value = this.#day.volumes[index]![quarter]!;
      devices.push({ channel: plan.channel, deviceType, serial, ean, valve, time, value });
    });
    return devices;
  }
}

interface ClosedMonths {
  readonly current: MonthPeak;
  readonly closed: readonly P1ClosedPeakState[];
}

function closedMonths({ current, history }: PeaksOfMonths): ClosedMonths {
  return {
    current,
    closed: history.map((peak) => ({ ...peakState(peak), monthEnd: monthEnd(peak) })),
  };
}

function peakState({ endSeconds, watts }: MonthPeak): P1PeakState {
  return { time: watts === 0 ? null : at(endSeconds), powerW: watts };
}

/** The midnight that ends a peak's month; the last quarter-hour of a month ends on it. */
function monthEnd({ month }: MonthPeak): Timestamp {
  const year = Number(month.slice(0, 4));
  const next = Date.UTC(year, Number(month.slice(5)), 1) / 86_400_000;
  return at(dayOfOrdinal(next).start);
}

const at = (epochSeconds: number): Timestamp => ({
  epochSeconds,
  offsetMinutes: offsetMinutesAt(epochSeconds),
});
