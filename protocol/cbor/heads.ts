/**
 * The few CBOR heads that the COSE structures and contexts are made of, written by hand: those are rebuilt for
 * every message, hashed and thrown away, and have a fixed shape. RFC 8949 §3, shortest form.
 */
const MAJOR = { bytes: 2, text: 3, array: 4, unsigned: 0 } as const;

function head(major: number, argument: number): Uint8Array {
  if (argument < 24) return Uint8Array.of((major << 5) | argument);
  if (argument < 0x100) return Uint8Array.of((major << 5) | 24, argument);
  if (argument < 0x10000) return Uint8Array.of((major << 5) | 25, argument >> 8, argument & 0xff);
  if (argument > 0xffffffff) throw new RangeError('longer than any message here');
  const bytes = new Uint8Array(5);
  bytes[0] = (major << 5) | 26;
  new DataView(bytes.buffer).setUint32(1, argument);
  return bytes;
}

export const unsignedHead = (value: number): Uint8Array => head(MAJOR.unsigned, value);
export const bytesHead = (length: number): Uint8Array => head(MAJOR.bytes, length);
export const arrayHead = (count: number): Uint8Array => head(MAJOR.array, count);
export const textHead = (length: number): Uint8Array => head(MAJOR.text, length);

/** The head that is a whole item: null. */
export const NULL = Uint8Array.of(0xf6);
