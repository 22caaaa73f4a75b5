import { asMessageError, CborError, fits } from '../cbor/error.ts';
import { CborReader } from '../cbor/reader.ts';
import { CborWriter } from '../cbor/writer.ts';
import { HesError } from '../errors.ts';
import { COMMAND_BYTES_MAX } from '../limits.ts';
import type { ArgumentInfo, JsonSchema } from './argument.ts';
import { type ArgumentsOf, COMMANDS, type CommandType, isCommandType, rowOf } from './table.ts';

/** Arguments as they come from an API or a terminal: parsed once, at the door. */

const CODES = { schema: 'ERR_COMMAND_SCHEMA', form: 'ERR_COMMAND_SCHEMA' } as const;
const writer = new CborWriter(COMMAND_BYTES_MAX);

/** @throws ERR_COMMAND_TYPE */
export function parseCommandType(text: unknown): CommandType {
  if (isCommandType(text)) return text;
  throw new HesError('ERR_COMMAND_TYPE', `a command is one of ${Object.keys(COMMANDS).join(', ')}`);
}

/**
 * The arguments of a command out of anything: what was left out takes its fallback, what is unknown is refused.
 * @throws ERR_COMMAND_SCHEMA with `context.field`; ERR_COMMAND_RULE where the arguments do not fit each other
 */
export function completeArguments<T extends CommandType>(type: T, given: unknown): ArgumentsOf<T> {
  const row = rowOf(type);
  try {
    fits(typeof given === 'object' && given !== null && !Array.isArray(given), 'an object of arguments');
    const members = given as Readonly<Record<string, unknown>>;
    for (const name of Object.keys(members))
      if (!Object.hasOwn(row.arguments, name)) throw unfit(name, 'no argument of this command');
    const complete: Record<string, unknown> = {};
    for (const [name, { fallback }] of Object.entries(row.arguments)) {
      const value = Object.hasOwn(members, name) ? members[name] : undefined;
      if (value === undefined && fallback === undefined) throw unfit(name, 'an argument that must be given');
      complete[name] = value === undefined ? fallback : value;
    }
    // What is read back has one form, whatever could be written.
    const bytes = writer.write(() => row.shape.write(writer, complete));
    const args = row.shape.read(new CborReader(bytes)) as ArgumentsOf<T>;
    const fault = row.rule(args);
    if (fault !== undefined) throw new HesError('ERR_COMMAND_RULE', fault, { context: { type } });
    return args;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/**
 * The same out of texts, by the name of each argument's option: `{ 'start-credit': '20' }`.
 * @throws as `completeArguments`
 */
export function argumentsFromText<T extends CommandType>(
  type: T,
  texts: Readonly<Record<string, string>>,
): ArgumentsOf<T> {
  const infos = Object.entries(rowOf(type).arguments);
  const given: Record<string, unknown> = {};
  for (const [option, text] of Object.entries(texts)) {
    const [name, info] = infos.find(([, candidate]) => candidate.option === option) ?? [];
    const value = info?.fromText(text);
    if (name === undefined || value === undefined)
      throw asMessageError(
        unfit(option, info === undefined ? 'no option of this command' : info.says),
        CODES,
      );
    checkRange(info!, value);
    given[name] = value;
  }
  return completeArguments(type, given);
}

/** Limits in the unit that was typed: whoever says 9999 euros is told of euros, and not of cents. */
function checkRange({ option, schema, toText }: ArgumentInfo, value: unknown): void {
  const { minimum, maximum } = schema as { readonly minimum?: number; readonly maximum?: number };
  if (typeof value !== 'number' || minimum === undefined || maximum === undefined) return;
  if (value < minimum || value > maximum)
    throw asMessageError(unfit(option, `${toText(minimum)} to ${toText(maximum)}`), CODES);
}

/** Arguments as a terminal shows them, in the order of the table: what whoever approves reads. */
export function argumentsToText(
  type: CommandType,
  args: Readonly<Record<string, unknown>> | object,
): readonly { readonly option: string; readonly says: string; readonly text: string }[] {
  const values = args as Readonly<Record<string, unknown>>;
  return Object.entries(rowOf(type).arguments).map(([name, { option, says, toText }]) => ({
    option,
    says,
    text: toText(values[name]),
  }));
}

/** JSON Schema of a command's arguments, as the API takes them. */
export function argumentsSchema(type: CommandType): JsonSchema {
  const infos = Object.entries(rowOf(type).arguments);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(
      infos.map(([name, { schema, fallback }]) => [
        name,
        fallback === undefined ? schema : { ...schema, default: fallback },
      ]),
    ),
    required: infos.filter(([, { fallback }]) => fallback === undefined).map(([name]) => name),
  };
}

function unfit(name: string, expected: string): CborError {
  const error = new CborError('ERR_CBOR_SCHEMA', `expected ${expected}`);
  error.path.push(name);
  return error;
}
