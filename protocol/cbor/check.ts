import { isUtf8 } from 'node:buffer';
import { type CborCode, CborError } from './error.ts';

/** What one decoder is prepared to take in. Checked over the bytes, before anything is allocated for them. */
export interface CborBounds {
  readonly bytesMax: number;
  /** Nesting: a bare number has depth 1, an array of numbers 2. */
  readonly depthMax: number;
  /** Data items in all, keys included. */
  readonly itemsMax: number;
}

/**
 * `deterministic`: RFC 8949 §4.2.1, map keys in bytewise order. `any-key-order`: the same, but keys may come
 * in any order, as COSE headers of other senders do (RFC 9052 §3 forbids duplicates only).
 */
export type CborForm = 'deterministic' | 'any-key-order';

/** Maps whose keys are compared pairwise; RFC 9052 headers have fewer than ten. */
const UNORDERED_MAP_ENTRIES_MAX = 32;

/**
 * Refuse bytes that are not one CBOR item in the one form that this protocol writes.
 *
 * A decoder can then build values from them without limits of its own: definite lengths that are really there,
 * shortest heads, no duplicate keys, valid UTF-8, integers that a JavaScript number holds exactly, and nothing
 * that a generic decoder would interpret (tags, floats, undefined). One item has one encoding, so that what
 * was signed can be decoded, encoded again and compared.
 *
 * @throws ERR_CBOR_TRUNCATED, ERR_CBOR_TRAILING, ERR_CBOR_BOUNDS, ERR_CBOR_FORM; `context.offset` says where.
 */
export function checkCbor(bytes: Uint8Array, bounds: CborBounds, form: CborForm = 'deterministic'): void {
  if (bytes.length > bounds.bytesMax)
    throw new CborError('ERR_CBOR_BOUNDS', `more than ${bounds.bytesMax} bytes`);
  const walk = new Walk(bytes, bounds, form);
  walk.item(bounds.depthMax);
  if (walk.offset < bytes.length) walk.fail('ERR_CBOR_TRAILING', 'bytes follow the item');
}

