import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CborValue, decodeCbor, encodeCbor } from './cbor/codec.ts';
import { isHesError } from './errors.ts';
import { PAYLOAD_BOUNDS, PAYLOAD_BYTES_MAX } from './limits.ts';
import { decodeDailyIndex, encodeDailyIndex } from './payload.ts';
import type { DailyIndex, MeterReading, ObisCode, Unit } from './reading.ts';
import { anyDailyIndex } from './testing/arbitrary.ts';
import { SAMPLE_ELECTRICITY, SAMPLE_INDEX, SAMPLE_WATER } from './testing/samples.ts';

const SEED = 20_260_329;

function failure(step: () => unknown): { code: string; field: unknown } {
  try {
    step();
    return { code: 'none', field: undefined };
  } catch (error) {
    if (!isHesError(error)) throw error;
    return { code: error.code, field: error.context['field'] };
  }
}

const withMeter = (change: Partial<MeterReading>): DailyIndex => ({
  ...SAMPLE_INDEX,
  meters: [{ ...SAMPLE_WATER, ...change }],
});
const register = SAMPLE_WATER.registers[0]!;
const profile = SAMPLE_ELECTRICITY.profiles[0]!;

/** What an index must not be, and the member that says so. */
const WRONG: readonly (readonly [name: string, index: DailyIndex, field: string])[] = [
  ['a sequence of 0', { ...SAMPLE_INDEX, sequence: 0 }, 'sequence'],
  ['a sequence that is no integer', { ...SAMPLE_INDEX, sequence: 1.5 }, 'sequence'],
  ['a day that the calendar does not have', { ...SAMPLE_INDEX, day: '2026-02-29' }, 'day'],
  ['a day in another notation', { ...SAMPLE_INDEX, day: '28-03-2026' }, 'day'],
  [
    'an offset of two days',
    { ...SAMPLE_INDEX, capturedAt: { epochSeconds: 0, offsetMinutes: 2_880 } },
    'capturedAt.offsetMinutes',
  ],
  ['no meters', { ...SAMPLE_INDEX, meters: [] }, 'meters'],
  [
    'more meters than a device has channels',
    { ...SAMPLE_INDEX, meters: Array.from({ length: 6 }, () => SAMPLE_WATER) },
    'meters',
  ],
  ['a channel beyond 4', withMeter({ channel: 5 }), 'meters.0.channel'],
  ['a serial number with a line break', withMeter({ serial: '1\n2' }), 'meters.0.serial'],
  ['a serial number beyond ASCII', withMeter({ serial: 'm³' }), 'meters.0.serial'],
  ['no serial number', withMeter({ serial: '' }), 'meters.0.serial'],
  ['an EAN of 17 digits', withMeter({ ean: '54144882000000000' }), 'meters.0.ean'],
  [
    'a register that is a float',
    withMeter({ registers: [{ ...register, value: 0.5 }] }),
    'meters.0.registers.0',
  ],
  [
    'a register that is NaN',
    withMeter({ registers: [{ ...register, value: Number.NaN }] }),
    'meters.0.registers.0',
  ],
  [
    'a register beyond 2^53',
    withMeter({ registers: [register, { ...register, value: 2 ** 53 }] }),
    'meters.0.registers.1',
  ],
  ['a scaler beyond giga', withMeter({ registers: [{ ...register, scaler: 10 }] }), 'meters.0.registers.0'],
  [
    'a unit of another table',
    withMeter({ registers: [{ ...register, unit: 'kWh' as Unit }] }),
    'meters.0.registers.0',
  ],
  [
    'an OBIS code with a group of 256',
    withMeter({ registers: [{ ...register, obis: '1-0:256.8.1' as ObisCode }] }),
    'meters.0.registers.0',
  ],
  ['a profile of no periods', withMeter({ profiles: [{ ...profile, deltas: [] }] }), 'meters.0.profiles.0'],
  [
    'a profile of 101 periods',
    withMeter({ profiles: [{ ...profile, deltas: Array.from({ length: 101 }, () => 1) }] }),
    'meters.0.profiles.0',
  ],
  [
    'a profile delta that is a float',
    withMeter({ profiles: [{ ...profile, deltas: [1, 0.1] }] }),
    'meters.0.profiles.0',
  ],
  [
    'a month of 13',
    withMeter({ peaks: [{ ...SAMPLE_ELECTRICITY.peaks[0]!, month: '2026-13' }] }),
    'meters.0.peaks.0',
  ],
];

