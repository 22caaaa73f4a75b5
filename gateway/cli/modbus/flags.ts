import type { z } from 'zod';
import { HesError } from '../../../protocol/errors.ts';
import { type Endpoint, endpointSchema } from '../../edge/modbus/endpoint.ts';
import { loadProfile, type ModbusProfile } from '../../edge/modbus/profile.ts';
import { profileNamed } from '../../edge/modbus/profiles.ts';

export interface LineFlags {
  readonly tcp?: string;
  readonly rtuTcp?: string;
  readonly serial?: string;
  readonly baud?: number;
  readonly parity?: 'none' | 'even' | 'odd';
  readonly stopBits?: number;
  readonly timeout?: number;
}

export interface ProfileFlags {
  readonly profile?: string;
  readonly profileFile?: string;
}

export function usageError(message: string): HesError {
  return new HesError('ERR_USAGE', message);
}

/** The one profile that was named. @throws ERR_USAGE, ERR_MODBUS_PROFILE, ERR_CONFIG and its kin */
export async function profileOf({ profile, profileFile }: ProfileFlags): Promise<ModbusProfile> {
  if (profileFile !== undefined && profile === undefined) return loadProfile(profileFile);
  if (profile === undefined || profileFile !== undefined)
    throw usageError('give --profile NAME (hes modbus profiles lists them) or --profile-file FILE');
  return profileNamed(profile);
}

/** Where the meters are; what was not told of a line is as the meter leaves the factory. @throws ERR_USAGE */
export function endpointOf(flags: LineFlags, line?: ModbusProfile['line']): Endpoint {
  const { tcp, rtuTcp, serial } = flags;
  if ([tcp, rtuTcp, serial].filter((one) => one !== undefined).length !== 1)
    throw usageError('give one of --tcp HOST:PORT, --rtu-tcp HOST:PORT and --serial DEVICE');
  if (tcp !== undefined) return checked({ tcp: address(tcp) });
  if (rtuTcp !== undefined) return checked({ rtuTcp: address(rtuTcp) });
  return checked({
    serial: {
      path: serial!,
      baud: flags.baud ?? line?.baud,
      parity: flags.parity ?? line?.parity,
      stopBits: (flags.stopBits ?? line?.stopBits) as 1 | 2 | undefined,
    },
  });
}

function checked(input: z.input<typeof endpointSchema>): Endpoint {
  const result = endpointSchema.safeParse(input);
  if (result.success) return result.data;
  throw usageError('a place is HOST or HOST:PORT with a port from 1 to 65535, or the path of a serial port');
}

/** `host`, `host:port` or `[v6]:port`. */
function address(text: string): { host: string; port?: number } {
  const found = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const host = found?.[1] ?? found?.[2] ?? '';
  return found?.[3] === undefined ? { host } : { host, port: Number(found[3]) };
}

/** More than a line or a scan has. */
const LIST_MAX = 256;

/** Numbers and ranges: `1-10,126`. @throws ERR_USAGE naming the flag */
export function numberList(flag: string, text: string, min: number, max: number): number[] {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const found = /^\s*(\d{1,7})(?:-(\d{1,7}))?\s*$/.exec(part);
    const from = Number(found?.[1]);
    const to = Number(found?.[2] ?? found?.[1]);
    if (found === null || from < min || to > max || to < from || to - from > LIST_MAX)
      throw usageError(`${flag} is a list of whole numbers from ${min} to ${max}, such as 1-10,126`);
    for (let number = from; number <= to; number++) numbers.add(number);
  }
  return [...numbers];
}
