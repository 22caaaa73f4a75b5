import { z } from 'zod';
import { isObisCode } from '../../../protocol/obis.ts';
import type { Medium, ObisCode, Unit } from '../../../protocol/reading.ts';
import { between, type Frozen, loadConfig, parseConfig } from '../../runtime/config.ts';
import { DATA_TYPES, type DataType, registersOf } from './data-types.ts';

/**
 * A Modbus meter as data: where its registers are and what they mean. One file is one meter; the built-in ones
 * (profiles/) and those that a user adds go through this same schema, which refuses what it does not know.
 *
 * Addresses are those on the wire, from 0: manuals that count from 1 (iEM) or add 30001 or 40001 say one more.
 */

/** What one read may ask for at most (Modbus Application Protocol V1.1b3 §6.3 and §6.4). */
export const READ_REGISTERS_MAX = 125;
/** A meter with four tariffs, both directions and reactive energy has 40; beyond this it is no meter. */
const ENTRIES_MAX = 64;
const NOTES_MAX = 32;
const TEXT_MAX = 400;

const MEDIA = ['electricity', 'gas', 'water', 'heat'] as const satisfies readonly Medium[];
const UNITS = [
  'Wh',
  'varh',
  'VAh',
  'm3',
  'J',
  'W',
  'var',
  'VA',
  'V',
  'A',
  'count',
] as const satisfies readonly Unit[];

const address = z
  .union([z.int().min(0).max(0xffff), z.string().regex(/^0x[0-9a-fA-F]{1,4}$/, 'it is 0 to 0xFFFF')])
  .transform(Number);

/** 3 reads holding registers, 4 input registers: meters differ, and some answer only to one. */
const functionCode = z.literal([3, 4]);
const words = z.enum(['high-first', 'low-first']);
const dataType = z.enum(Object.keys(DATA_TYPES) as [DataType, ...DataType[]]);
const text = z.string().min(1).max(TEXT_MAX);

const entry = z
  .strictObject({
    obis: z
      .string()
      .refine(isObisCode, 'it is no OBIS code (A-B:C.D.E)')
      .transform((code) => code as ObisCode),
    address,
    type: dataType,
    unit: z.enum(UNITS),
    /** The number on the wire counts in steps of `10^exponent` of the unit: 3 for kWh, 1 for hundredths of a kWh. */
    exponent: z.int().min(-6).max(9).default(0),
    /**
     * Floats only: the step, `10^resolution` of the unit, that the value is rounded to. It is the meter's stated
     * resolution; what a float carries beyond it is no measurement.
     */
    resolution: z.int().min(-6).max(9).optional(),
    function: functionCode.optional(),
    words: words.optional(),
    /** May be missing or invalid without spoiling the reading: what only some editions or wirings have. */
    optional: z.boolean().default(false),
    note: text.optional(),
  })
  .superRefine(
    between(
      ['type', 'resolution'],
      ({ type, resolution }) => type.startsWith('float') === (resolution !== undefined),
      'a float needs a resolution to be rounded to, and an integer has none but its own',
    ),
  );

/** Text is two characters a register, high byte first. */
const textRegisters = z.int().min(1).max(32);

const serialNumber = z.union([
  z.strictObject({ address, type: z.enum(['u32', 'u64']), function: functionCode.optional() }),
  z.strictObject({
    address,
    type: z.literal('text'),
    registers: textRegisters,
    function: functionCode.optional(),
  }),
]);

/** A register by which the model can be told; `hes modbus scan` asks for it, a reading does not depend on it. */
const identify = z.union([
  z.strictObject({
    address,
    type: z.enum(['u16', 'u32']),
    values: z.array(z.int().min(0)).min(1).max(32),
    function: functionCode.optional(),
  }),
  z.strictObject({
    address,
    type: z.literal('text'),
    registers: textRegisters,
    /** The text begins with one of these. */
    values: z.array(text).min(1).max(32),
    function: functionCode.optional(),
  }),
]);

/** A bit pattern as hex digits, as many as the type has. */
const pattern = z.string().regex(/^([0-9a-f]{4}|[0-9a-f]{8}|[0-9a-f]{16})$/, 'it is 4, 8 or 16 hex digits');
const patterns = z.array(pattern).max(4).optional();

