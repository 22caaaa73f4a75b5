import { type CborCode, CborError } from './error.ts';

/** RFC 8949 §3.1: the upper three bits of a head. */
const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;
const SIMPLE = 7;
const NULL = 0xf6;
/** Heads of unsigned integers whose argument takes one byte or two. */
const ONE_BYTE = 0x18;
const TWO_BYTES = 0x19;
const SIMPLE_FALSE = 20;
const SIMPLE_NULL = 22;

/**
 * Reads deterministic CBOR (RFC 8949 §4.2.1) item by item, as the caller's schema asks for them.
 *
 * The schema is what bounds it: nothing is read that the schema did not ask for, so depth is the schema's, a
 * count is compared with its maximum before anything is made for it, and a string with the bytes that are left.
 * Every method throws a CborError: ERR_CBOR_SCHEMA where something else stands there, ERR_CBOR_TRUNCATED,
 * ERR_CBOR_BOUNDS or ERR_CBOR_FORM where the bytes are at fault.
 */
export class CborReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  fail(code: CborCode, message: string): never {
    throw new CborError(code, message, this.#at);
  }

  /** Where the cursor stands; `rewind` goes back to it. */
  get offset(): number {
    return this.#at;
  }

  rewind(offset: number): void {
    this.#at = offset;
  }

