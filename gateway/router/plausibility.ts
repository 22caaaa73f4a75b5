import type {
  DailyIndex,
  Extreme,
  MeterReading,
  Peak,
  Profile,
  Register,
  Unit,
} from '../../protocol/reading.ts';
import { utcDayStart } from './day.ts';
import type { QualityCode } from './record/quality.ts';

/**
 * What looks wrong in a reading that is well-formed and signed. A finding becomes a quality code of the
 * collection system (system 2) beside the number, never a refusal: the meter's word reaches the MDM as it was
 * given, and judging and estimating are the MDM's business.
 */
export interface Finding {
  readonly rule: string;
  readonly meter: number;
  readonly part: Part;
  /** Which register, profile, peak or extreme of the meter; 0 for the meter itself. */
  readonly at: number;
  readonly code: QualityCode;
}

/** A place in a daily index: a meter as a whole, or one entry of a list of it. */
export type Part = 'meter' | 'registers' | 'profiles' | 'peaks' | 'extremes';

interface Parts {
  meter: MeterReading;
  registers: Register;
  profiles: Profile;
  peaks: Peak;
  extremes: Extreme;
}

interface Rule<P extends Part> {
  readonly name: string;
  readonly code: QualityCode;
  readonly breaks: (entry: Parts[P], meter: MeterReading, index: DailyIndex) => boolean;
}

/** More than any connection in low voltage gives in an hour: 400 kW, 250 m³ of gas or water, 400 kW of heat. */
const PER_HOUR_MAX: Readonly<Partial<Record<Unit, number>>> = {
  Wh: 400_000,
  varh: 400_000,
  VAh: 400_000,
  m3: 250,
  J: 1.44e9,
  W: 400_000,
};

/** More than a dial shows in the life of a meter: 1 TWh, ten million m³, 10 PJ. */
const REGISTER_MAX: Readonly<Partial<Record<Unit, number>>> = {
  Wh: 1e12,
  varh: 1e12,
  VAh: 1e12,
  m3: 1e7,
  J: 1e16,
};

/** Extremes beyond what low voltage can be: the lowest and highest believable. */
const EXTREME_RANGE: Readonly<Partial<Record<Unit, readonly [number, number]>>> = {
  V: [0, 500],
  A: [-2_000, 2_000],
};

/** A day of 23, 24 or 25 hours (daylight saving): 92, 96 or 100 quarter-hours. */
const DAY_SECONDS = { short: 82_800, usual: 86_400, long: 90_000 };

/** Local midnight in Belgium is 23:00 or 22:00 UTC of the day before. */
const MIDNIGHT_BEFORE_UTC_SECONDS = [3_600, 7_200];

/** A channel's own capture time may lead the device's by so much before a clock must be wrong. */
const CAPTURE_LEAD_SECONDS_MAX = 300;
/** A channel that has not been read for two days repeats an old value. */
const CAPTURE_AGE_SECONDS_MAX = 2 * 86_400;

/** How far the rates of a register may sum up beside its total: a unit of the last digit each. */
const RATE_SUM_TOLERANCE = 4;

const profileSeconds = (profile: Profile): number => profile.deltas.length * profile.periodSeconds;
/** 10^−9 … 10^9, the scalers that the codec lets through. */
const POWERS: readonly number[] = Array.from({ length: 19 }, (_, at) => 10 ** (at - 9));
const scaled = (value: number, scaler: number): number => value * POWERS[scaler + 9]!;