export const profileSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z][a-z0-9-]{1,31}$/, 'it is 2 to 32 lower-case letters, digits and hyphens'),
    maker: text,
    model: text,
    medium: z.enum(MEDIA).default('electricity'),
    function: functionCode,
    words: words.default('high-first'),
    /** As the meter leaves the factory. */
    line: z.strictObject({
      baud: z.int().min(300).max(921_600),
      parity: z.enum(['none', 'even', 'odd']),
      stopBits: z.literal([1, 2]),
      unit: z.int().min(1).max(247),
    }),
    limits: z.strictObject({
      registersMax: z.int().min(1).max(READ_REGISTERS_MAX).default(READ_REGISTERS_MAX),
      /** The meter answers only to an even first address and an even count. */
      even: z.boolean().default(false),
      /** So many registers that the profile does not need may be read along to save a request. */
      gapMax: z.int().min(0).max(READ_REGISTERS_MAX).default(0),
    }),
    /** Bit patterns by which the meter says "no value". NaN and infinity of a float are always that. */
    invalid: z
      .strictObject({
        u16: patterns,
        i16: patterns,
        u32: patterns,
        i32: patterns,
        u64: patterns,
        i64: patterns,
        float32: patterns,
        float64: patterns,
      })
      .default({}),
    serialNumber: serialNumber.optional(),
    identify: identify.optional(),
    /** Cumulative registers: what a daily index is made of. */
    registers: z.array(entry).min(1).max(ENTRIES_MAX),
    /** Momentary values. */
    instants: z.array(entry).max(ENTRIES_MAX).default([]),
    sources: z.array(text).max(NOTES_MAX).default([]),
    /** What to know about this meter; `[v]` marks what was not held against the maker's manual or a meter. */
    notes: z.array(text).max(NOTES_MAX).default([]),
  })
  .superRefine((profile, context) => {
    for (const list of ['registers', 'instants'] as const)
      profile[list].forEach((item, index) => {
        const why = misplaced(item, profile.limits);
        if (why !== null) context.addIssue({ code: 'custom', path: [list, index, 'address'], message: why });
      });
    const entries = [...profile.registers, ...profile.instants];
    const twice = entries.find(({ obis }, index) => entries.findIndex((e) => e.obis === obis) !== index);
    if (twice !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['registers'],
        message: `${twice.obis} is there more than once, also counting instants`,
      });
    for (const [type, list] of Object.entries(profile.invalid))
      if (list?.some((digits) => digits.length !== 4 * registersOf(type as DataType)) === true)
        context.addIssue({
          code: 'custom',
          path: ['invalid', type],
          message: `${type} has ${4 * registersOf(type as DataType)} hex digits`,
        });
  });

export type ModbusProfileInput = z.input<typeof profileSchema>;
export type ModbusProfile = Frozen<z.output<typeof profileSchema>>;
export type ModbusEntry = ModbusProfile['registers'][number];
export type ModbusLimits = ModbusProfile['limits'];
export type WordOrder = ModbusProfile['words'];
export type ReadFunction = ModbusProfile['function'];

function misplaced(
  { address, type }: { readonly address: number; readonly type: DataType },
  limits: { readonly even: boolean; readonly registersMax: number },
): string | null {
  const count = registersOf(type);
  if (address + count > 0x1_0000) return 'the value ends beyond the last address';
  if (count > limits.registersMax) return `${type} is larger than limits.registersMax`;
  if (limits.even && (address % 2 !== 0 || count % 2 !== 0))
    return 'limits.even: the meter answers only to even addresses and counts';
  return null;
}

/** @throws ERR_CONFIG, naming each fault with its path */
export function parseProfile(value: unknown, name = 'profile'): ModbusProfile {
  return parseConfig(profileSchema, value, name);
}

/** A profile from a YAML or JSON file. @throws ERR_CONFIG and its kin */
export function loadProfile(file: string): Promise<ModbusProfile> {
  return loadConfig(profileSchema, { file });
}
