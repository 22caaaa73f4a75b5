/**
 * CRC-16/ARC: polynomial 0x8005 reflected, initial value 0, nothing xored out (DSMR P1 5.0.2 §6.2, e-MUCS P1
 * §5.2). A P1 telegram is covered from its `/` to its `!`, both included.
 */
const POLYNOMIAL_REFLECTED = 0xa001;

/** Eight bytes are taken at a time: table k says what a byte does to the CRC when k more bytes follow it. */
const BYTES_AT_ONCE = 8;
const TABLE_SIZE = 256;

const TABLES = new Uint16Array(BYTES_AT_ONCE * TABLE_SIZE);
for (let index = 0; index < TABLE_SIZE; index += 1) {
  let remainder = index;
  for (let bit = 0; bit < 8; bit += 1)
    remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL_REFLECTED : remainder >>> 1;
  TABLES[index] = remainder;
}
for (let index = TABLE_SIZE; index < TABLES.length; index += 1) {
  const before = TABLES[index - TABLE_SIZE]!;
  TABLES[index] = (before >>> 8) ^ TABLES[before & 0xff]!;
}

/** The CRC of `bytes[from, to)`. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0;
  let at = from;
  for (; at + BYTES_AT_ONCE <= to; at += BYTES_AT_ONCE) {
    crc =
      TABLES[0x700 | ((crc & 0xff) ^ bytes[at]!)]! ^
      TABLES[0x600 | ((crc >>> 8) ^ bytes[at + 1]!)]! ^
      TABLES[0x500 | bytes[at + 2]!]! ^
      TABLES[0x400 | bytes[at + 3]!]! ^
      TABLES[0x300 | bytes[at + 4]!]! ^
      TABLES[0x200 | bytes[at + 5]!]! ^
      TABLES[0x100 | bytes[at + 6]!]! ^
      TABLES[bytes[at + 7]!]!;
  }
  for (; at < to; at += 1) crc = (crc >>> 8) ^ TABLES[(crc ^ bytes[at]!) & 0xff]!;
  return crc;
}

const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/**
 * The CRC as it was before something between meter and reader (a bridge, an editor, a terminal) turned CR LF
 * into LF: every bare LF counts as CR LF. The printed CRC still belongs to that text.
 */
export function crc16WithCarriageReturns(bytes: Uint8Array, from: number, to: number): number {
  let crc = 0;
  let previous = 0;
  for (let index = from; index < to; index += 1) {
    const byte = bytes[index]!;
    if (byte === LINE_FEED && previous !== CARRIAGE_RETURN)
      crc = (crc >>> 8) ^ TABLES[(crc ^ CARRIAGE_RETURN) & 0xff]!;
    crc = (crc >>> 8) ^ TABLES[(crc ^ byte) & 0xff]!;
    previous = byte;
  }
  return crc;
}
