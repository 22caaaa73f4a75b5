/**
 * CRC-16/ARC: polynomial 0x8005 reflected, initial value 0, nothing xored out (DSMR P1 5.0.2 §6.2, e-MUCS P1
 * §5.2). A P1 telegram is covered from its `/` to its `!`, both included.
 */
const POLYNOMIAL_REFLECTED = 0xa001;

const TABLE = new Uint16Array(256);
for (let index = 0; index < 256; index += 1) {
  let remainder = index;
  for (let bit = 0; bit < 8; bit += 1)
    remainder = remainder & 1 ? (remainder >>> 1) ^ POLYNOMIAL_REFLECTED : remainder >>> 1;
  TABLE[index] = remainder;
}

/** The CRC of `bytes[from, to)`. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0;
  for (let index = from; index < to; index += 1) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[index]!) & 0xff]!;
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
      crc = (crc >>> 8) ^ TABLE[(crc ^ CARRIAGE_RETURN) & 0xff]!;
    crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
    previous = byte;
  }
  return crc;
}
