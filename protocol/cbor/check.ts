import { isUtf8 } from 'node:buffer';
import { CborError } from './error.ts';
import { CborReader } from './reader.ts';

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

/** RFC 8949 §3.1. An unsigned integer (0) and a simple value (7) are all head. */
const MAJOR = { negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6 } as const;

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
  const reader = new CborReader(bytes);
  new Walk(reader, bounds, form).item(bounds.depthMax);
  reader.end();
}

class Walk {
  readonly #reader: CborReader;
  readonly #ordered: boolean;
  #itemsLeft: number;

  constructor(reader: CborReader, bounds: CborBounds, form: CborForm) {
    this.#reader = reader;
    this.#ordered = form === 'deterministic';
    this.#itemsLeft = bounds.itemsMax;
  }

  item(depthLeft: number): void {
    const reader = this.#reader;
    if (depthLeft <= 0) reader.fail('ERR_CBOR_BOUNDS', 'nested too deeply');
    if (--this.#itemsLeft < 0) reader.fail('ERR_CBOR_BOUNDS', 'too many items');
    const { major, argument } = reader.anyHead();
    if (major === MAJOR.negative) {
      // -1 - n must be a safe integer too.
      if (argument === Number.MAX_SAFE_INTEGER) reader.fail('ERR_CBOR_BOUNDS', 'an integer is out of range');
    } else if (major === MAJOR.bytes) reader.content(argument);
    else if (major === MAJOR.text) {
      if (!isUtf8(reader.content(argument))) reader.fail('ERR_CBOR_FORM', 'a text that is not UTF-8');
    } else if (major === MAJOR.array) this.#array(argument, depthLeft - 1);
    else if (major === MAJOR.map) this.#map(argument, depthLeft - 1);
    else if (major === MAJOR.tag) reader.fail('ERR_CBOR_FORM', 'a tag where none is expected');
  }

  #array(count: number, depthLeft: number): void {
    // Each item takes at least one of those left: a count beyond them is a lie, refused unread.
    if (count > this.#itemsLeft) this.#reader.fail('ERR_CBOR_BOUNDS', 'too many items');
    for (let index = 0; index < count; index += 1) this.item(depthLeft);
  }

  #map(count: number, depthLeft: number): void {
    const reader = this.#reader;
    if (count * 2 > this.#itemsLeft) reader.fail('ERR_CBOR_BOUNDS', 'too many items');
    if (!this.#ordered && count > UNORDERED_MAP_ENTRIES_MAX)
      reader.fail('ERR_CBOR_BOUNDS', 'too many map entries');
    const keys: Uint8Array[] = [];
    for (let index = 0; index < count; index += 1) {
      const start = reader.offset;
      this.item(depthLeft);
      const key = reader.since(start);
      if (this.#ordered) {
        const previous = keys.pop();
        if (previous !== undefined && Buffer.compare(previous, key) >= 0)
          reader.fail('ERR_CBOR_FORM', 'map keys twice or out of order');
      } else if (keys.some((other) => Buffer.compare(other, key) === 0))
        reader.fail('ERR_CBOR_FORM', 'a map key twice');
      keys.push(key);
      this.item(depthLeft);
    }
  }
}
