import { describe, expect, it } from 'vitest';
import { crc16, crc16WithCarriageReturns } from './crc.ts';
import { crcBitByBit, EMUCS_1_7_1, sealed } from './example.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');

describe('CRC-16/ARC', () => {
  it('is not what another CRC-16 would give', () => {
    // CRC-16/MODBUS has the same polynomial and another start: 0x4B37.
    expect(crc16(bytes('123456789'))).not.toBe(0x4b37);
  });

  it('gives the check value of the catalogue', () => {
    expect(crc16(bytes('123456789'))).toBe(0xbb3d);
  });

  it('agrees with the definition, bit by bit, at every length', () => {
    const text = sealed(EMUCS_1_7_1);
    for (let length = 0; length < 70; length += 1)
      expect(crc16(bytes(text), 0, length)).toBe(crcBitByBit(text.slice(0, length)));
    expect(crc16(bytes(text), 3, text.length)).toBe(crcBitByBit(text.slice(3)));
  });

  it('sees every single bit that flips', () => {
    const telegram = bytes(sealed(EMUCS_1_7_1));
    const right = crc16(telegram);
    for (let at = 0; at < telegram.length; at += 7) {
      telegram[at]! ^= 1 << (at % 8);
      expect(crc16(telegram)).not.toBe(right);
      telegram[at]! ^= 1 << (at % 8);
    }
  });

  it('knows a text whose carriage returns were lost, and leaves one that has them as it is', () => {
    const text = sealed(EMUCS_1_7_1);
    const lost = bytes(text.replaceAll('\r\n', '\n'));
    expect(crc16WithCarriageReturns(lost, 0, lost.length)).toBe(crc16(bytes(text)));
    expect(crc16WithCarriageReturns(bytes(text), 0, text.length)).toBe(crc16(bytes(text)));
  });
});