  /** All of the bytes belong to the item that was read. */
  end(): void {
    if (this.#at < this.#bytes.length) this.fail('ERR_CBOR_TRAILING', 'bytes follow the item');
  }

  #head(major: number, expected: string): number {
    const initial = this.#byte();
    if (initial >> 5 !== major) this.fail('ERR_CBOR_SCHEMA', `expected ${expected}`);
    return this.#argument(initial & 31);
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) this.fail('ERR_CBOR_TRUNCATED', 'the bytes end inside an item');
    this.#at += 1;
    return byte;
  }

  /** The argument of a head, in the shortest form only. */
  #argument(info: number): number {
    if (info < 24) return info;
    const at = this.#at;
    if (info === 24) {
      this.#advance(1);
      return this.#atLeast(24, this.#bytes[at]!);
    }
    if (info === 25) {
      this.#advance(2);
      return this.#atLeast(0x100, this.#bytes[at]! * 0x100 + this.#bytes[at + 1]!);
    }
    if (info === 26) {
      this.#advance(4);
      return this.#atLeast(0x10000, this.#bytes.readUInt32BE(at));
    }
    if (info === 27) {
      this.#advance(8);
      const argument = this.#bytes.readUInt32BE(at) * 0x100000000 + this.#bytes.readUInt32BE(at + 4);
      if (argument > Number.MAX_SAFE_INTEGER) this.fail('ERR_CBOR_BOUNDS', 'an integer is out of range');
      return this.#atLeast(0x100000000, argument);
    }
    this.fail('ERR_CBOR_FORM', 'an indefinite length or a reserved head');
  }

  #advance(length: number): void {
    if (length > this.#bytes.length - this.#at)
      this.fail('ERR_CBOR_TRUNCATED', 'the bytes end inside an item');
    this.#at += length;
  }

  #atLeast(least: number, argument: number): number {
    if (argument < least) this.fail('ERR_CBOR_FORM', 'a head longer than its value needs');
    return argument;
  }

  integer(): number {
    const initial = this.#byte();
    const major = initial >> 5;
    if (major > NEGATIVE) this.fail('ERR_CBOR_SCHEMA', 'expected an integer');
    const argument = this.#argument(initial & 31);
    if (major === UNSIGNED) return argument;
    if (argument === Number.MAX_SAFE_INTEGER) this.fail('ERR_CBOR_BOUNDS', 'an integer is out of range');
    return -1 - argument;
  }

  /** An integer that can only be this one: a key of a map, a constant. */
  expect(value: number): void {
    if (this.integer() !== value) this.fail('ERR_CBOR_SCHEMA', `expected the integer ${value}`);
  }

  /**
   * The head of whatever comes next, for a walk without a schema: its major type and its argument. False, true
   * and null are the only simple values; floats and undefined are refused here.
   */
  anyHead(): { readonly major: number; readonly argument: number } {
    const initial = this.#byte();
    const major = initial >> 5;
    const info = initial & 31;
    if (major !== SIMPLE) return { major, argument: this.#argument(info) };
    if (info < SIMPLE_FALSE || info > SIMPLE_NULL)
      this.fail('ERR_CBOR_FORM', 'a float or simple value where none is expected');
    return { major, argument: info };
  }

  /** The content of a string whose head was read. */
  content(length: number): Buffer {
    const start = this.#at;
    this.#advance(length);
    return this.#bytes.subarray(start, this.#at);
  }

  /** What was read since an offset. */
  since(offset: number): Buffer {
    return this.#bytes.subarray(offset, this.#at);
  }

  /** Whether null comes next; it is then read. */
  isNull(): boolean {
    if (this.#bytes[this.#at] !== NULL) return false;
    this.#at += 1;
    return true;
  }

  /** An array of integers and nulls, in one loop: a reading is mostly those. */
  series(countMin: number, countMax: number): (number | null)[] {
    const count = this.array(countMin, countMax);
    // Made at its length, which the bound has passed: growing it by pushes costs as much as all the rest.
    const values = new Array<number | null>(count);
    const bytes = this.#bytes;
    for (let index = 0; index < count; index += 1) {
      const initial = bytes[this.#at];
      // Nearly every quarter-hour of a household has a head of one, two or three bytes.
      if (initial === ONE_BYTE && bytes[this.#at + 1]! >= 24) {
        values[index] = bytes[this.#at + 1]!;
        this.#at += 2;
      } else if (initial === TWO_BYTES && bytes[this.#at + 1]! > 0 && this.#at + 2 < bytes.length) {
        values[index] = bytes[this.#at + 1]! * 0x100 + bytes[this.#at + 2]!;
        this.#at += 3;
      } else values[index] = this.isNull() ? null : this.integer();
    }
    return values;
  }

  /** The start of a string of so many bytes at most; the cursor then stands behind it. */
  #string(major: number, lengthMax: number, expected: string): number {
    const length = this.#head(major, expected);
    if (length > lengthMax)
      this.fail('ERR_CBOR_SCHEMA', `expected ${expected} of at most ${lengthMax} bytes`);
    const start = this.#at;
    this.#advance(length);
    return start;
  }

  /** A view of the input, not a copy. */
  bytes(lengthMax: number): Buffer {
    const start = this.#string(BYTES, lengthMax, 'a byte string');
    return this.#bytes.subarray(start, this.#at);
  }

  /** A byte string of exactly so many bytes. */
  bytesOf(length: number): Buffer {
    const bytes = this.bytes(length);
    if (bytes.length !== length) this.fail('ERR_CBOR_SCHEMA', `expected ${length} bytes`);
    return bytes;
  }

  /** A byte string of six bytes as one number, which needs no view of them. */
  sixBytes(): number {
    const start = this.#string(BYTES, 6, 'a byte string');
    if (this.#at !== start + 6) this.fail('ERR_CBOR_SCHEMA', 'expected 6 bytes');
    return this.#bytes.readUIntBE(start, 6);
  }

  /** Text of this protocol is ASCII; what is not comes out as Latin-1 and fits no pattern of a schema. */
  text(lengthMax: number): string {
    const start = this.#string(TEXT, lengthMax, 'a text');
    return this.#bytes.toString('latin1', start, this.#at);
  }

  /** The tag that says which kind of message follows (RFC 9052 §2). */
  tag(expected: number): void {
    if (this.#head(TAG, 'a tag') !== expected) this.fail('ERR_CBOR_SCHEMA', `expected the tag ${expected}`);
  }

  array(countMin: number, countMax: number): number {
    return this.#count(this.#head(ARRAY, 'an array'), countMin, countMax);
  }

  map(countMin: number, countMax: number): number {
    return this.#count(this.#head(MAP, 'a map'), countMin, countMax);
  }

  #count(count: number, countMin: number, countMax: number): number {
    if (count < countMin || count > countMax)
      this.fail('ERR_CBOR_SCHEMA', `expected from ${countMin} to ${countMax} members`);
    return count;
  }
}