const RULES: { readonly [P in Part]: readonly Rule<P>[] } = {
  meter: [
    { name: 'registers-missing', code: '2.5.259', breaks: (meter) => meter.registers.length === 0 },
    { name: 'ean-check-digit', code: '2.5.258', breaks: ({ ean }) => ean !== null && !isEan(ean) },
    { name: 'register-twice', code: '2.5.258', breaks: ({ registers }) => hasRepeats(registers) },
  ],
  registers: [
    { name: 'register-negative', code: '2.5.256', breaks: ({ value }) => value < 0 },
    {
      name: 'register-size',
      code: '2.5.256',
      breaks: ({ value, scaler, unit }) => scaled(value, scaler) > (REGISTER_MAX[unit] ?? Infinity),
    },
    {
      name: 'register-from-the-future',
      code: '2.1.9',
      breaks: ({ time }, _, { capturedAt }) =>
        time !== null && time.epochSeconds > capturedAt.epochSeconds + CAPTURE_LEAD_SECONDS_MAX,
    },
    {
      name: 'register-stale',
      code: '2.4.129',
      breaks: ({ time }, _, { capturedAt }) =>
        time !== null && time.epochSeconds < capturedAt.epochSeconds - CAPTURE_AGE_SECONDS_MAX,
    },
    {
      name: 'rates-against-total',
      code: '2.6.9',
      breaks: (register, { registers }) => ratesDisagree(register, registers),
    },
  ],
  profiles: [
    {
      name: 'profile-short',
      code: '2.4.2',
      breaks: (profile) =>
        profileSeconds(profile) < DAY_SECONDS.usual && profileSeconds(profile) !== DAY_SECONDS.short,
    },
    {
      name: 'profile-long',
      code: '2.4.3',
      breaks: (profile) =>
        profileSeconds(profile) > DAY_SECONDS.usual && profileSeconds(profile) !== DAY_SECONDS.long,
    },
    {
      name: 'profile-not-at-midnight',
      code: '2.1.9',
      breaks: ({ start }, _, { day }) => !MIDNIGHT_BEFORE_UTC_SECONDS.includes(utcDayStart(day) - start),
    },
    { name: 'profile-size', code: '2.5.256', breaks: exceedsConnection },
  ],
  peaks: [
    {
      name: 'peak-size',
      code: '2.5.256',
      breaks: ({ value, scaler, unit }) =>
        value < 0 || scaled(value, scaler) > (PER_HOUR_MAX[unit] ?? Infinity),
    },
    {
      name: 'peak-of-a-later-month',
      code: '2.1.9',
      breaks: ({ month }, _, { day }) => month > day.slice(0, 7),
    },
  ],
  extremes: [
    { name: 'extremes-crossed', code: '2.5.256', breaks: ({ min, max }) => min > max },
    {
      name: 'extreme-size',
      code: '2.5.256',
      breaks: ({ min, max, scaler, unit }) => {
        const range = EXTREME_RANGE[unit];
        return range !== undefined && (scaled(min, scaler) < range[0] || scaled(max, scaler) > range[1]);
      },
    },
  ],
};

const LISTS = ['registers', 'profiles', 'peaks', 'extremes'] as const;

/** The names of all rules: counters are made of these. */
export const PLAUSIBILITY_RULES: readonly string[] = Object.values(RULES).flatMap((rules) =>
  rules.map(({ name }) => name),
);

/** Every rule that a daily index breaks, and where. */
export function plausibility(index: DailyIndex): readonly Finding[] {
  const findings: Finding[] = [];
  index.meters.forEach((meter, at) => {
    check(findings, 'meter', [meter], meter, index, at);
    for (const part of LISTS) check(findings, part, meter[part], meter, index, at);
  });
  return findings;
}

function check<P extends Part>(
  findings: Finding[],
  part: P,
  entries: readonly Parts[P][],
  meter: MeterReading,
  index: DailyIndex,
  meterAt: number,
): void {
  for (const { name, code, breaks } of RULES[part] as readonly Rule<P>[])
    for (let at = 0; at < entries.length; at++)
      if (breaks(entries[at]!, meter, index)) findings.push({ rule: name, meter: meterAt, part, at, code });
}

function exceedsConnection({ deltas, scaler, unit, periodSeconds }: Profile): boolean {
  const perHour = PER_HOUR_MAX[unit];
  if (perHour === undefined) return false;
  const max = (perHour * periodSeconds) / 3_600 / POWERS[scaler + 9]!;
  for (let i = 0; i < deltas.length; i++) {
    const delta = deltas[i]!;
    if (delta !== null && (delta < 0 || delta > max)) return true;
  }
  return false;
}

function hasRepeats(registers: readonly Register[]): boolean {
  for (let i = 1; i < registers.length; i++)
    for (let j = 0; j < i; j++) if (registers[i]!.obis === registers[j]!.obis) return true;
  return false;
}

/** `1-0:1.8.0` beside its rates `1-0:1.8.1` …: where both are told, they must agree. */
function ratesDisagree(total: Register, registers: readonly Register[]): boolean {
  if (!total.obis.endsWith('.8.0')) return false;
  const stem = total.obis.slice(0, -1);
  const rates = registers.filter(
    ({ obis, scaler, unit }) =>
      obis !== total.obis && obis.startsWith(stem) && scaler === total.scaler && unit === total.unit,
  );
  if (rates.length === 0) return false;
  const sum = rates.reduce((energy, { value }) => energy + value, 0);
  return Math.abs(sum - total.value) > RATE_SUM_TOLERANCE;
}

const ZERO = 0x30;

/** GS1: 18 digits, starting with 54 in Belgium, the last one a check digit (weights 3 and 1 from the right). */
function isEan(ean: string): boolean {
  if (!/^54[0-9]{16}$/.test(ean)) return false;
  let sum = 0;
  for (let i = 0; i < 17; i++) sum += (ean.charCodeAt(i) - ZERO) * (i % 2 === 0 ? 3 : 1);
  return (10 - (sum % 10)) % 10 === ean.charCodeAt(17) - ZERO;
}
