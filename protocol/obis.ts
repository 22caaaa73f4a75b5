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
 * Codes that were written out before, by their six bytes as one number: meters repeat a few dozen of them in
 * every message. The bound is far above what IEC 62056-61 meters use; a stranger's inventions end with a
 * fresh start, not with growth.
 */
const KNOWN_CODES_MAX = 1_024;
const knownCodes = new Map<number, ObisCode>();

/** The code that six bytes are; undefined for any other length. */
export function obisOfBytes(bytes: Uint8Array): ObisCode | undefined {
  if (bytes.length !== OBIS_BYTES) return undefined;
  const [a, b, c, d, e, f] = bytes as Uint8Array & readonly [number, number, number, number, number, number];
  const number = (a * 256 + b) * 2 ** 32 + ((c << 24) | (d << 16) | (e << 8) | f) + 2 ** 31;
  let code = knownCodes.get(number);
  if (code === undefined) {
    code = `${a}-${b}:${c}.${d}.${e}${f === F_NOT_USED ? '' : `*${f}`}` as ObisCode;
    if (knownCodes.size >= KNOWN_CODES_MAX) knownCodes.clear();
    knownCodes.set(number, code);
  }
  return code;
}

export function isObisCode(text: unknown): text is ObisCode {
  return typeof text === 'string' && obisBytes(text) !== undefined;
}

/** @throws ERR_OBIS */
export function parseObisCode(text: unknown): ObisCode {
  if (isObisCode(text)) return text;
  throw new HesError('ERR_OBIS', 'an OBIS code is A-B:C.D.E or A-B:C.D.E*F, groups from 0 to 255');
}
