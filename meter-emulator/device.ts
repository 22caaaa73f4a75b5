import type { MeterSnapshot, Snapshot } from '../gateway/edge/source.ts';
import type { ObisCode, Register, Timestamp } from '../protocol/reading.ts';
import { type DayFrame, dayNumber, quarterStart } from './days.ts';
import { ElectricityCurve, type ElectricityDay, type ElectricityTraits } from './electricity.ts';
import type { DevicePlan, MeterPlan } from './fleet.ts';
import type { Surroundings } from './flow.ts';
import { drawAt, stateOf } from './hash.ts';
import { eanNumber, serialNumber } from './numbers.ts';
import { type MonthPeak, MonthPeaks } from './peaks.ts';
import { regionOf } from './tariffs.ts';
import { VolumeCurve, type VolumeMedium } from './volumes.ts';
import type { World } from './world.ts';

/** A meter as its label and its registers have it. */
export interface EmulatedMeter {
  readonly plan: MeterPlan;
  readonly serial: string;
  readonly ean: string;
  /** Null for electricity, which has rates. */
  readonly curve: VolumeCurve | null;
}

/** Meters were installed between these days. */
const INSTALLED_FROM = dayNumber('2019-02-01');
const INSTALLED_DAYS = dayNumber('2025-07-01') - INSTALLED_FROM;

/**
 * One emulated device: its own meter and what hangs on its M-Bus. Made from its plan alone, so it can be thrown away
 * after each day and made again; only the month peaks are worth keeping.
 */
export class EmulatedDevice {
  readonly plan: DevicePlan;
  readonly meters: readonly EmulatedMeter[];
  readonly #surroundings: Surroundings;
  readonly #state: number;
  readonly #electricity: ElectricityCurve | null;
  readonly #peaks: MonthPeaks | null;

  constructor(world: World, plan: DevicePlan) {
    this.plan = plan;
    this.#surroundings = world.surroundings(regionOf(plan.home));
    this.#state = stateOf(Number.parseInt(plan.id.slice(0, 8), 16), world.seed);
    const since = INSTALLED_FROM + Math.floor(INSTALLED_DAYS * drawAt(this.#state, 0));
    this.meters = plan.meters.map((meter) => ({
      plan: meter,
      serial: serialNumber(meter.medium, meter.ordinal, world.seed),
      ean: eanNumber(meter.owner, meter.ordinal, world.seed),
      curve:
        meter.medium === 'electricity'
          ? null
          : new VolumeCurve(this.#surroundings, meter.medium, stateOf(this.#state, meter.channel), since),
    }));
    const electric = plan.meters.some(({ medium }) => medium === 'electricity');
    this.#electricity = electric ? new ElectricityCurve(this.#surroundings, this.#state, since) : null;
    this.#peaks = this.#electricity === null ? null : new MonthPeaks(this.#electricity, since);
  }

  get traits(): ElectricityTraits | null {
    return this.#electricity?.traits ?? null;
  }

  /** Everything that the device will have counted on a day, counted in days since 1970-01-01. */
  day(number: number): DeviceDay {
    const { frame, dayRate } = this.#surroundings.day(number);
    return {
      frame,
      meters: this.meters,
      electricity: this.#electricity?.day(number) ?? null,
      // The midnight that ends the day already has the rate of the next one.
      dayRate: (quarter) =>
        (quarter < frame.quarterCount ? dayRate[quarter] : this.#surroundings.day(number + 1).dayRate[0]) ===
        1,
      peaksAtStart: this.#peaks?.atStartOf(number) ?? null,
      peaksAtEnd: () => this.#peaks?.atStartOf(number + 1) ?? null,
      volumes: this.meters.map(({ curve }) => curve?.day(number) ?? null),
      noise: stateOf(this.#state, number),
    };
  }
}

export interface PeaksOfMonths {
  readonly current: MonthPeak;
  readonly history: readonly MonthPeak[];
}

/** A day of a device; registers are arrays of `quarterCount + 1` values, one at each quarter-hour boundary. */
export interface DeviceDay {
  readonly frame: DayFrame;
  readonly meters: readonly EmulatedMeter[];
  readonly electricity: ElectricityDay | null;
  readonly volumes: readonly (Float64Array | null)[];
  readonly peaksAtStart: PeaksOfMonths | null;
  readonly peaksAtEnd: () => PeaksOfMonths | null;
  readonly dayRate: (quarter: number) => boolean;
  /** For what is not worth a curve: voltage. */
  readonly noise: number;
}

interface VolumeRow {
  /** The code on an M-Bus channel `n` of a P1 meter (e-MUCS), and of a meter that stands alone (IEC 62056-61). */
  readonly onChannel: string;
  readonly alone: ObisCode;
  readonly unit: 'm3' | 'J';
  readonly scaler: number;
}

/** Registers are kept in dm³, litres and MJ, and printed with three decimals of m³ and GJ. */
export const VOLUME_ROWS: Readonly<Record<VolumeMedium, VolumeRow>> = {
  gas: { onChannel: '24.2.3', alone: '7-0:3.0.0' as ObisCode, unit: 'm3', scaler: -3 },
  water: { onChannel: '24.2.1', alone: '8-0:1.0.0' as ObisCode, unit: 'm3', scaler: -3 },
  heat: { onChannel: '24.2.1', alone: '6-0:1.0.0' as ObisCode, unit: 'J', scaler: 6 },
};

const ELECTRICITY_ROWS = [
  ['1-0:1.8.1', 'importDayWh'],
  ['1-0:1.8.2', 'importNightWh'],
  ['1-0:2.8.1', 'exportDayWh'],
  ['1-0:2.8.2', 'exportNightWh'],
] as const;

/**
 * The registers at a quarter-hour boundary as a source would hand them over, without a telegram in between: what a
 * lone meter's source reads, and what a meter's own load profile says of the quarter-hours before the closing one.
 */
export function snapshotAt(day: DeviceDay, quarter: number): Snapshot {
  const at = quarterStart(day.frame, quarter);
  const meters = day.meters.map((meter, index): MeterSnapshot => {
    const { medium, channel } = meter.plan;
    const registers =
      medium === 'electricity'
        ? ELECTRICITY_ROWS.map(([obis, name]) => energy(obis as ObisCode, day.electricity![name][quarter]!))
        : [volume(medium, channel, day.volumes[index]![quarter]!, at)];
    return {
      medium,
      channel,
      serial: meter.serial,
      ean: meter.ean,
      registers,
      peaks: [],
      instants: [],
      flags: 0,
    };
  });
  return { at, meterTime: at, meters };
}

function energy(obis: ObisCode, value: number): Register {
  return { obis, value, scaler: 0, unit: 'Wh', time: null, flags: 0 };
}

function volume(medium: VolumeMedium, channel: number, value: number, at: Timestamp): Register {
  const { onChannel, alone, unit, scaler } = VOLUME_ROWS[medium];
  const obis = channel === 0 ? alone : (`0-${channel}:${onChannel}` as ObisCode);
  return { obis, value, scaler, unit, time: channel === 0 ? null : at, flags: 0 };
}
