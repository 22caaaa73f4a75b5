import { once } from 'node:events';
import { Household } from '../../../meter-emulator/meter/household.ts';
import { phasesOf, registersOf } from '../../../meter-emulator/meter/modbus.ts';
import { ModbusDevice } from '../../../meter-emulator/modbus/device.ts';
import type { RegisterImage } from '../../../meter-emulator/modbus/registers.ts';
import {
  type ModbusServer,
  serveModbusSerial,
  serveModbusTcp,
} from '../../../meter-emulator/modbus/server.ts';
import { type Endpoint, endpointText } from '../../edge/modbus/endpoint.ts';
import type { ModbusProfile } from '../../edge/modbus/profile.ts';
import { endpointOf, type LineFlags, type ProfileFlags, profileOf } from './flags.ts';

export interface EmulateFlags extends LineFlags, ProfileFlags {
  readonly id?: number;
  readonly seed?: number;
}

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

/** The registers as they are now: the same household as that of `hes emulate meter` of the seed. */
function imageNow(profile: ModbusProfile, seed: number): () => RegisterImage {
  const household = new Household(seed, { phases: phasesOf(profile) });
  return registersOf(profile, () => household.stateAt(Date.now()));
}
