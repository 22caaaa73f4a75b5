import { dayAt, QUARTER_SECONDS } from '../../gateway/edge/days/calendar.ts';
import { HesError } from '../../protocol/errors.ts';
import { CONSORTIUM } from '../../protocol/tenants.ts';
import { EmulatedDevice } from '../device.ts';
import { type DevicePlan, planFleet } from '../fleet.ts';
import { drawAt, stateOf } from '../hash.ts';
import type { P1DeviceState, P1MeterState, P1PhaseState } from '../p1/encode.ts';
import { TelegramDay } from '../telegram.ts';
import { createWorld } from '../world.ts';

/** What a household must have. */
export interface HouseholdWish {
  readonly phases?: 1 | 3 | undefined;
  /** Behind its electricity meter; gas and water unless told. */
  readonly medium?: 'heat' | null;
}

/** Enough that one of each kind of household is among them, whatever the seed. */
const HOUSEHOLDS = 70;

/** Days kept at once: two boundaries of one quarter-hour lie in the same day, and time goes forward. */
const DAYS_KEPT_MAX = 2;

/** Half the width of what a voltage moves from one second to the next, in tenths of a volt. */
const FLICKER_DECI_V = 4;

/**
 * A household with all its meters, at any second: a pure function of (seed, time), so whoever knows both knows what
 * must arrive. At a quarter-hour boundary the registers are those of the fleet's curve; in between they follow the
 * straight line from one to the next, downwards to whole watt-hours.
 */
export class Household {
  readonly plan: DevicePlan;
  readonly phases: 1 | 3;
  readonly #seed: number;
  readonly #device: EmulatedDevice;
  readonly #days = new Map<number, TelegramDay>();
  #quarter: Quarter | null = null;

  /** @throws ERR_EMULATED_METER_HOUSEHOLD when no household of the seed has what is asked for */
  constructor(seed: number, wish: HouseholdWish = {}) {
    this.#seed = seed;
    this.#device = householdOf(seed, wish);
    this.plan = this.#device.plan;
    this.phases = this.#device.traits!.phases;
  }

  stateAt(atMs: number): P1MeterState {
    const seconds = Math.floor(atMs / 1_000);
    const { startSeconds, begin, end } = this.#quarterAt(seconds);
    const part = (seconds - startSeconds) / QUARTER_SECONDS;
    const between = (from: number, to: number): number => from + Math.floor((to - from) * part);
    const importedWh = end.importWh[0] + end.importWh[1] - begin.importWh[0] - begin.importWh[1];
    return {
      ...begin,
      time: { epochSeconds: seconds, offsetMinutes: begin.time.offsetMinutes },
      importWh: [between(begin.importWh[0], end.importWh[0]), between(begin.importWh[1], end.importWh[1])],
      exportWh: [between(begin.exportWh[0], end.exportWh[0]), between(begin.exportWh[1], end.exportWh[1])],
      // e-MUCS 1-0:1.4.0 begins at nothing and reaches the quarter-hour's average as it ends.
      quarterPowerW: Math.floor(4 * importedWh * part),
      phases: end.phases.map((phase, index) => this.#flicker(phase, seconds, index)),
    };
  }

  /** The power that flows now is that of the running quarter-hour, which `end` closes. */
  #quarterAt(seconds: number): Quarter {
    const startSeconds = seconds - (((seconds % QUARTER_SECONDS) + QUARTER_SECONDS) % QUARTER_SECONDS);
    if (this.#quarter?.startSeconds === startSeconds) return this.#quarter;
    const { ordinal, start } = dayAt(startSeconds);
    const day = this.#dayOf(ordinal);
    const number = (startSeconds - start) / QUARTER_SECONDS;
    this.#quarter = {
      startSeconds,
      begin: relabelled(day.stateAt(number)),
      end: relabelled(day.stateAt(number + 1)),
    };
    return this.#quarter;
  }

  #dayOf(ordinal: number): TelegramDay {
    const kept = this.#days.get(ordinal);
    if (kept !== undefined) return kept;
    const day = new TelegramDay(this.#device.day(ordinal), this.#device.traits!);
    if (this.#days.size >= DAYS_KEPT_MAX) this.#days.delete(this.#days.keys().next().value as number);
    this.#days.set(ordinal, day);
    return day;
  }

  #flicker(phase: P1PhaseState, seconds: number, index: number): P1PhaseState {
    const draw = drawAt(stateOf(this.#seed, seconds), index);
    return {
      ...phase,
      voltageDeciV: phase.voltageDeciV + Math.round(2 * FLICKER_DECI_V * (draw - 0.5)),
    };
  }
}

interface Quarter {
  readonly startSeconds: number;
  readonly begin: P1MeterState;
  readonly end: P1MeterState;
}

/** A household with a gas and a water meter behind its electricity meter, where the seed has one. */
function householdOf(seed: number, { phases, medium = null }: HouseholdWish): EmulatedDevice {
  const world = createWorld(seed);
  const candidates = planFleet({ seed, meters: HOUSEHOLDS, tenants: CONSORTIUM })
    .devices.filter(({ source }) => source === 'p1')
    .map((plan) => new EmulatedDevice(world, plan))
    .filter(({ traits }) => phases === undefined || traits?.phases === phases)
    .filter(({ plan }) => medium === null || plan.meters.some((meter) => meter.medium === medium));
  const wanted = candidates.toSorted((one, other) => mediaOf(other) - mediaOf(one))[0];
  if (wanted === undefined)
    throw new HesError('ERR_EMULATED_METER_HOUSEHOLD', 'no household of this seed has what is asked for', {
      context: { seed, phases: phases ?? null, medium },
    });
  return wanted;
}

function mediaOf({ plan }: EmulatedDevice): number {
  return new Set(plan.meters.map(({ medium }) => medium)).size;
}

/** The three letters of a maker in the serial numbers: no real meter is mistaken for one of these. */
const SIMULATED_MAKER = 'EMU';

function relabelled(state: P1MeterState): P1MeterState {
  const devices = state.devices.map(
    (device): P1DeviceState => ({ ...device, serial: simulatedSerial(device.serial) }),
  );
  return { ...state, serial: simulatedSerial(state.serial), devices };
}

function simulatedSerial(serial: string): string {
  return serial.slice(0, 1) + SIMULATED_MAKER + serial.slice(1 + SIMULATED_MAKER.length);
}
