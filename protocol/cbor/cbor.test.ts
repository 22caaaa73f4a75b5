import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHesError } from '../errors.ts';
import { checkCbor } from './check.ts';
import { type CborValue, decodeCbor, encodeCbor, wireInteger } from './codec.ts';
import { CborReader } from './reader.ts';
import { CborWriter } from './writer.ts';

const SEED = 20_260_328;
const BOUNDS = { bytesMax: 4_096, depthMax: 8, itemsMax: 512 };

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    return isHesError(error) ? error.code : `not ours: ${String(error)}`;
  }
}

/** Bytes, what is wrong with them, and the code. Each is one item but for what the name says. */
const WRONG: readonly (readonly [name: string, bytes: string, code: string])[] = [
  ['nothing at all', '', 'ERR_CBOR_TRUNCATED'],
  ['a head that ends early', '1a0001', 'ERR_CBOR_TRUNCATED'],
  ['a byte string that ends early', '44 010203', 'ERR_CBOR_TRUNCATED'],
  ['an array that ends early', '82 01', 'ERR_CBOR_TRUNCATED'],
  ['bytes behind the item', '01 02', 'ERR_CBOR_TRAILING'],
  ['a number longer than it need be', '18 17', 'ERR_CBOR_FORM'],
  ['a two-byte number longer than it need be', '19 00ff', 'ERR_CBOR_FORM'],
  ['a four-byte number longer than it need be', '1a 0000ffff', 'ERR_CBOR_FORM'],
  ['an eight-byte number longer than it need be', '1b 00000000ffffffff', 'ERR_CBOR_FORM'],
  ['a number beyond 2^53', '1b 0020000000000000', 'ERR_CBOR_BOUNDS'],
  ['a negative number beyond -2^53', '3b 001fffffffffffff', 'ERR_CBOR_BOUNDS'],
  ['an array of an indefinite length', '9f 01 ff', 'ERR_CBOR_FORM'],
  ['a reserved head', '1c', 'ERR_CBOR_FORM'],
  ['a float', 'fb 3ff0000000000000', 'ERR_CBOR_FORM'],
  ['a half float', 'f9 3c00', 'ERR_CBOR_FORM'],
  ['undefined', 'f7', 'ERR_CBOR_FORM'],
  ['a tag', 'c0 01', 'ERR_CBOR_FORM'],
  ['a text that is not UTF-8', '61 ff', 'ERR_CBOR_FORM'],
  ['map keys out of order', 'a2 0200 0100', 'ERR_CBOR_FORM'],
  ['a map key twice', 'a2 0100 0100', 'ERR_CBOR_FORM'],
  ['an array that claims four billion items', '9a ffffffff', 'ERR_CBOR_BOUNDS'],
  ['a map that claims four billion entries', 'ba ffffffff', 'ERR_CBOR_BOUNDS'],
  ['a byte string that claims a gigabyte', '5a 40000000', 'ERR_CBOR_TRUNCATED'],
  ['nesting deeper than the bound', '81 81 81 81 81 81 81 81 01', 'ERR_CBOR_BOUNDS'],
];

describe('the CBOR check', () => {
  it.each(WRONG)('refuses %s', (_, bytes, code) => {
    expect(codeOf(() => checkCbor(hex(bytes), BOUNDS))).toBe(code);
    expect(codeOf(() => decodeCbor(hex(bytes), BOUNDS))).toBe(code);
  });

  it('refuses more bytes, and more items, than its bounds', () => {
    expect(codeOf(() => checkCbor(new Uint8Array(4_097), BOUNDS))).toBe('ERR_CBOR_BOUNDS');
    const many = Buffer.concat([hex('990201'), new Uint8Array(513)]);
    expect(codeOf(() => checkCbor(many, BOUNDS))).toBe('ERR_CBOR_BOUNDS');
  });

  it('takes keys in any order for the headers of others, but none twice', () => {
    expect(codeOf(() => checkCbor(hex('a2 0200 0100'), BOUNDS, 'any-key-order'))).toBe('none');
    expect(codeOf(() => checkCbor(hex('a2 0100 0100'), BOUNDS, 'any-key-order'))).toBe('ERR_CBOR_FORM');
    const wide = Buffer.concat([
      hex('b821'),
      ...Array.from({ length: 33 }, (_, n) =>
        hex(n < 24 ? `${n.toString(16).padStart(2, '0')}00` : `18${n.toString(16)}00`),
      ),
    ]);
    expect(codeOf(() => checkCbor(wide, BOUNDS, 'any-key-order'))).toBe('ERR_CBOR_BOUNDS');
    expect(codeOf(() => checkCbor(wide, BOUNDS))).toBe('none');
  });

  it('meets any bytes with a value or an error of ours', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(codeOf(() => decodeCbor(bytes, BOUNDS))).toMatch(/^none$|^ERR_CBOR_/);
        expect(codeOf(() => decodeCbor(bytes, BOUNDS, 'any-key-order'))).toMatch(/^none$|^ERR_CBOR_/);
      }),
      { seed: SEED, numRuns: 3_000 },
    );
  });

  it('lets nothing through that encodes to other bytes', () => {
    const inverse = (item: unknown): CborValue => {
      if (typeof item === 'number') return wireInteger(item);
      if (Array.isArray(item)) return item.map(inverse);
      if (item instanceof Map)
        return new Map([...item].map(([key, value]) => [inverse(key) as number, inverse(value)]));
      return item as CborValue;
    };
    // Short strings over few bytes, so that a good part of them is CBOR.
    const bytes = fc.array(fc.constantFrom(0, 1, 0x17, 0x18, 0x20, 0x41, 0x61, 0x81, 0x82, 0xa1, 0xf6), {
      minLength: 1,
      maxLength: 8,
    });
    let taken = 0;
    fc.assert(
      fc.property(bytes, (numbers) => {
        const input = Uint8Array.from(numbers);
        if (codeOf(() => checkCbor(input, BOUNDS)) !== 'none') return;
        taken += 1;
        expect(Buffer.from(encodeCbor(inverse(decodeCbor(input, BOUNDS)), BOUNDS))).toEqual(
          Buffer.from(input),
        );
      }),
      { seed: SEED, numRuns: 5_000 },
    );
    expect(taken).toBeGreaterThan(200);
  });
});

