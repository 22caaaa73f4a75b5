import { profileNamed } from '../../gateway/edge/modbus/profiles.ts';
import { Household } from '../../meter-emulator/meter/household.ts';
import { modbusMeterOf } from '../../meter-emulator/modbus/meter.ts';
import type { P1MeterState } from '../../meter-emulator/p1/state.ts';
import type { TenantId } from '../../protocol/identity.ts';

/**
 * What the meters of a chaos run show at a moment, from the emulator's own integers and by none of the code that
 * carries them (no telegram, no parser, no accumulator).
 */

export interface ShownRegister {
  readonly owner: TenantId;
  readonly serial: string;
  readonly obis: string;
  /** Wh, litres. */
  readonly value: number;
  /** For an M-Bus meter the moment of its own capture; null for what is read as it stands. */
  readonly captured: number | null;
}

/** What was worked out once is kept: the oracle asks for each boundary several times, and a day is dear to make. */
function kept<T>(make: (seconds: number) => T): (seconds: number) => T {
  const known = new Map<number, T>();
  return (seconds) => {
    const before = known.get(seconds);
    if (before !== undefined) return before;
    const made = make(seconds);
    known.set(seconds, made);
    return made;
  };
}

/** One device's meters, as a pure function of the time. */
export interface Subject {
  readonly name: string;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
  shownAt(seconds: number): readonly ShownRegister[];
  /** The household behind it. */
  stateAt(seconds: number): P1MeterState;
}

export interface P1SubjectOptions {
  readonly name: string;
  readonly seed: number;
  readonly home: TenantId;
  /** Whose meter hangs on an M-Bus channel; the home tenant's where it is not told. */
  readonly channelOwners?: ReadonlyMap<number, TenantId>;
}

const HEADER = 'EMU5\\SIMULATED';

/** e-MUCS: gas is not corrected for temperature, water has its own code. */
const CHANNEL_CODES = { 3: '24.2.3', 4: '24.2.1', 7: '24.2.1' } as const;

export function p1Subject({ name, seed, home, channelOwners = new Map() }: P1SubjectOptions): Subject {
  const household = new Household(seed);
  const stateAt = (seconds: number): P1MeterState => ({
    ...household.stateAt(seconds * 1_000),
    header: HEADER,
  });
  return {
    name,
    home,
    guests: [...new Set(channelOwners.values())].filter((owner) => owner !== home),
    stateAt,
    shownAt: kept((seconds) => {
      const { serial, importWh, exportWh, devices } = stateAt(seconds);
      const own = (obis: string, value: number): ShownRegister => ({
        owner: home,
        serial,
        obis,
        value,
        captured: null,
      });
      return [
        own('1-0:1.8.1', importWh[0]),
        own('1-0:1.8.2', importWh[1]),
        own('1-0:2.8.1', exportWh[0]),
        own('1-0:2.8.2', exportWh[1]),
        ...devices.map((device) => ({
          owner: channelOwners.get(device.channel) ?? home,
          serial: device.serial,
          obis: `0-${device.channel}:${CHANNEL_CODES[device.deviceType]}`,
          value: device.value,
          captured: device.time!.epochSeconds,
        })),
      ];
    }),
  };
}

export interface ModbusSubjectOptions {
  readonly name: string;
  readonly seed: number;
  readonly home: TenantId;
  readonly profile: string;
  readonly serial: string;
}

export function modbusSubject({ name, seed, home, profile, serial }: ModbusSubjectOptions): Subject {
  const rows = profileNamed(profile);
  const phases = rows.instants.some(({ obis }) => obis === '1-0:52.7.0') ? 3 : 1;
  const household = new Household(seed, { phases });
  const stateAt = (seconds: number): P1MeterState => household.stateAt(seconds * 1_000);
  const energies = new Set<string>(
    rows.registers.filter(({ unit }) => unit === 'Wh').map(({ obis }) => obis),
  );
  return {
    name,
    home,
    guests: [],
    stateAt,
    shownAt: (seconds) =>
      modbusMeterOf(rows, stateAt(seconds)).quantities.flatMap(({ obis, value, scaler }) =>
        energies.has(obis)
          ? [{ owner: home, serial, obis, value: value * 10 ** scaler, captured: null }]
          : [],
      ),
  };
}
