/**
 * The outside of an encrypted telegram: general-glo-ciphering (IEC 62056-5-3 §7.3.13, Luxembourg P1 1.1.3 §3.2.5):
 *
 *     DB  08 title(8)  length(BER)  security  counter(4)  ciphertext  tag(12)
 *
 * The length counts from `security` to the end of the tag. It is the only thing that says where the frame ends:
 * ciphertext holds every byte, and pauses do not survive the first TCP bridge.
 */

/** The tag of general-glo-ciphering, with which a frame begins. */
export const GLO_TAG = 0xdb;
export const TITLE_BYTES = 8;
export const COUNTER_BYTES = 4;
/** GCM tags of DLMS are cut to 96 bits (IEC 62056-5-3 §5.3.7.3). */
export const AUTHENTICATION_TAG_BYTES = 12;

/**
 * Longest frame that is waited for. A telegram of Luxembourg is 1.5 KiB, with five messages of 1024 characters in
 * hex about 11; a length field of noise may say 4 GiB, and as much would be swallowed.
 */
export const GLO_FRAME_BYTES_MAX = 16_384;

const TITLE_AT = 2;
const LENGTH_AT = TITLE_AT + TITLE_BYTES;
const SECURITY_BYTES = 1;

/** BER (X.690 §8.1.3): below 0x80 the length itself, above it how many bytes of length follow. */
const BER_LONG = 0x80;
const BER_LENGTH_BYTES_MAX = 4;

/** Security control (IEC 62056-5-3 §5.3.7.2.1): bits of the byte in front of the counter. */
export const SECURITY = {
  suite: 0x0f,
  authenticated: 0x10,
  encrypted: 0x20,
  broadcastKey: 0x40,
  compressed: 0x80,
} as const;
/** Suites 0 and 1 encrypt with AES-128-GCM; 2 takes keys of 256 bits, which no P1 port was seen with. */
const SUITE_MAX = 1;

export interface GloFrame {
  readonly title: Buffer;
  readonly security: number;
  readonly counter: Buffer;
  readonly ciphertext: Buffer;
  /** Null where the security byte says that there is none. */
  readonly tag: Buffer | null;
}

export const GLO_MORE = -1;
export const GLO_NONE = 0;

/** How many bytes of length a BER length has in all, itself included; GLO_NONE for a form that cannot be. */
function lengthFieldBytes(first: number): number {
  if (first < BER_LONG) return 1;
  const more = first - BER_LONG;
  return more === 0 || more > BER_LENGTH_BYTES_MAX ? GLO_NONE : 1 + more;
}

/**
 * How long the frame is that begins at `bytes[at]`: GLO_MORE while too few bytes are there to tell, GLO_NONE where
 * none can begin, decided by the first byte that is wrong.
 */
export function gloFrameLength(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return GLO_MORE;
  if (bytes[at] !== GLO_TAG) return GLO_NONE;
  if (at + 1 >= end) return GLO_MORE;
  if (bytes[at + 1] !== TITLE_BYTES) return GLO_NONE;
  const lengthAt = at + LENGTH_AT;
  if (lengthAt >= end) return GLO_MORE;
  const fieldBytes = lengthFieldBytes(bytes[lengthAt]!);
  if (fieldBytes === GLO_NONE) return GLO_NONE;
  const securityAt = lengthAt + fieldBytes;
  if (securityAt >= end) return GLO_MORE;
  const security = bytes[securityAt]!;
  if (!isSecurity(security)) return GLO_NONE;
  const length = berLength(bytes, lengthAt, fieldBytes);
  const least = SECURITY_BYTES + COUNTER_BYTES + tagBytes(security);
  const total = securityAt - at + length;
  return length <= least || total > GLO_FRAME_BYTES_MAX ? GLO_NONE : total;
}

/** The parts of a whole frame, as views; `bytes` is as long as `gloFrameLength` said. */
export function readGloFrame(bytes: Buffer): GloFrame {
  const securityAt = LENGTH_AT + lengthFieldBytes(bytes[LENGTH_AT]!);
  const counterAt = securityAt + SECURITY_BYTES;
  const cipherAt = counterAt + COUNTER_BYTES;
  const security = bytes[securityAt]!;
  const cipherEnd = bytes.length - tagBytes(security);
  return {
    title: bytes.subarray(TITLE_AT, LENGTH_AT),
    security,
    counter: bytes.subarray(counterAt, cipherAt),
    ciphertext: bytes.subarray(cipherAt, cipherEnd),
    tag: cipherEnd === bytes.length ? null : bytes.subarray(cipherEnd),
  };
}

/** Encrypted, with or without a tag, not compressed, by a suite of 128 bits. */
function isSecurity(byte: number): boolean {
  return (
    (byte & SECURITY.encrypted) !== 0 &&
    (byte & SECURITY.compressed) === 0 &&
    (byte & SECURITY.suite) <= SUITE_MAX
  );
}

function tagBytes(security: number): number {
  return (security & SECURITY.authenticated) === 0 ? 0 : AUTHENTICATION_TAG_BYTES;
}

function berLength(bytes: Uint8Array, at: number, fieldBytes: number): number {
  if (fieldBytes === 1) return bytes[at]!;
  let length = 0;
  for (let index = 1; index < fieldBytes; index += 1) length = length * 256 + bytes[at + index]!;
  return length;
}
