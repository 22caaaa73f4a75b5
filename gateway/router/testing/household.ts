import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { parseObisCode } from '../../../protocol/obis.ts';
import type { DailyIndex, MeterReading, Profile } from '../../../protocol/reading.ts';
import { type Random, randomInteger } from '../../runtime/random.ts';

/** 2026-03-28 23:00 UTC, local midnight in Belgium: the end of 28 March. */
export const MIDNIGHT_SECONDS = 1_774_738_800;
const DAY_SECONDS = 86_400;
const QUARTER_SECONDS = 900;

/**
 * A full day of a household with solar panels: import and export by quarter-hour, four registers, the month's
 * peak, extremes of three phases, and a gas meter on an M-Bus channel with a profile of its own.
 */
export function householdIndex(
  tenant: TenantId,
  device: DeviceId,
  sequence: number,
  random: Random,
): DailyIndex {
  const at = { epochSeconds: MIDNIGHT_SECONDS, offsetMinutes: 60 };
  const quarters = (max: number) => Array.from({ length: 96 }, () => randomInteger(random, 0, max));
  const profile = (obis: string, unit: 'Wh' | 'm3', scaler: number, max: number): Profile => ({
    obis: parseObisCode(obis),
    unit,
    scaler,
    start: MIDNIGHT_SECONDS - DAY_SECONDS,
    periodSeconds: QUARTER_SECONDS,
    deltas: quarters(max),
  });
  const electricity: MeterReading = {
    medium: 'electricity',
    channel: 0,
    serial: '1SAG1105075799',
    ean: '541448820000000008',
    flags: 0,
    registers: ['1-0:1.8.1', '1-0:1.8.2', '1-0:2.8.1', '1-0:2.8.2'].map((obis) => ({
      obis: parseObisCode(obis),
      value: randomInteger(random, 1_000_000, 99_999_999),
      scaler: 0,
      unit: 'Wh',
      time: null,
      flags: 0,
    })),
    profiles: [profile('1-0:1.8.0', 'Wh', 0, 900), profile('1-0:2.8.0', 'Wh', 0, 1_200)],
    peaks: [
      { obis: parseObisCode('1-0:1.6.0'), month: '2026-03', time: at, value: 4_329, scaler: 0, unit: 'W' },
    ],
    extremes: ['1-0:32.7.0', '1-0:52.7.0', '1-0:72.7.0'].map((obis) => ({
      obis: parseObisCode(obis),
      min: 2_287,
      max: 2_391,
      scaler: -1,
      unit: 'V',
    })),
  };
  const gas: MeterReading = {
    medium: 'gas',
    channel: 1,
    serial: '7FLO2119012345',
    ean: '541448820000000015',
    flags: 0,
    registers: [
      {
        obis: parseObisCode('0-1:24.2.3'),
        value: randomInteger(random, 1_000_000, 9_999_999),
        scaler: -3,
        unit: 'm3',
        time: at,
        flags: 0,
      },
    ],
    profiles: [profile('0-1:24.2.3', 'm3', -3, 400)],
    peaks: [],
    extremes: [],
  };
  return {
    version: 1,
    tenant,
    device,
    sequence,
    day: '2026-03-28',
    capturedAt: { epochSeconds: MIDNIGHT_SECONDS, offsetMinutes: 60 },
    clock: 'synchronised',
    meters: [electricity, gas],
  };
}
