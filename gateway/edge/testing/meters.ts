import type { TenantId } from '../../../protocol/identity.ts';
import type { Medium, ObisCode, Register, Timestamp, Unit } from '../../../protocol/reading.ts';
import { offsetMinutesAt } from '../days/calendar.ts';
import type { MeterSnapshot, Snapshot } from '../source.ts';

/** Snapshots for the tests of this room: one line each, and nothing but what the test is about. */
export const ORES = 'ores' as TenantId;
export const FARYS = 'farys' as TenantId;

export const IMPORT_DAY = '1-0:1.8.1' as ObisCode;
export const IMPORT_NIGHT = '1-0:1.8.2' as ObisCode;
export const GAS = '0-1:24.2.3' as ObisCode;
export const WATER = '0-2:24.2.1' as ObisCode;

export function timestamp(epochSeconds: number): Timestamp {
  return { epochSeconds, offsetMinutes: offsetMinutesAt(epochSeconds) };
}

export function register(obis: ObisCode, value: number, extra: Partial<Register> = {}): Register {
  return { obis, value, scaler: 0, unit: 'Wh' as Unit, time: null, flags: 0, ...extra };
}

/** A register of an M-Bus meter in litres, captured at its own time. */
export function captured(obis: ObisCode, value: number, epochSeconds: number): Register {
  return register(obis, value, { unit: 'm3', scaler: -3, time: timestamp(epochSeconds) });
}

export function meter(registers: readonly Register[], extra: Partial<MeterSnapshot> = {}): MeterSnapshot {
  return {
    medium: 'electricity' as Medium,
    channel: 0,
    serial: '1SAG1100000292',
    ean: '541448820000000016',
    registers,
    peaks: [],
    instants: [],
    flags: 0,
    ...extra,
  };
}

export function snapshot(
  epochSeconds: number,
  meters: readonly MeterSnapshot[],
  meterTime: Timestamp | null = timestamp(epochSeconds),
): Snapshot {
  return { at: timestamp(epochSeconds), meterTime, meters };
}