describe('the reader and the writer', () => {
  const integers = fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom(
      0,
      23,
      24,
      255,
      256,
      65_535,
      65_536,
      2 ** 32 - 1,
      2 ** 32,
      -24,
      -25,
      -256,
      -257,
      -(2 ** 32),
      -(2 ** 32) - 1,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
    ),
  );

  it('write what cbor-x reads, and read what cbor-x writes', () => {
    const writer = new CborWriter(BOUNDS.bytesMax);
    fc.assert(
      fc.property(integers, fc.uint8Array({ maxLength: 300 }), (value, bytes) => {
        const text = Buffer.from(bytes).toString('hex').slice(0, 280);
        const written = writer.write(() => {
          writer.array(5);
          writer.integer(value);
          writer.bytes(bytes);
          writer.text(text);
          writer.null();
          writer.map(0);
        });
        const generic = encodeCbor([wireInteger(value), bytes, text, null, new Map()], BOUNDS);
        expect(written).toEqual(Buffer.from(generic));
        expect(decodeCbor(written, BOUNDS)).toEqual([value, Buffer.from(bytes), text, null, new Map()]);

        const reader = new CborReader(generic);
        expect(reader.array(5, 5)).toBe(5);
        expect(reader.integer()).toBe(value);
        expect(reader.bytes(300)).toEqual(Buffer.from(bytes));
        expect(reader.text(280)).toBe(text);
        expect(reader.isNull()).toBe(true);
        expect(reader.map(0, 0)).toBe(0);
        reader.end();
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  it.each(WRONG.filter(([name]) => /number/.test(name)))('refuse %s', (_, bytes, code) => {
    expect(codeOf(() => new CborReader(hex(bytes)).integer())).toBe(code);
  });

  it('refuse a count or a length beyond its bound before anything is made for it', () => {
    expect(codeOf(() => new CborReader(hex('9affffffff')).series(0, 100))).toBe('ERR_CBOR_SCHEMA');
    expect(codeOf(() => new CborReader(hex('bb001fffffffffffff')).map(0, 9))).toBe('ERR_CBOR_SCHEMA');
    expect(codeOf(() => new CborReader(hex('5a40000000')).bytes(64))).toBe('ERR_CBOR_SCHEMA');
    expect(codeOf(() => new CborReader(hex('5840')).bytes(64))).toBe('ERR_CBOR_TRUNCATED');
  });

  it('refuse to write beyond their bound', () => {
    const writer = new CborWriter(16);
    expect(codeOf(() => writer.write(() => writer.bytes(new Uint8Array(17))))).toBe('ERR_CBOR_BOUNDS');
    expect(writer.write(() => writer.bytes(new Uint8Array(15))).length).toBe(16);
  });

  it('write a number that cbor-x alone would turn into a float as an integer', () => {
    expect(Buffer.from(encodeCbor(wireInteger(2 ** 40), BOUNDS)).toString('hex')).toBe('1b0000010000000000');
    expect(codeOf(() => encodeCbor(2 ** 40, BOUNDS))).toBe('ERR_CBOR_FORM');
    expect(codeOf(() => wireInteger(1.5))).toBe('ERR_CBOR_FORM');
  });
});
