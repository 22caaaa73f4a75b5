import { HesError } from './errors.ts';
import type { ObisCode } from './reading.ts';

/** IEC 62056-61: value groups A to F, a byte each. */
export const OBIS_BYTES = 6;

/** Group F of a current value: "not used", and therefore not printed. */
const F_NOT_USED = 255;

const OBIS_PATTERN =
  /^(0|[1-9]\d{0,2})-(0|[1-9]\d{0,2}):(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})(?:\*(0|[1-9]\d{0,2}))?$/;

/**
 * The six bytes of `A-B:C.D.E` or `A-B:C.D.E*F`, or undefined where the text is not in the one form that a code
 * has: no leading zeros, every group at most 255, and no `*255`, which is what leaving F out means.
 */
export function obisBytes(text: string): Uint8Array | undefined {
  const groups = OBIS_PATTERN.exec(text);
  if (groups === null) return undefined;
  const bytes = new Uint8Array(OBIS_BYTES);
  for (let index = 0; index < OBIS_BYTES; index += 1) {
    const group = groups[index + 1];
    const value = group === undefined ? F_NOT_USED : Number(group);
    if (value > 255 || (group !== undefined && index === 5 && value === F_NOT_USED)) return undefined;
    bytes[index] = value;
  }
  return bytes;
}

/**
 * Codes that were written out before: meters repeat a few dozen of them in every message. The bound is far above
 * what meters use; a stranger's inventions end with a fresh start, not with growth.
 */
const KNOWN_CODES_MAX = 1_024;
const knownCodes = new Map<number, ObisCode>();

/** The code that six bytes are, given as one number, A highest. */
export function obisOfNumber(number: number): ObisCode {
  const known = knownCodes.get(number);
  if (known !== undefined) return known;
  const [a, b, c, d, e, f] = [5, 4, 3, 2, 1, 0].map((group) => Math.floor(number / 256 ** group) % 256);
  const code = `${a}-${b}:${c}.${d}.${e}${f === F_NOT_USED ? '' : `*${f}`}` as ObisCode;
  if (knownCodes.size >= KNOWN_CODES_MAX) knownCodes.clear();
  knownCodes.set(number, code);
  return code;
}

/** The code that six bytes are; undefined for any other length. */
export function obisOfBytes(bytes: Uint8Array): ObisCode | undefined {
  if (bytes.length !== OBIS_BYTES) return undefined;
  return obisOfNumber(bytes.reduce((number, byte) => number * 256 + byte, 0));
}

export function isObisCode(text: unknown): text is ObisCode {
  return typeof text === 'string' && obisBytes(text) !== undefined;
}

/** @throws ERR_OBIS */
export function parseObisCode(text: unknown): ObisCode {
  if (isObisCode(text)) return text;
  throw new HesError('ERR_OBIS', 'an OBIS code is A-B:C.D.E or A-B:C.D.E*F, groups from 0 to 255');
}
