import { ModbusBus } from '../../../gateway/edge/modbus/bus.ts';
import { ModbusMeter } from '../../../gateway/edge/modbus/meter.ts';
import type { ModbusProfile } from '../../../gateway/edge/modbus/profile.ts';
import { CONSORTIUM } from '../../../protocol/tenants.ts';
import { dayNumber } from '../../days.ts';
import { EmulatedDevice } from '../../device.ts';
import { planFleet } from '../../fleet.ts';
import type { P1MeterState } from '../../p1/encode.ts';
import { TelegramDay } from '../../telegram.ts';
import { createWorld } from '../../world.ts';
import { ModbusDevice } from '../device.ts';
import { modbusMeterOf } from '../meter.ts';
import { registerImage, type Shown } from '../registers.ts';
import { serveModbusTcp } from '../server.ts';

/** An answer on this machine takes a millisecond; tests of silence wait for so long. */
export const TEST_ANSWER_MS = 300;

const world = createWorld(7);
const { devices: plans } = planFleet({ seed: 7, meters: 70, tenants: CONSORTIUM });
const household = new EmulatedDevice(world, plans.find(({ source }) => source === 'p1')!);
const threePhased = plans
  .filter(({ source }) => source === 'p1')
  .map((plan) => new EmulatedDevice(world, plan))
  .find(({ traits }) => traits?.phases === 3)!;

/** A household's year is worth keeping: its month peaks take longest. */
const states = new Map<string, P1MeterState>();

/** What an emulated household's meter shows on a day, by the profile. */
export function householdShown(profile: ModbusProfile, quarter = 40, day = '2026-06-15'): Shown {
  const device = profile.instants.some(({ obis }) => obis === '1-0:72.7.0') ? threePhased : household;
  const key = `${device.plan.id} ${day} ${quarter}`;
  const state =
    states.get(key) ?? new TelegramDay(device.day(dayNumber(day)), device.traits!).stateAt(quarter);
  states.set(key, state);
  return modbusMeterOf(profile, state);
}

export interface Bench {
  readonly device: ModbusDevice;
  readonly bus: ModbusBus;
  readonly meter: ModbusMeter;
  readonly port: number;
  shown: Shown;
  stop(): Promise<void>;
}

/** An emulated meter on a socket of this machine, and an edge's bus to it. */
export async function openBench(
  profile: ModbusProfile,
  { rtu = false, unit = 1, attempts = 1, answerWithinMs = TEST_ANSWER_MS, read = profile } = {},
): Promise<Bench> {
  const bench = { shown: householdShown(profile) } as { -readonly [K in keyof Bench]: Bench[K] };
  bench.device = new ModbusDevice({ profile, unit, image: () => registerImage(profile, bench.shown) });
  const server = await serveModbusTcp([bench.device], { rtu });
  const where = { host: '127.0.0.1', port: server.port };
  bench.port = server.port;
  bench.bus = new ModbusBus(rtu ? { rtuTcp: where } : { tcp: where }, { answerWithinMs, attempts });
  bench.meter = new ModbusMeter(bench.bus, read, unit);
  bench.stop = async () => {
    await bench.bus.close();
    await server.stop();
  };
  return bench;
}

/** Registers and instants as text: what both sides must agree on, digit for digit. */
export function written(quantities: readonly { obis: string; value: number; scaler: number }[]): string[] {
  return quantities.map(({ obis, value, scaler }) => `${obis} ${value}e${scaler}`).toSorted();
}
