import { isHesError } from '../../../protocol/errors.ts';
import type { ObisCode, Register } from '../../../protocol/reading.ts';
import type { Instant } from '../source.ts';
import type { ReadRequest } from './bus.ts';
import { bitsOf, decodeEntry, decodeText } from './codec.ts';
import { registersOf } from './data-types.ts';
import { modbusError } from './faults.ts';
import { type Block, planReads } from './plan.ts';
import { requirePlausible } from './plausible.ts';
import type { ModbusEntry, ModbusProfile } from './profile.ts';

/** What a meter needs of a bus. */
export interface RegisterBus {
  read(request: ReadRequest): Promise<Uint16Array>;
}

/** What one meter said at one moment. */
export interface MeterValues {
  readonly registers: readonly Register[];
  readonly instants: readonly Instant[];
  /** Entries that the meter has no value for: optional ones, as others make no reading. */
  readonly missing: readonly ObisCode[];
}

/** Exceptions by which a meter says that its edition has no such register. */
const NOT_THERE = ['ERR_MODBUS_ADDRESS', 'ERR_MODBUS_VALUE', 'ERR_MODBUS_FUNCTION'] as const;

/** One unit on a bus, read by its profile. */
export class ModbusMeter {
  readonly profile: ModbusProfile;
  readonly unit: number;
  readonly #bus: RegisterBus;
  /** Optional entries that this meter answered to with an exception: asked for no more. */
  readonly #absent = new Set<ModbusEntry>();
  #plan: readonly Block[];

  constructor(bus: RegisterBus, profile: ModbusProfile, unit: number) {
    this.#bus = bus;
    this.profile = profile;
    this.unit = unit;
    this.#plan = this.#planned();
  }

  /**
   * All registers of the profile, in as few requests as the meter allows.
   * @throws what a bus throws; ERR_MODBUS_INVALID, ERR_MODBUS_RANGE, ERR_MODBUS_IMPLAUSIBLE
   */
  async read(): Promise<MeterValues> {
    const words = new Map<ModbusEntry, Uint16Array>();
    for (let index = 0; index < this.#plan.length; ) {
      const block = this.#plan[index]!;
      const answer = await this.#readBlock(block);
      if (answer === null) {
        index = 0;
        words.clear();
        continue;
      }
      for (const entry of block.entries) {
        const from = entry.address - block.address;
        words.set(entry, answer.subarray(from, from + registersOf(entry.type)));
      }
      index++;
    }
    return this.#valuesOf(words);
  }

  /** The meter's own serial number, or null where it has none to tell. @throws what a bus throws */
  async serialNumber(): Promise<string | null> {
    const { serialNumber } = this.profile;
    if (serialNumber === undefined) return null;
    const { type, address } = serialNumber;
    const count = type === 'text' ? serialNumber.registers : registersOf(type);
    const answer = await this.#optional(address, count, serialNumber.function);
    if (answer === null) return null;
    if (type === 'text') return decodeText(answer);
    const bits = bitsOf(answer, this.profile.words);
    // All zeros or all ones is a register that was never written.
    return bits === 0n || bits === (1n << BigInt(16 * count)) - 1n ? null : bits.toString();
  }

  /** Does the meter say that it is this model? Null where the profile or the meter has no register for it. */
  async isIdentified(): Promise<boolean | null> {
    const { identify } = this.profile;
    if (identify === undefined) return null;
    const count = identify.type === 'text' ? identify.registers : registersOf(identify.type);
    const answer = await this.#optional(identify.address, count, identify.function);
    if (answer === null) return null;
    if (identify.type === 'text') {
      const text = decodeText(answer);
      return text !== null && identify.values.some((start) => text.startsWith(start));
    }
    return identify.values.includes(Number(bitsOf(answer, this.profile.words)));
  }

  #planned(): Block[] {
    const { registers, instants } = this.profile;
    const wanted = [...registers, ...instants].filter((entry) => !this.#absent.has(entry));
    return planReads(wanted, this.profile);
  }

  /** Null when the meter has no such registers and the profile can do without some: then the plan is another. */
  async #readBlock(block: Block): Promise<Uint16Array | null> {
    const { function: code, address, count } = block;
    try {
      return await this.#bus.read({ unit: this.unit, function: code, address, count });
    } catch (error) {
      const dispensable = block.entries.filter(({ optional }) => optional);
      if (dispensable.length === 0 || !isNotThere(error)) throw error;
      for (const entry of dispensable) this.#absent.add(entry);
      this.#plan = this.#planned();
      return null;
    }
  }

  async #optional(address: number, count: number, code = this.profile.function): Promise<Uint16Array | null> {
    try {
      return await this.#bus.read({ unit: this.unit, function: code, address, count });
    } catch (error) {
      if (isNotThere(error)) return null;
      throw error;
    }
  }

  #valuesOf(words: ReadonlyMap<ModbusEntry, Uint16Array>): MeterValues {
    const missing: ObisCode[] = [];
    const take = (entries: readonly ModbusEntry[]): Instant[] =>
      entries.flatMap((entry) => {
        const own = words.get(entry);
        const decoded = own === undefined ? null : decodeEntry(own, entry, this.profile);
        if (decoded !== null) return [{ obis: entry.obis, ...decoded, unit: entry.unit }];
        if (!entry.optional)
          throw modbusError('ERR_MODBUS_INVALID', 'the meter has no valid value', { obis: entry.obis });
        missing.push(entry.obis);
        return [];
      });
    const registers = take(this.profile.registers);
    const instants = take(this.profile.instants);
    requirePlausible([...registers, ...instants]);
    return { registers: registers.map((one) => ({ ...one, time: null, flags: 0 })), instants, missing };
  }
}

function isNotThere(error: unknown): boolean {
  return NOT_THERE.some((code) => isHesError(error, code));
}