describe('a daily index', () => {
  it.each(WRONG)('is not encoded with %s', (_, index, field) => {
    const { code, field: found } = failure(() => encodeDailyIndex(index));
    expect(code).toBe('ERR_PAYLOAD_SCHEMA');
    expect(found).toMatch(new RegExp(`^${field.replaceAll('.', '\\.')}`));
  });

  it('is not encoded where the whole is larger than a payload may be', () => {
    const profiles = Array.from({ length: 8 }, () => ({
      ...profile,
      deltas: Array.from({ length: 100 }, () => Number.MAX_SAFE_INTEGER),
    }));
    const index = {
      ...SAMPLE_INDEX,
      meters: Array.from({ length: 5 }, () => ({ ...SAMPLE_WATER, profiles })),
    };
    expect(failure(() => encodeDailyIndex(index)).code).toBe('ERR_PAYLOAD_CBOR');
  });

  it('never says in an error what was wrong, only where and what was expected', () => {
    const secret = 'canary\u00e9canary';
    try {
      encodeDailyIndex(withMeter({ serial: secret }));
      expect.unreachable();
    } catch (error) {
      expect(
        JSON.stringify([String(error), (error as Error).cause, (error as { context?: unknown }).context]),
      ).not.toContain('canary');
    }
  });

  it('comes back as it went', () => {
    expect(decodeDailyIndex(encodeDailyIndex(SAMPLE_INDEX))).toEqual(SAMPLE_INDEX);
  });

  it('comes back as it went, whatever it holds', () => {
    fc.assert(
      fc.property(anyDailyIndex, (index) => {
        expect(decodeDailyIndex(encodeDailyIndex(index))).toEqual(index);
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('is CBOR to a reader that knows nothing of it', () => {
    const item = decodeCbor(encodeDailyIndex(SAMPLE_INDEX), PAYLOAD_BOUNDS) as Map<number, unknown>;
    expect([...item.keys()]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(item.get(4)).toBe(SAMPLE_INDEX.sequence);
    expect(item.get(5)).toBe(Date.UTC(2026, 2, 28) / 86_400_000);
  });
});

/** The sample as generic CBOR, one member changed: what a faulty or hostile meter could sign. */
function altered(change: (index: Map<number, CborValue>, meter: Map<number, CborValue>) => void): Uint8Array {
  const index = decodeCbor(encodeDailyIndex(SAMPLE_INDEX), PAYLOAD_BOUNDS) as Map<number, CborValue>;
  change(index, (index.get(8) as Map<number, CborValue>[])[1]!);
  const rising = (map: Map<number, CborValue>): Map<number, CborValue> =>
    new Map([...map].sort(([left], [right]) => left - right));
  index.set(8, (index.get(8) as Map<number, CborValue>[]).map(rising));
  return encodeCbor(rising(index), PAYLOAD_BOUNDS);
}

const REGISTER_OF_WATER: CborValue[] = [Buffer.from('0001180201ff', 'hex'), 872_234, -3, 13, 0, null];

const WRONG_BYTES: readonly (readonly [
  name: string,
  bytes: Uint8Array,
  code: string,
  field: string | null,
])[] = [
  ['another version', altered((index) => index.set(1, 2)), 'ERR_PAYLOAD_VERSION', null],
  ['no device', altered((index) => index.delete(3)), 'ERR_PAYLOAD_SCHEMA', null],
  ['a member that nobody knows', altered((index) => index.set(9, 0)), 'ERR_PAYLOAD_SCHEMA', null],
  [
    'a member of a meter that nobody knows',
    altered((_, meter) => meter.set(10, 0)),
    'ERR_PAYLOAD_SCHEMA',
    null,
  ],
  [
    'a device of seven bytes',
    altered((index) => index.set(3, new Uint8Array(7))),
    'ERR_PAYLOAD_SCHEMA',
    'device',
  ],
  ['a tenant in capitals', altered((index) => index.set(2, 'ORES')), 'ERR_PAYLOAD_SCHEMA', 'tenant'],
  ['a number for a tenant', altered((index) => index.set(2, 7)), 'ERR_PAYLOAD_SCHEMA', 'tenant'],
  ['flags of 0 written out', altered((_, meter) => meter.set(5, 0)), 'ERR_PAYLOAD_SCHEMA', 'meters.1.flags'],
  [
    'no EAN written out as null',
    altered((_, meter) => meter.set(4, null)),
    'ERR_PAYLOAD_SCHEMA',
    'meters.1.ean',
  ],
  [
    'no profiles written out as an empty array',
    altered((_, meter) => meter.set(7, [])),
    'ERR_PAYLOAD_SCHEMA',
    'meters.1.profiles',
  ],
  [
    'a register of five members',
    altered((_, meter) => meter.set(6, [REGISTER_OF_WATER.slice(1)])),
    'ERR_PAYLOAD_SCHEMA',
    'meters.1.registers.0',
  ],
  [
    'an OBIS code of five bytes',
    altered((_, meter) => meter.set(6, [[new Uint8Array(5), ...REGISTER_OF_WATER.slice(1)]])),
    'ERR_PAYLOAD_SCHEMA',
    'meters.1.registers.0.obis',
  ],
  [
    'a unit that no table has',
    altered((_, meter) => meter.set(6, [REGISTER_OF_WATER.with(3, 26)])),
    'ERR_PAYLOAD_SCHEMA',
    'meters.1.registers.0.unit',
  ],
  [
    'a text for a register',
    altered((_, meter) => meter.set(6, [REGISTER_OF_WATER.with(1, '1')])),
    'ERR_PAYLOAD_SCHEMA',
    'meters.1.registers.0.value',
  ],
  ['more than a payload may have', new Uint8Array(PAYLOAD_BYTES_MAX + 1), 'ERR_PAYLOAD_CBOR', null],
  ['nothing', new Uint8Array(0), 'ERR_PAYLOAD_CBOR', null],
  ['an array', Uint8Array.of(0x80), 'ERR_PAYLOAD_SCHEMA', null],
];

describe('the bytes of a daily index', () => {
  it.each(WRONG_BYTES)('are refused with %s', (_, bytes, code, field) => {
    const found = failure(() => decodeDailyIndex(bytes));
    expect(found.code).toBe(code);
    if (field !== null) expect(found.field).toBe(field);
  });

  it('are refused wherever they are cut', () => {
    const bytes = encodeDailyIndex(SAMPLE_INDEX);
    for (let length = 0; length < bytes.length; length += 1)
      expect(failure(() => decodeDailyIndex(bytes.subarray(0, length))).code).toBe('ERR_PAYLOAD_CBOR');
    expect(failure(() => decodeDailyIndex(Buffer.concat([bytes, bytes]))).code).toBe('ERR_PAYLOAD_CBOR');
  });

  it('never have two forms: what is taken encodes to the same bytes, however it was made', () => {
    const bytes = encodeDailyIndex(SAMPLE_INDEX);
    let taken = 0;
    const edit = fc.record({ at: fc.nat(bytes.length - 1), to: fc.nat(255) });
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
        const edited = Buffer.from(bytes);
        for (const { at, to } of edits) edited[at] = to;
        try {
          const index = decodeDailyIndex(edited);
          taken += 1;
          expect(encodeDailyIndex(index)).toEqual(edited);
        } catch (error) {
          if (!isHesError(error)) throw error;
          expect(error.code).toMatch(/^ERR_PAYLOAD_/);
        }
      }),
      { seed: SEED, numRuns: 4_000 },
    );
    expect(taken).toBeGreaterThan(100);
  });

  it('are met with an index or an error of ours, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(failure(() => decodeDailyIndex(bytes)).code).toMatch(/^ERR_PAYLOAD_/);
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });
});
