import { Encoder, type Options } from 'cbor-x';
import { type CborBounds, type CborForm, checkCbor } from './check.ts';
import { CborError } from './error.ts';

/** A value that this protocol puts on the wire. Numbers are safe integers; map keys come in encoded order. */
export type CborValue =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborValue[]
  | ReadonlyMap<number | string, CborValue>
  /** Only as `wireInteger` makes it. */
  | bigint;

/** A value as it comes off the wire: checked for form and bounds, not yet for meaning. */
export type CborItem =
  | number
  | string
  | boolean
  | null
  | Uint8Array
  | readonly CborItem[]
  | ReadonlyMap<CborItem, CborItem>;

// int64AsNumber is understood by cbor-x 1.6 and missing from its types. Exact here: `checkCbor` refuses
// integers beyond 2^53 before cbor-x sees them.
const options: Options & { int64AsNumber: boolean } = {
  useRecords: false,
  mapsAsObjects: false,
  tagUint8Array: false,
  variableMapSize: true,
  int64AsNumber: true,
};
const codec = new Encoder(options);

const UINT32_MAX = 0xffffffff;

/** cbor-x writes a number beyond 32 bits as a float; integers are never floats here. */
export function wireInteger(value: number): number | bigint {
  if (!Number.isSafeInteger(value)) throw new CborError('ERR_CBOR_FORM', 'not a safe integer');
  return value > UINT32_MAX || value < -UINT32_MAX - 1 ? BigInt(value) : value;
}

/**
 * Encode with cbor-x, then hold the bytes against the form and bounds that every decoder demands: cbor-x does
 * not promise deterministic output, so what it wrote is checked rather than trusted.
 * @throws ERR_CBOR_BOUNDS, ERR_CBOR_FORM
 */
export function encodeCbor(value: CborValue, bounds: CborBounds): Uint8Array {
  const encoded = codec.encode(value);
  checkCbor(encoded, bounds);
  // A copy: cbor-x hands out views of a pooled buffer, which would keep its neighbours alive.
  return new Uint8Array(encoded);
}

/**
 * Decode one item. Byte strings are views of the input.
 * @throws ERR_CBOR_TRUNCATED, ERR_CBOR_TRAILING, ERR_CBOR_BOUNDS, ERR_CBOR_FORM
 */
export function decodeCbor(bytes: Uint8Array, bounds: CborBounds, form?: CborForm): CborItem {
  checkCbor(bytes, bounds, form);
  try {
    return codec.decode(bytes) as CborItem;
  } catch {
    // Nothing that passed the check is known to get here; a decoder's bug must not end a process.
    throw new CborError('ERR_CBOR_FORM', 'the decoder refused the item');
  }
}
