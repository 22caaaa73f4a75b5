import { once } from 'node:events';
import { EmulatedDevice } from '../../../meter-emulator/device.ts';
import { planFleet } from '../../../meter-emulator/fleet.ts';
import { ModbusDevice } from '../../../meter-emulator/modbus/device.ts';
import { modbusMeterOf } from '../../../meter-emulator/modbus/meter.ts';
import { type RegisterImage, registerImage } from '../../../meter-emulator/modbus/registers.ts';
import {
  type ModbusServer,
  serveModbusSerial,
  serveModbusTcp,
} from '../../../meter-emulator/modbus/server.ts';
import { TelegramDay } from '../../../meter-emulator/telegram.ts';
import { createWorld } from '../../../meter-emulator/world.ts';
import { CONSORTIUM } from '../../../protocol/tenants.ts';
import { dayAt, QUARTER_SECONDS } from '../../edge/calendar.ts';
import { type Endpoint, endpointText } from '../../edge/modbus/endpoint.ts';
import type { ModbusProfile } from '../../edge/modbus/profile.ts';
import { endpointOf, type LineFlags, type ProfileFlags, profileOf } from './flags.ts';

export interface EmulateFlags extends LineFlags, ProfileFlags {
  readonly id?: number;
  readonly seed?: number;
}

/** Enough that one of each kind of household is among them. */
const HOUSEHOLDS = 70;

/** `hes modbus emulate`: serves until it is interrupted. @throws ERR_USAGE, ERR_MODBUS_EMULATOR_LISTEN */
export async function emulate(flags: EmulateFlags): Promise<void> {
  const named = flags.profile === undefined && flags.profileFile === undefined ? { profile: 'sdm630' } : {};
  const profile = await profileOf({ ...named, ...flags });
  const endpoint = endpointOf(flags, profile.line);
  const unit = flags.id ?? profile.line.unit;
  const device = new ModbusDevice({ profile, unit, image: imageNow(profile, flags.seed ?? 1) });
  const server = await serve(device, endpoint);
  process.stdout.write(`${profile.name}, unit ${unit}, at ${endpointText(endpoint)}; Ctrl-C ends it\n`);
  await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  await server.stop();
}

function serve(device: ModbusDevice, endpoint: Endpoint): Promise<ModbusServer> {
  if ('serial' in endpoint) return serveModbusSerial([device], endpoint.serial);
  const rtu = 'rtuTcp' in endpoint;
  return serveModbusTcp([device], { ...(rtu ? endpoint.rtuTcp : endpoint.tcp), rtu });
}

/** The registers of the quarter-hour that it is now; a household counts by quarter-hours. */
function imageNow(profile: ModbusProfile, seed: number): () => RegisterImage {
  const plans = planFleet({ seed, meters: HOUSEHOLDS, tenants: CONSORTIUM }).devices;
  const world = createWorld(seed);
  const phases = profile.instants.some(({ obis }) => obis === '1-0:72.7.0') ? 3 : 1;
  const household = plans
    .filter(({ source }) => source === 'p1')
    .map((plan) => new EmulatedDevice(world, plan))
    .find(({ traits }) => traits?.phases === phases)!;
  let made: { readonly quarter: number; readonly image: RegisterImage } | null = null;
  return () => {
    const seconds = Date.now() / 1_000;
    const quarter = Math.floor(seconds / QUARTER_SECONDS);
    if (made?.quarter !== quarter) {
      const day = dayAt(seconds);
      const telegrams = new TelegramDay(household.day(day.ordinal), household.traits!);
      const state = telegrams.stateAt(Math.floor((seconds - day.start) / QUARTER_SECONDS));
      made = { quarter, image: registerImage(profile, modbusMeterOf(profile, state)) };
    }
    return made.image;
  };
}
