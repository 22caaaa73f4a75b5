import { HesError } from '../../../protocol/errors.ts';
import type { ModbusErrorCode } from './errors.ts';
import { type ModbusProfile, type ModbusProfileInput, parseProfile } from './profile.ts';
import { abbB23, abbB24 } from './profiles/abb.ts';
import { em24, em24Ethernet, em340 } from './profiles/carlo-gavazzi.ts';
import { iem3155 } from './profiles/iem3155.ts';
import { pac2200 } from './profiles/pac2200.ts';
import { sdm120, sdm230, sdm630 } from './profiles/sdm.ts';

/** The meters that are known without a file. They go through the schema of a user's file, at first use. */
const BUILT_IN: readonly ModbusProfileInput[] = [
  sdm630,
  sdm120,
  sdm230,
  abbB23,
  abbB24,
  em340,
  em24,
  em24Ethernet,
  iem3155,
  pac2200,
];

const parsed = new Map<string, ModbusProfile>();

export const PROFILE_NAMES: readonly string[] = BUILT_IN.map(({ name }) => name);

/** @throws ERR_MODBUS_PROFILE */
export function profileNamed(name: string): ModbusProfile {
  const known = parsed.get(name);
  if (known !== undefined) return known;
  const input = BUILT_IN.find((profile) => profile.name === name);
  if (input === undefined)
    throw new HesError(
      'ERR_MODBUS_PROFILE' satisfies ModbusErrorCode,
      `no Modbus profile has that name; there are ${PROFILE_NAMES.join(', ')}, or give a file`,
    );
  const profile = parseProfile(input, name);
  parsed.set(name, profile);
  return profile;
}

export function builtInProfiles(): readonly ModbusProfile[] {
  return PROFILE_NAMES.map(profileNamed);
}

/** The profile as its author wrote it: what `hes modbus profiles NAME` prints as a start for one's own. */
export function profileSource(name: string): ModbusProfileInput {
  return BUILT_IN.find((profile) => profile.name === profileNamed(name).name)!;
}
