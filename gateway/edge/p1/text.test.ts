import { describe, expect, it } from 'vitest';
import { hex } from './example.ts';
import { hasValidCheckDigit, isEan, readIdentifier, readMessage } from './text.ts';
import { findUnit } from './units.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const identifier = (text: string) => readIdentifier(bytes(text), 0, text.length);
const message = (text: string) => readMessage(bytes(text), 0, text.length);

describe('octet strings', () => {
  it.each([
    ['00000000000000', 'hex of no text'],
    ['ADC3100000158491', 'hex of bytes beyond ASCII'],
    ['3960221976967177082151037881335713', 'an anonymised one'],
    ['272031312565X', 'no hex'],
    ['0272031312565', 'an odd number of digits'],
    ['serienummer', 'plain text'],
  ])('keeps the identifier %s as printed (%s)', (text) => {
    expect(identifier(text)).toBe(text);
  });

  it('decodes an identifier, in either case, and takes blanks for nothing', () => {
    expect(identifier(hex('1SAG1105511887'))).toBe('1SAG1105511887');
    expect(identifier(hex('7FLO2121045566').toLowerCase())).toBe('7FLO2121045566');
    expect(identifier(hex(' '.repeat(18)))).toBeNull();
    expect(identifier('')).toBeNull();
  });

  it('decodes a message that is hex, UTF-8 or Latin-1, and one that was wrapped', () => {
    expect(message(hex('Coupure le 3/4'))).toBe('Coupure le 3/4');
    expect(message(Buffer.from('Été', 'utf8').toString('hex'))).toBe('Été');
    expect(message(Buffer.from('Été', 'latin1').toString('hex'))).toBe('Été');
    expect(message('303132 333435')).toBe('012345');
  });

  it('keeps a message that is printed plain, brackets, slashes and all', () => {
    expect(message('see (/FLU5) for more')).toBe('see (/FLU5) for more');
    expect(message('m\u00b3')).toBe('m³');
    expect(message('')).toBeNull();
  });
});

describe('EAN', () => {
  it('is 18 digits, and nothing else', () => {
    expect(isEan('54144882000000001')).toBe(false);
    expect(isEan('5414488200000000166')).toBe(false);
    expect(isEan('54144882000000001X')).toBe(false);
    expect(isEan(null)).toBe(false);
  });

  it('is kept with a wrong check digit, which only the check tells', () => {
    expect(hasValidCheckDigit('541448820000000017')).toBe(false);
    expect(isEan('541448820000000017')).toBe(true);
    // GS1 General Specifications §7.9.1, the 18-digit example.
    expect(hasValidCheckDigit('376104250021234569')).toBe(true);
  });
});

describe('units', () => {
  const find = (text: string) => findUnit(bytes(text), 0, text.length);

  it('does not guess at one that it does not know', () => {
    for (const text of ['', 'k', 'kwH', 'kWhh', 'm2', 'Nm3', 'kWh ']) expect(find(text)).toBeUndefined();
  });

  it('knows the spellings of the field', () => {
    expect(find('kWh')).toMatchObject({ unit: 'Wh', exponent: 3 });
    expect(find('kVArh')).toMatchObject({ unit: 'varh', exponent: 3, printed: 'kvarh' });
    expect(find('GJ')).toMatchObject({ unit: 'J', exponent: 9 });
    expect(find('m\u00b3')).toMatchObject({ unit: 'm3', printed: 'm3' });
    expect(findUnit(Buffer.from('m³', 'utf8'), 0, 3)).toMatchObject({ unit: 'm3' });
  });
});
