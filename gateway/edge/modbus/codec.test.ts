import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEntry, decodeText } from './codec.ts';
import type { DataType } from './data-types.ts';
import { requirePlausible } from './plausible.ts';
import type { ModbusEntry, ModbusProfile } from './profile.ts';
import { profileNamed } from './profiles.ts';

const entry = (type: DataType, more: Partial<ModbusEntry> = {}): ModbusEntry =>
  ({ obis: '1-0:1.8.0', address: 0, type, unit: 'Wh', exponent: 0, optional: false, ...more }) as ModbusEntry;

const words = (hex: string): Uint16Array =>
  Uint16Array.from(hex.match(/.{4}/g)!.map((digits) => Number.parseInt(digits, 16)));

const plain = { words: 'high-first', invalid: {} } as Pick<ModbusProfile, 'words' | 'invalid'>;
const abb = profileNamed('abb-b23');
const em340 = profileNamed('em340');

describe('a value that the meter does not have', () => {
  it.each([
    ['an unsigned ABB register that is not measured', 'ffffffff', entry('u32'), abb],
    ['a signed ABB register that is not measured', '7fffffff', entry('i32'), abb],
    ['an ABB energy that is not measured', 'ffffffffffffffff', entry('u64'), abb],
    ['an EM340 overflow, low word first', 'ffff7fff', entry('i32'), em340],
    ['a quiet NaN', '7fc00000', entry('float32', { resolution: 0 }), plain],
    ['Schneider’s NaN', 'ffc00000', entry('float32', { resolution: 0 }), plain],
    ['infinity', '7f800000', entry('float32', { resolution: 0 }), plain],
    ['a NaN of 64 bits', '7ff8000000000000', entry('float64', { resolution: 0 }), plain],
  ])('is null and not 0: %s', (_, hex, item, profile) => {
    expect(decodeEntry(words(hex), item, profile)).toBeNull();
  });
});

describe('a value on the wire', () => {
  it('is refused when no reading can carry it exactly', () => {
    expect(() => decodeEntry(words('0fffffffffffffff'), entry('u64'), plain)).toThrow(
      expect.objectContaining({ code: 'ERR_MODBUS_RANGE' }),
    );
    expect(() => decodeEntry(words('7f7fffff'), entry('float32', { resolution: 0 }), plain)).toThrow(
      expect.objectContaining({ code: 'ERR_MODBUS_RANGE' }),
    );
  });

  it('is refused as a float that only exchanged words make', () => {
    // 230.1 V is 4366 199Ah; the other way round it is 1.6e-23 and would pass for 0.
    expect(() => decodeEntry(words('199a4366'), entry('float32', { resolution: -1 }), plain)).toThrow(
      expect.objectContaining({ code: 'ERR_MODBUS_IMPLAUSIBLE' }),
    );
  });

  it.each([
    ['4366199a', entry('float32', { resolution: -1 }), { value: 2301, scaler: -1 }],
    ['449a51ec', entry('float32', { exponent: 3, resolution: 1 }), { value: 123_456, scaler: 1 }],
    ['00000000', entry('float32', { resolution: 0 }), { value: 0, scaler: 0 }],
    ['80000000', entry('float32', { resolution: 0 }), { value: 0, scaler: 0 }],
    ['c0200000', entry('float32', { resolution: 0 }), { value: -3, scaler: 0 }],
    ['41678c29c0000000', entry('float64', { resolution: 0 }), { value: 12_345_678, scaler: 0 }],
    ['fffffffe', entry('i32', { exponent: -1 }), { value: -2, scaler: -1 }],
    ['fffffffe', entry('u32'), { value: 4_294_967_294, scaler: 0 }],
    ['0000000000bc614e', entry('u64', { exponent: 1 }), { value: 12_345_678, scaler: 1 }],
    ['fffe', entry('i16'), { value: -2, scaler: 0 }],
  ])('%s means what the table says', (hex, item, expected) => {
    expect(decodeEntry(words(hex), item, plain)).toEqual(expected);
  });

  it('is the same with the low word first', () => {
    expect(decodeEntry(words('614e00bc'), entry('i32', { exponent: 2 }), em340)).toEqual({
      value: 12_345_678,
      scaler: 2,
    });
  });

  it('never becomes anything but an exact integer, null or a refusal, whatever the bits', () => {
    const types: DataType[] = ['u16', 'i16', 'u32', 'i32', 'u64', 'i64', 'float32', 'float64'];
    fc.assert(
      fc.property(
        fc.constantFrom(...types),
        fc.uint8Array({ minLength: 8, maxLength: 8 }),
        fc.integer({ min: -3, max: 3 }),
        (type, bytes, resolution) => {
          const count = { u16: 1, i16: 1, u32: 2, i32: 2, float32: 2 }[type as string] ?? 4;
          const hex = Buffer.from(bytes)
            .toString('hex')
            .slice(0, 4 * count);
          const item = type.startsWith('float') ? entry(type, { resolution }) : entry(type);
          try {
            const decoded = decodeEntry(words(hex), item, plain);
            expect(decoded === null || Number.isSafeInteger(decoded.value)).toBe(true);
            expect(Object.is(decoded?.value, -0)).toBe(false);
          } catch (error) {
            expect(error).toMatchObject({ code: expect.stringMatching(/^ERR_MODBUS_(RANGE|IMPLAUSIBLE)$/) });
          }
        },
      ),
      { seed: 3, numRuns: 2_000 },
    );
  });

  it('rises with the float that it is rounded from', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 13_107_199 }), (hundredths) => {
        const item = entry('float32', { exponent: 3, resolution: 1 });
        const bytes = Buffer.alloc(4);
        bytes.writeFloatBE(Number(`${hundredths}e-2`));
        expect(decodeEntry(words(bytes.toString('hex')), item, plain)?.value).toBe(hundredths);
      }),
      { seed: 4, numRuns: 2_000 },
    );
  });
});

describe('a text', () => {
  it('is the same with its padding in front of each character, at its end, or without', () => {
    expect(decodeText(words('00420059003100320033'))).toBe('BY123');
    expect(decodeText(words('4259313233000000'))).toBe('BY123');
  });

  it('is null where nothing is, or no text', () => {
    expect(decodeText(words('00000000'))).toBeNull();
    expect(decodeText(words('ffffffff'))).toBeNull();
  });
});

describe('values that a meter can show', () => {
  it('do not include energy below zero, a voltage of a mains transformer, or none on any phase', () => {
    const volts = (value: number) => ({ value, scaler: 0, unit: 'V' as const });
    for (const values of [
      [{ value: -1, scaler: 0, unit: 'Wh' as const }],
      [volts(10_000)],
      [volts(0), volts(0), volts(1)],
    ])
      expect(() => requirePlausible(values)).toThrow(
        expect.objectContaining({ code: 'ERR_MODBUS_IMPLAUSIBLE' }),
      );
    requirePlausible([volts(232), volts(0), volts(231)]);
  });
});
