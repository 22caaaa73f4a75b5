import { describe, expect, it } from 'vitest';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { DailyIndex, MeterReading, ObisCode } from '../../protocol/reading.ts';
import { seededRandom } from '../runtime/random.ts';
import { PLAUSIBILITY_RULES, plausibility } from './plausibility.ts';
import { householdIndex, MIDNIGHT_SECONDS } from './testing/household.ts';

const household = () =>
  householdIndex('ores' as TenantId, '0123456789abcdef' as DeviceId, 1, seededRandom(1));

function found(change: (meter: MeterReading) => Partial<MeterReading>): string[] {
  const index: DailyIndex = household();
  const [meter, ...others] = index.meters;
  const changed = { ...index, meters: [{ ...meter!, ...change(meter!) }, ...others] };
  return plausibility(changed).map(({ rule, code }) => `${rule} ${code}`);
}

const register = (change: Partial<MeterReading['registers'][number]>) => (meter: MeterReading) => ({
  registers: [{ ...meter.registers[0]!, ...change }],
});
const profile = (change: Partial<MeterReading['profiles'][number]>) => (meter: MeterReading) => ({
  profiles: [{ ...meter.profiles[0]!, ...change }],
});
const at = (secondsFromCapture: number) => ({
  epochSeconds: MIDNIGHT_SECONDS + secondsFromCapture,
  offsetMinutes: 60,
});

describe('plausibility', () => {
  it.each<[string, (meter: MeterReading) => Partial<MeterReading>]>([
    ['registers-missing 2.5.259', () => ({ registers: [] })],
    ['ean-check-digit 2.5.258', () => ({ ean: '541448820000000009' })],
    ['ean-check-digit 2.5.258', () => ({ ean: '871448820000000008' })],
    ['register-twice 2.5.258', ({ registers }) => ({ registers: [registers[0]!, registers[0]!] })],
    ['register-negative 2.5.256', register({ value: -1 })],
    ['register-size 2.5.256', register({ value: 1_000_001, scaler: 6 })],
    ['register-from-the-future 2.1.9', register({ time: at(301) })],
    ['register-stale 2.4.129', register({ time: at(-2 * 86_400 - 1) })],
    [
      'rates-against-total 2.6.9',
      ({ registers }) => ({
        registers: [{ ...registers[0]!, obis: '1-0:1.8.0' as ObisCode, value: 1 }, registers[1]!],
      }),
    ],
    ['profile-short 2.4.2', profile({ deltas: [1, 2, 3] })],
    ['profile-short 2.4.2', profile({ deltas: Array.from({ length: 95 }, () => 1) })],
    ['profile-long 2.4.3', profile({ deltas: Array.from({ length: 97 }, () => 1) })],
    ['profile-not-at-midnight 2.1.9', profile({ start: MIDNIGHT_SECONDS - 86_400 + 900 })],
    [
      'profile-size 2.5.256',
      ({ profiles }) => ({ profiles: [{ ...profiles[0]!, deltas: profiles[0]!.deltas.with(5, 100_001) }] }),
    ],
    [
      'profile-size 2.5.256',
      ({ profiles }) => ({ profiles: [{ ...profiles[0]!, deltas: profiles[0]!.deltas.with(5, -1) }] }),
    ],
    ['peak-size 2.5.256', ({ peaks }) => ({ peaks: [{ ...peaks[0]!, value: 400_001 }] })],
    ['peak-of-a-later-month 2.1.9', ({ peaks }) => ({ peaks: [{ ...peaks[0]!, month: '2026-04' }] })],
    [
      'extremes-crossed 2.5.256',
      ({ extremes }) => ({ extremes: [{ ...extremes[0]!, min: 2_400, max: 2_300 }] }),
    ],
    ['extreme-size 2.5.256', ({ extremes }) => ({ extremes: [{ ...extremes[0]!, max: 5_001 }] })],
  ])('finds %s', (finding, change) => {
    expect(found(change)).toEqual([finding]);
  });

  it('finds nothing in a usual day, nor in days of 92 and 100 quarter-hours, nor in hourly gas', () => {
    expect(plausibility(household())).toEqual([]);
    for (const count of [92, 100])
      expect(found(profile({ deltas: Array.from({ length: count }, () => 1) }))).toEqual([]);
    expect(found(profile({ periodSeconds: 3_600, deltas: Array.from({ length: 24 }, () => 1) }))).toEqual([]);
  });

  it('says where: which register of which meter', () => {
    const index = household();
    const gas = index.meters[1]!;
    const changed = {
      ...index,
      meters: [index.meters[0]!, { ...gas, registers: [{ ...gas.registers[0]!, value: -1 }] }],
    };
    expect(plausibility(changed)).toMatchObject([{ meter: 1, part: 'registers', at: 0 }]);
  });

  it('names each rule once, since counters are named after them', () => {
    expect(new Set(PLAUSIBILITY_RULES).size).toBe(PLAUSIBILITY_RULES.length);
  });
});
