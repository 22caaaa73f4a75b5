import { describe, expect, it } from 'vitest';
import { dayOfNumber, numberOfDay } from './day.ts';
import { isObisCode, obisBytes, obisOfBytes, parseObisCode } from './obis.ts';

describe('an OBIS code', () => {
  it.each([
    '',
    '1.8.0',
    '1-0:1.8',
    '1-0:1.8.0.255',
    '01-0:1.8.0',
    '1-0:1.08.0',
    '1-0:1.8.256',
    '1-0:1.8.0*255',
    '1-0:1.8.0*',
    '1-0:1.8.0 ',
    '-1-0:1.8.0',
    '1-0:1.8.0*256',
    '1-0:C.8.0',
  ])('is not %j', (text) => {
    expect(isObisCode(text)).toBe(false);
    expect(() => parseObisCode(text)).toThrow(expect.objectContaining({ code: 'ERR_OBIS' }));
  });

  it.each([
    ['1-0:1.8.1', '0100010801ff'],
    ['0-0:96.13.0', '0000600d00ff'],
    ['1-0:1.6.0*1', '010001060001'],
    ['255-255:255.255.255*0', 'ffffffffff00'],
    ['255-255:255.255.255', 'ffffffffffff'],
  ])('%s is six bytes, there and back', (text, bytes) => {
    expect(Buffer.from(obisBytes(text)!).toString('hex')).toBe(bytes);
    expect(obisOfBytes(Buffer.from(bytes, 'hex'))).toBe(text);
    expect(parseObisCode(text)).toBe(text);
  });

  it('is not five bytes, nor seven', () => {
    expect(obisOfBytes(new Uint8Array(5))).toBeUndefined();
    expect(obisOfBytes(new Uint8Array(7))).toBeUndefined();
  });

  it('stays right when strangers invent more codes than are remembered', () => {
    for (let number = 0; number < 3_000; number += 1) {
      const bytes = Uint8Array.of(1, 0, number >> 8, number & 0xff, 7, 255);
      expect(obisOfBytes(bytes)).toBe(`1-0:${number >> 8}.${number & 0xff}.7`);
    }
  });
});

describe('a day', () => {
  it.each([
    '2026-02-29',
    '2025-04-31',
    '1969-12-31',
    '2026-13-01',
    '2026-00-10',
    '26-01-01',
    '2026-1-1',
    '0026-01-01',
  ])('is not %s', (day) => {
    expect(numberOfDay(day)).toBeUndefined();
  });

  it('is a number that agrees with the calendar of the engine', () => {
    for (let number = 0; number < 2_932_896; number += 97) {
      const day = new Date(number * 86_400_000).toISOString().slice(0, 10);
      expect(dayOfNumber(number)).toBe(day);
      expect(numberOfDay(day)).toBe(number);
    }
  });
});