/** RFC 8949 §3.1; 0 is an unsigned integer, of which the head is all. */
const MAJOR = { negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;
const SIMPLE_FALSE = 20;
const SIMPLE_NULL = 22;

class Walk {
  offset = 0;
  readonly #bytes: Uint8Array;
  readonly #ordered: boolean;
  #itemsLeft: number;

  constructor(bytes: Uint8Array, bounds: CborBounds, form: CborForm) {
    this.#bytes = bytes;
    this.#ordered = form === 'deterministic';
    this.#itemsLeft = bounds.itemsMax;
  }

  fail(code: CborCode, message: string): never {
    throw new CborError(code, message, this.offset);
  }

  item(depthLeft: number): void {
    if (depthLeft <= 0) this.fail('ERR_CBOR_BOUNDS', 'nested too deeply');
    if (--this.#itemsLeft < 0) this.fail('ERR_CBOR_BOUNDS', 'too many items');
    const initial = this.#byte();
    const major = initial >> 5;
    const info = initial & 31;
    if (major === MAJOR.simple) this.#simple(info);
    else {
      const argument = this.#argument(info);
      if (major === MAJOR.negative) this.#negative(argument);
      else if (major === MAJOR.bytes) this.#skip(argument);
      else if (major === MAJOR.text) this.#text(argument);
      else if (major === MAJOR.array) this.#array(argument, depthLeft - 1);
      else if (major === MAJOR.map) this.#map(argument, depthLeft - 1);
      else if (major === MAJOR.tag) this.fail('ERR_CBOR_FORM', 'a tag where none is expected');
    }
  }

  #byte(): number {
    const byte = this.#bytes[this.offset];
    if (byte === undefined) this.fail('ERR_CBOR_TRUNCATED', 'the bytes end inside an item');
    this.offset += 1;
    return byte;
  }

  #simple(info: number): void {
    if (info < SIMPLE_FALSE || info > SIMPLE_NULL)
      this.fail('ERR_CBOR_FORM', 'a float or simple value where none is expected');
  }

  /** The argument of a head, shortest form only (RFC 8949 §4.2.1). */
  #argument(info: number): number {
    if (info < 24) return info;
    if (info === 24) return this.#atLeast(24, this.#byte());
    if (info === 25) return this.#atLeast(0x100, this.#uint16());
    if (info === 26) return this.#atLeast(0x10000, this.#uint16() * 0x10000 + this.#uint16());
    if (info > 27) this.fail('ERR_CBOR_FORM', 'an indefinite length or a reserved head');
    const upper = this.#uint16() * 0x10000 + this.#uint16();
    const argument = upper * 0x100000000 + this.#uint16() * 0x10000 + this.#uint16();
    if (argument > Number.MAX_SAFE_INTEGER) this.fail('ERR_CBOR_BOUNDS', 'an integer is out of range');
    return this.#atLeast(0x100000000, argument);
  }

  #uint16(): number {
    return this.#byte() * 0x100 + this.#byte();
  }

  #atLeast(least: number, argument: number): number {
    if (argument < least) this.fail('ERR_CBOR_FORM', 'a head longer than its value needs');
    return argument;
  }

  /** -1 - n must be a safe integer too. */
  #negative(argument: number): void {
    if (argument >= Number.MAX_SAFE_INTEGER) this.fail('ERR_CBOR_BOUNDS', 'an integer is out of range');
  }

  #skip(length: number): void {
    if (length > this.#bytes.length - this.offset)
      this.fail('ERR_CBOR_TRUNCATED', 'the bytes end inside a string');
    this.offset += length;
  }

  #text(length: number): void {
    const start = this.offset;
    this.#skip(length);
    for (let index = start; index < this.offset; index += 1)
      if (this.#bytes[index]! > 0x7f) {
        if (isUtf8(this.#bytes.subarray(start, this.offset))) return;
        this.fail('ERR_CBOR_FORM', 'a text that is not UTF-8');
      }
  }

  #array(count: number, depthLeft: number): void {
    // Each item takes at least a byte: a count beyond the bytes that are left is a lie, refused unread.
    if (count > this.#itemsLeft) this.fail('ERR_CBOR_BOUNDS', 'too many items');
    for (let index = 0; index < count; index += 1) this.item(depthLeft);
  }

  #map(count: number, depthLeft: number): void {
    if (count * 2 > this.#itemsLeft) this.fail('ERR_CBOR_BOUNDS', 'too many items');
    if (this.#ordered) this.#orderedMap(count, depthLeft);
    else this.#unorderedMap(count, depthLeft);
  }

  #unorderedMap(count: number, depthLeft: number): void {
    if (count > UNORDERED_MAP_ENTRIES_MAX) this.fail('ERR_CBOR_BOUNDS', 'too many map entries');
    const keys: Uint8Array[] = [];
    for (let index = 0; index < count; index += 1) {
      const start = this.offset;
      this.item(depthLeft);
      const key = this.#bytes.subarray(start, this.offset);
      if (keys.some((other) => Buffer.compare(other, key) === 0))
        this.fail('ERR_CBOR_FORM', 'a map key twice');
      keys.push(key);
      this.item(depthLeft);
    }
  }

  #orderedMap(count: number, depthLeft: number): void {
    let previousStart = -1;
    let previousEnd = -1;
    for (let index = 0; index < count; index += 1) {
      const start = this.offset;
      this.item(depthLeft);
      if (index > 0 && !this.#rises(previousStart, previousEnd, start, this.offset))
        this.fail('ERR_CBOR_FORM', 'map keys twice or out of order');
      previousStart = start;
      previousEnd = this.offset;
      this.item(depthLeft);
    }
  }

  /** Bytewise lexicographic order of two encoded keys, without slices: this runs for every reading. */
  #rises(start: number, end: number, nextStart: number, nextEnd: number): boolean {
    const bytes = this.#bytes;
    const length = Math.min(end - start, nextEnd - nextStart);
    for (let index = 0; index < length; index += 1) {
      const difference = bytes[nextStart + index]! - bytes[start + index]!;
      if (difference !== 0) return difference > 0;
    }
    return false;
  }
}
