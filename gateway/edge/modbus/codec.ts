import { HesError } from '../../../protocol/errors.ts';
import { DATA_TYPES, type DataType, registersOf } from './data-types.ts';
import type { ModbusErrorCode } from './errors.ts';
import type { ModbusEntry, ModbusProfile, WordOrder } from './profile.ts';

/** A number as it goes into a snapshot: `value × 10^scaler` of the entry's unit, or null for "the meter has none". */
export interface Decoded {
  readonly value: number;
  readonly scaler: number;
}

/**
 * What registers on the wire mean by a profile, exactly.
 *
 * An integer is taken as it is, and its exponent becomes the scaler. A float is rounded to the stated resolution,
 * half away from zero: what it carries beyond is an artefact of base two. An "invalid" pattern, NaN or infinity is
 * null and never 0: zero is a reading.
 *
 * @throws ERR_MODBUS_RANGE when the number cannot be said exactly, ERR_MODBUS_IMPLAUSIBLE for a float of no meter
 */
export function decodeEntry(
  registers: Uint16Array,
  entry: ModbusEntry,
  profile: Pick<ModbusProfile, 'words' | 'invalid'>,
): Decoded | null {
  const bits = bitsOf(registers, entry.words ?? profile.words);
  if (isInvalid(bits, entry.type, profile.invalid)) return null;
  if (DATA_TYPES[entry.type].kind !== 'float')
    return { value: safe(integerOf(bits, entry.type)), scaler: entry.exponent };
  const number = floatOf(bits, entry.type);
  if (!Number.isFinite(number)) return null;
  if (number !== 0 && Math.abs(number) < FLOAT_MIN)
    throw implausible('a float smaller than any meter measures');
  const scaler = entry.resolution ?? entry.exponent;
  return { value: safe(roundTo(number, entry.exponent - scaler)), scaler };
}

/**
 * Meters calculate in some 20 bits below their range. Floats below this are what a float with exchanged words
 * looks like: taken for zero, they would make a wrong word order seem right.
 */
const FLOAT_MIN = 1e-12;

/** The registers as one number of bits, most significant first. */
export function bitsOf(registers: Uint16Array, words: WordOrder): bigint {
  let bits = 0n;
  const count = registers.length;
  for (let index = 0; index < count; index++)
    bits = (bits << 16n) | BigInt(registers[words === 'high-first' ? index : count - 1 - index]!);
  return bits;
}

function isInvalid(bits: bigint, type: DataType, invalid: ModbusProfile['invalid']): boolean {
  const patterns = invalid[type];
  return patterns?.some((digits) => BigInt(`0x${digits}`) === bits) ?? false;
}

function integerOf(bits: bigint, type: DataType): number {
  const width = 16 * registersOf(type);
  return Number(DATA_TYPES[type].kind === 'signed' ? BigInt.asIntN(width, bits) : bits);
}

const scratch = new DataView(new ArrayBuffer(8));

function floatOf(bits: bigint, type: DataType): number {
  if (type === 'float64') {
    scratch.setBigUint64(0, bits);
    return scratch.getFloat64(0);
  }
  scratch.setUint32(0, Number(bits));
  return scratch.getFloat32(0);
}

/** `number × 10^power` as an integer, half away from zero, so that export and import round alike. */
function roundTo(number: number, power: number): number {
  const size = Math.abs(number);
  const rounded = Math.round(power < 0 ? size / 10 ** -power : size * 10 ** power);
  return number < 0 && rounded !== 0 ? -rounded : rounded;
}

function safe(value: number): number {
  if (Number.isSafeInteger(value)) return value;
  throw new HesError(
    'ERR_MODBUS_RANGE' satisfies ModbusErrorCode,
    'a register holds a number that is larger than any reading: wrong profile or word order?',
  );
}

export function implausible(what: string): HesError<ModbusErrorCode> {
  return new HesError(
    'ERR_MODBUS_IMPLAUSIBLE',
    `the meter answers with ${what}: wrong profile or word order?`,
  );
}

/** Characters of a register text that a serial number or model may have; anything else is no text. */
const TEXT_PATTERN = /^[\x20-\x7e]+$/;

/**
 * Two characters a register; zero bytes are padding, wherever the maker puts them (Carlo Gavazzi: in front of each
 * character or at the end). Null where no text is left, or something that is none.
 */
export function decodeText(registers: Uint16Array): string | null {
  let text = '';
  for (const register of registers)
    for (const byte of [register >> 8, register & 0xff]) if (byte !== 0) text += String.fromCharCode(byte);
  text = text.trim();
  return TEXT_PATTERN.test(text) ? text : null;
}
