/** Modbus over Serial Line V1.02 §6.2.2: CRC-16 with polynomial A001h (reflected), initial FFFFh. */
const TABLE = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ 0xa001 : crc >>> 1;
  return crc;
});

export function crc16(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  return crc;
}

/** Do these bytes end with the checksum of what is before it (low byte first)? */
export function hasValidCrc(frame: Uint8Array): boolean {
  const end = frame.length - 2;
  return end > 0 && crc16(frame.subarray(0, end)) === (frame[end]! | (frame[end + 1]! << 8));
}
