import { describe, expect, it } from 'vitest';
import type { Medium, ObisCode, Unit } from '../../../protocol/reading.ts';
import { type Role, readingType } from './reading-type.ts';
import { READING_TYPES, UNITS } from './reading-types.ts';

const QUARTER: Role = { periodSeconds: 900 };

describe('reading types', () => {
  it('keeps what it does not know, with its unit and a marker, in place of dropping it', () => {
    const unknown = readingType('electricity', '1-0:99.8.0' as ObisCode, 'Wh', 'register');
    expect(unknown).toEqual({ ref: '0.0.0.0.0.1.0.0.0.0.0.0.0.0.0.3.72.0', multiplier: 3, mapped: false });
  });

  it('does not call a code known that comes in another unit than it has', () => {
    expect(readingType('electricity', '1-0:1.8.0' as ObisCode, 'm3', 'register').mapped).toBe(false);
  });

  it('does not call a code of electricity known on a gas meter', () => {
    expect(readingType('gas', '1-0:1.8.0' as ObisCode, 'Wh', 'register').mapped).toBe(false);
  });

  it('does not call a register a monthly peak, nor a period of 7 minutes a measuring period', () => {
    expect(readingType('electricity', '1-0:1.8.0' as ObisCode, 'Wh', 'peak').mapped).toBe(false);
    const odd = readingType('electricity', '1-0:1.8.0' as ObisCode, 'Wh', { periodSeconds: 420 });
    expect(odd.mapped).toBe(false);
  });

  it.each<[Medium, string, Unit, Role, string]>([
    ['electricity', '1-0:1.8.0', 'Wh', 'register', '0.0.0.1.1.1.12.0.0.0.0.0.0.0.0.3.72.0'],
    ['electricity', '1-0:2.8.0', 'Wh', 'register', '0.0.0.1.19.1.12.0.0.0.0.0.0.0.0.3.72.0'],
    ['electricity', '1-0:1.8.1', 'Wh', 'register', '0.0.0.1.1.1.12.0.0.0.0.1.0.0.0.3.72.0'],
    ['electricity', '1-0:1.8.2', 'Wh', 'register', '0.0.0.1.1.1.12.0.0.0.0.2.0.0.0.3.72.0'],
    ['electricity', '1-0:2.8.1', 'Wh', 'register', '0.0.0.9.19.1.12.0.0.0.0.1.0.0.0.3.72.0'],
    ['electricity', '1-0:2.8.2', 'Wh', 'register', '0.0.0.9.19.1.12.0.0.0.0.2.0.0.0.3.72.0'],
    ['electricity', '1-0:1.8.0', 'Wh', QUARTER, '0.0.2.4.1.1.12.0.0.0.0.0.0.0.0.3.72.0'],
    ['electricity', '1-0:2.8.0', 'Wh', QUARTER, '0.0.2.4.19.1.12.0.0.0.0.0.0.0.0.3.72.0'],
    ['electricity', '1-0:3.8.0', 'varh', 'register', '0.0.0.1.5.1.12.0.0.0.0.0.0.0.0.3.73.0'],
    ['electricity', '1-0:1.6.0', 'W', 'peak', '13.8.2.6.1.1.8.0.0.0.0.0.0.0.0.3.38.0'],
    ['electricity', '1-0:32.7.0', 'V', 'minimum', '11.9.0.6.0.1.54.0.0.0.0.0.0.0.129.0.29.0'],
    ['electricity', '1-0:31.7.0', 'A', 'maximum', '11.8.0.6.0.1.4.0.0.0.0.0.0.0.128.0.5.0'],
    ['gas', '0-1:24.2.3', 'm3', 'register', '0.0.0.1.1.7.58.0.0.0.0.0.0.0.0.0.42.0'],
    ['gas', '0-2:24.2.1', 'm3', { periodSeconds: 3_600 }, '0.0.7.4.1.7.58.0.0.0.0.0.0.0.0.0.42.0'],
    ['water', '0-2:24.2.1', 'm3', 'register', '0.0.0.1.1.9.58.0.0.0.0.0.0.0.0.0.42.0'],
    ['water', '0-4:24.2.3', 'm3', 'register', '0.0.0.1.1.9.58.0.0.0.0.0.0.0.0.0.42.0'],
    ['heat', '0-1:24.2.1', 'J', 'register', '0.0.0.1.1.12.12.0.0.0.0.0.0.0.0.9.31.0'],
  ])('states %s %s in %s (%o) as %s', (medium, obis, unit, role, ref) => {
    expect(readingType(medium, obis as ObisCode, unit, role)).toMatchObject({ ref, mapped: true });
  });

  it('has one row per medium, code and unit, each of 18 fields that say its unit and multiplier', () => {
    const names = READING_TYPES.map(({ medium, obis, unit }) => `${medium} ${obis} ${unit}`);
    expect(new Set(names).size).toBe(names.length);
    for (const { medium, obis, unit } of READING_TYPES) {
      const fields = readingType(medium, obis.replace('n', '3') as ObisCode, unit, 'register').ref.split('.');
      expect(fields).toHaveLength(18);
      expect(fields.slice(15, 17)).toEqual([String(UNITS[unit].multiplier), String(UNITS[unit].code)]);
    }
  });
});
