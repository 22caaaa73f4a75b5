/**
 * Octet strings: serial numbers, EANs and messages are printed as the hex of their ASCII (DSMR P1 5.0.2 §6.4
 * "Sn", e-MUCS P1 §6.3), but several meters print them plain. Hex that does not decode to text stays as printed.
 */
const DECODED_BYTES_MAX = 4096;
const scratch = Buffer.alloc(DECODED_BYTES_MAX);

const SPACE = 0x20;
const ERASED = 0xff;

const NIBBLES = new Int8Array(256).fill(-1);
for (const [index, digit] of [...'0123456789abcdef'].entries()) {
  NIBBLES[digit.charCodeAt(0)] = index;
  NIBBLES[digit.toUpperCase().charCodeAt(0)] = index;
}

/** The value of a hex digit, or -1. */
export function nibble(byte: number): number {
  return NIBBLES[byte]!;
}

/** Decode hex into the scratch buffer; how many bytes, or -1 where it is no hex of an even length. */
function decodeHex(bytes: Uint8Array, from: number, to: number): number {
  let length = 0;
  let high = -1;
  for (let index = from; index < to; index += 1) {
    const byte = bytes[index]!;
    if (byte === SPACE) continue; // seen where a long message was wrapped and joined again
    const value = NIBBLES[byte]!;
    if (value < 0) return -1;
    if (high < 0) high = value;
    else {
      if (length === DECODED_BYTES_MAX) return -1;
      scratch[length] = (high << 4) | value;
      length += 1;
      high = -1;
    }
  }
  return high < 0 ? length : -1;
}

/** Letters, digits, and what joins them: what decodes to anything else (`222222`) was no hex of ASCII. */
const IDENTIFIER = new Uint8Array(256);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 ._-/\\')
  IDENTIFIER[character.charCodeAt(0)] = 1;

/** A serial number or EAN; null where it is empty or only blanks. */
export function readIdentifier(bytes: Buffer, from: number, to: number): string | null {
  const length = decodeHex(bytes, from, to);
  let printable = length > 0;
  for (let index = 0; index < length && printable; index += 1) printable = IDENTIFIER[scratch[index]!] === 1;
  return notBlank(printable ? scratch.toString('latin1', 0, length) : bytes.toString('latin1', from, to));
}

/** Nothing, or memory that was never written: Hungary's meters print a message of 1024 bytes of FF. */
function isErased(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at += 1) if (bytes[at] !== ERASED) return false;
  return true;
}

/** A message for people: UTF-8 where it is that, else Latin-1; null where there is none. */
export function readMessage(bytes: Buffer, from: number, to: number): string | null {
  if (isErased(bytes, from, to)) return null;
  const length = decodeHex(bytes, from, to);
  if (length > 0 && isErased(scratch, 0, length)) return null;
  let control = length <= 0;
  for (let index = 0; index < length && !control; index += 1)
    control = scratch[index]! < SPACE && !(scratch[index]! >= 9 && scratch[index]! <= 13);
  const source = control ? bytes.subarray(from, to) : scratch.subarray(0, length);
  const text = source.toString('utf8');
  return notBlank(text.includes('\ufffd') ? source.toString('latin1') : text);
}

/** What is printed, as it is printed; null where it is empty. */
export function readPlain(bytes: Buffer, from: number, to: number): string | null {
  return notBlank(bytes.toString('latin1', from, to));
}

/** Five digits as the hex of their ASCII, as Wallonia's Iskra prints its version: 3231313130 is 21110. */
const VERSION_IN_HEX = /^(?:3\d){5}$/;

/** A version as printed; in digits where it is printed in hex. */
export function readVersion(bytes: Buffer, from: number, to: number): string | null {
  const text = readPlain(bytes, from, to);
  return text !== null && VERSION_IN_HEX.test(text) ? Buffer.from(text, 'hex').toString('latin1') : text;
}

function notBlank(text: string): string | null {
  const trimmed = text.trim();
  return trimmed === '' ? null : trimmed;
}

const EAN_PATTERN = /^\d{18}$/;

/** 18 digits. The check digit is not part of it: the specification's own example fails that, and so do meters. */
export function isEan(text: string | null): text is string {
  return text !== null && EAN_PATTERN.test(text);
}

/** GS1 check digit of an EAN of 18 digits: weights 3 and 1 from the right. False is a remark, not a refusal. */
export function hasValidCheckDigit(ean: string): boolean {
  if (!isEan(ean)) return false;
  let sum = 0;
  for (let index = 0; index < 17; index += 1) sum += Number(ean[index]) * (index % 2 === 0 ? 3 : 1);
  return (10 - (sum % 10)) % 10 === Number(ean[17]);
}
