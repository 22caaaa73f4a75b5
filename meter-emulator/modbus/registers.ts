import { DATA_TYPES, type DataType, registersOf } from '../../gateway/edge/modbus/data-types.ts';
import type { ModbusEntry, ModbusProfile, WordOrder } from '../../gateway/edge/modbus/profile.ts';
import type { MeterSnapshot } from '../../gateway/edge/source.ts';
import { HesError } from '../../protocol/errors.ts';
import type { ModbusEmulatorErrorCode } from './errors.ts';

/** What a meter holds: by function and address, 16 bits each. An address that is not there is not served. */
export type RegisterImage = ReadonlyMap<number, number>;

/** Function and address as one key. */
export function registerKey(code: number, address: number): number {
  return code * 0x1_0000 + address;
}

/**
 * The registers of a meter that shows these values: the other way round than the edge decodes, and written apart
 * from it, so that one mistake does not cancel the other.
 *
 * What the values have more digits for than the profile's register is cut, as a meter cuts it. Entries without a
 * value hold the profile's "invalid" pattern where it has one, and are otherwise not served.
 */
export function registerImage(profile: ModbusProfile, values: Shown): RegisterImage {
  const image = new Map<number, number>();
  const put = (code: number, address: number, words: readonly number[]): void =>
    words.forEach((word, index) => {
      image.set(registerKey(code, address + index), word);
    });
  fillHoles(profile, image);
  for (const entry of [...profile.registers, ...profile.instants]) {
    const value = values.quantities.find(({ obis }) => obis === entry.obis);
    const bits = value === undefined ? invalidBits(profile, entry) : bitsOfValue(entry, value);
    const words = bits === null ? null : ordered(bits, entry.type, entry.words ?? profile.words);
    if (words !== null) put(entry.function ?? profile.function, entry.address, words);
  }
  const { serialNumber, identify } = profile;
  if (serialNumber !== undefined && values.serial !== null) {
    const { type, address } = serialNumber;
    const words =
      type === 'text'
        ? textWords(values.serial, serialNumber.registers)
        : ordered(BigInt(values.serial.replaceAll(/\D/g, '')) % (1n << 32n), type, profile.words);
    put(serialNumber.function ?? profile.function, address, words);
  }
  if (identify !== undefined) {
    const words =
      identify.type === 'text'
        ? textWords(identify.values[0]!, identify.registers)
        : ordered(BigInt(identify.values[0]!), identify.type, profile.words);
    put(identify.function ?? profile.function, identify.address, words);
  }
  return image;
}

export interface Shown {
  readonly serial: string | null;
  readonly quantities: readonly Quantity[];
}

export interface Quantity {
  readonly obis: string;
  readonly value: number;
  readonly scaler: number;
}

/** What a snapshot's meter shows. */
export function shownOf({ serial, registers, instants }: MeterSnapshot): Shown {
  return { serial, quantities: [...registers, ...instants] };
}

/** Where the maker's map goes on between two values that a profile reads together, the meter answers with 0. */
function fillHoles(
  { registers, instants, limits, ...profile }: ModbusProfile,
  image: Map<number, number>,
): void {
  const entries = [...registers, ...instants].toSorted((one, other) => one.address - other.address);
  for (const [index, entry] of entries.entries()) {
    const before = entries[index - 1];
    if (before === undefined) continue;
    const end = before.address + registersOf(before.type);
    if (entry.address - end > limits.gapMax) continue;
    for (let address = end; address < entry.address; address++)
      image.set(registerKey(entry.function ?? profile.function, address), 0);
  }
}

export function invalidBits({ invalid }: ModbusProfile, { type }: ModbusEntry): bigint | null {
  if (type === 'float32') return 0x7fc0_0000n;
  if (type === 'float64') return 0x7ff8_0000_0000_0000n;
  const digits = invalid[type]?.[0];
  return digits === undefined ? null : BigInt(`0x${digits}`);
}

const scratch = Buffer.alloc(8);

function bitsOfValue(entry: ModbusEntry, { value, scaler }: Quantity): bigint {
  const { type, exponent } = entry;
  if (type === 'float32' || type === 'float64') {
    // Decimal text is the exact value; parsing it gives the nearest float, as a meter's own division does.
    const number = Number(`${value}e${scaler - exponent}`);
    scratch.fill(0);
    if (type === 'float32') scratch.writeFloatBE(number, 0);
    else scratch.writeDoubleBE(number, 0);
    return BigInt(`0x${scratch.toString('hex', 0, type === 'float32' ? 4 : 8)}`);
  }
  const shift = scaler - exponent;
  const steps = shift >= 0 ? BigInt(value) * 10n ** BigInt(shift) : BigInt(value) / 10n ** BigInt(-shift);
  const width = 16 * registersOf(type);
  const fitting =
    DATA_TYPES[type].kind === 'signed' ? BigInt.asIntN(width, steps) : BigInt.asUintN(width, steps);
  if (fitting !== steps)
    throw new HesError(
      'ERR_MODBUS_EMULATOR_REGISTER' satisfies ModbusEmulatorErrorCode,
      `a value does not fit into ${type}`,
      { context: { obis: entry.obis } },
    );
  return BigInt.asUintN(width, steps);
}

function ordered(bits: bigint, type: DataType, order: WordOrder): number[] {
  const hex = bits.toString(16).padStart(4 * registersOf(type), '0');
  const words = hex.match(/.{4}/g)!.map((digits) => Number.parseInt(digits, 16));
  return order === 'high-first' ? words : words.reverse();
}

function textWords(text: string, registers: number): number[] {
  const bytes = Buffer.alloc(2 * registers);
  bytes.write(text, 'latin1');
  return Array.from({ length: registers }, (_, index) => bytes.readUInt16BE(2 * index));
}
