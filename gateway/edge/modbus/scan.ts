import { isHesError } from '../../../protocol/errors.ts';
import { ModbusBus } from './bus.ts';
import type { Endpoint } from './endpoint.ts';
import { ModbusMeter, type RegisterBus } from './meter.ts';
import type { ModbusProfile } from './profile.ts';

export interface ScanOptions {
  /** One for each speed and parity of a line; one for a network address. */
  readonly endpoints: readonly Endpoint[];
  readonly units: readonly number[];
  readonly profiles: readonly ModbusProfile[];
  readonly answerWithinMs: number;
  /** Told before each unit that is asked. */
  readonly onProgress?: (endpoint: Endpoint, unit: number) => void;
  readonly signal?: AbortSignal;
}

/** A unit that answers, and the profiles that it answers to as a meter would. */
export interface Found {
  readonly endpoint: Endpoint;
  readonly unit: number;
  readonly matches: readonly Match[];
}

export interface Match {
  readonly profile: string;
  /** The meter named its model; otherwise its values are merely such as this meter shows. */
  readonly identified: boolean;
}

/** These say that somebody is there, whatever else. */
const ALIVE = [
  'ERR_MODBUS_FUNCTION',
  'ERR_MODBUS_ADDRESS',
  'ERR_MODBUS_VALUE',
  'ERR_MODBUS_BUSY',
  'ERR_MODBUS_DEVICE',
] as const;

/** A line that cannot be opened at one speed cannot at another: the scan ends. */
const HOPELESS = ['ERR_MODBUS_CONNECT', 'ERR_MODBUS_PORT'] as const;

/** Enough for all 247 units at eight settings of a line: an hour of silence at most, and every one is shown. */
export const SCAN_QUESTIONS_MAX = 2_000;

/**
 * Who is there, and what. Each unit is asked one question that any Modbus device answers, if only with an
 * exception; only those that do are read by each profile, those that name their model first.
 * @throws ERR_MODBUS_CONNECT, ERR_MODBUS_PORT
 */
export async function* scan({
  endpoints,
  units,
  profiles,
  answerWithinMs,
  onProgress,
  signal,
}: ScanOptions): AsyncGenerator<Found> {
  for (const endpoint of endpoints) {
    const bus = new ModbusBus(endpoint, { answerWithinMs, attempts: 1 });
    try {
      for (const unit of units) {
        if (signal?.aborted === true) return;
        onProgress?.(endpoint, unit);
        if (await isThere(bus, unit)) yield { endpoint, unit, matches: await matchesOf(bus, unit, profiles) };
      }
    } finally {
      await bus.close();
    }
  }
}

async function isThere(bus: RegisterBus, unit: number): Promise<boolean> {
  try {
    await bus.read({ unit, function: 4, address: 0, count: 2 });
    return true;
  } catch (error) {
    return verdictOf(error);
  }
}

function verdictOf(error: unknown): boolean {
  if (!isHesError(error) || HOPELESS.some((code) => isHesError(error, code))) throw error;
  return ALIVE.some((code) => isHesError(error, code));
}

async function matchesOf(
  bus: RegisterBus,
  unit: number,
  profiles: readonly ModbusProfile[],
): Promise<Match[]> {
  const matches: Match[] = [];
  for (const profile of profiles) {
    const meter = new ModbusMeter(bus, profile, unit);
    try {
      const identified = await meter.isIdentified();
      // A meter that names another model is another, though many share their registers.
      if (identified === false) continue;
      await meter.read();
      matches.push({ profile: profile.name, identified: identified === true });
    } catch (error) {
      verdictOf(error);
    }
  }
  return matches.toSorted((one, other) => Number(other.identified) - Number(one.identified));
}
