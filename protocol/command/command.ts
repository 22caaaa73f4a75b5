import { asMessageError, within } from '../cbor/error.ts';
import { CborReader } from '../cbor/reader.ts';
import { integer, type Shape } from '../cbor/shape.ts';
import { versionOne } from '../cbor/version.ts';
import { CborWriter } from '../cbor/writer.ts';
import { HesError } from '../errors.ts';
import type { DeviceId, TenantId } from '../identity.ts';
import { DEVICE_SHAPE, TENANT_SHAPE } from '../identity-shape.ts';
import { COMMAND_BYTES_MAX, COUNTER_MAX, EPOCH_SECONDS_MAX, REASON_LENGTH_MAX } from '../limits.ts';
import { COMMAND_ID_SHAPE, type CommandId } from './id.ts';
import { type ArgumentsOf, type CommandType, commandTypeOf, isCommandType, rowOf } from './table.ts';
import { words } from './words.ts';

/** What is the same for every command (docs/protocol/command.cddl). */
export interface CommandHead {
  readonly version: 1;
  readonly tenant: TenantId;
  readonly device: DeviceId;
  readonly id: CommandId;
  /**
   * Milliseconds by the clock of whoever signs first, and strictly rising for him: about one thing (the row's
   * `counter`) a device takes no counter of a signer twice, nor one below the last.
   */
  readonly counter: number;
  /** Epoch seconds; valid from this one on and up to, not with, `expiry`. */
  readonly notBefore: number;
  readonly expiry: number;
  /** Why, in words or as the reference of a case. Signed, so that who approves reads what the other wrote. */
  readonly reason: string | null;
}

export type CommandBody<T extends CommandType = CommandType> = {
  readonly [K in T]: { readonly type: K; readonly arguments: ArgumentsOf<K> };
}[T];
export type Command<T extends CommandType = CommandType> = CommandHead & CommandBody<T>;

const CODES = { schema: 'ERR_COMMAND_SCHEMA', form: 'ERR_COMMAND_CBOR' } as const;
const writer = new CborWriter(COMMAND_BYTES_MAX);

const VERSION_SHAPE = versionOne('ERR_COMMAND_VERSION', 'a command version');

const TYPE_SHAPE: Shape<CommandType> = {
  write(target, value) {
    if (!isCommandType(value)) throw new HesError('ERR_COMMAND_TYPE', 'no command of the table');
    target.integer(rowOf(value).number);
  },
  read(reader) {
    const number = reader.integer();
    const type = commandTypeOf(number);
    if (type !== undefined) return type;
    throw new HesError('ERR_COMMAND_TYPE', 'a command that this side does not know', { context: { number } });
  },
};

/** A member of the map: its key and its shape. Written and read by hand, since the arguments depend on the type. */
const member = <Name extends string, V>(name: Name, key: number, shape: Shape<V>) => ({ name, key, shape });
const VERSION_MEMBER = member('version', 1, VERSION_SHAPE);
const TENANT = member('tenant', 2, TENANT_SHAPE);
const DEVICE = member('device', 3, DEVICE_SHAPE);
const ID = member('id', 4, COMMAND_ID_SHAPE);
const TYPE = member('type', 5, TYPE_SHAPE);
const argumentsOf = (type: CommandType) => member('arguments', 6, rowOf(type).shape);
const COUNTER = member('counter', 7, integer(1, COUNTER_MAX));
const NOT_BEFORE = member('notBefore', 8, integer(0, EPOCH_SECONDS_MAX));
const EXPIRY = member('expiry', 9, integer(0, EPOCH_SECONDS_MAX));
const REASON = member('reason', 10, words(1, REASON_LENGTH_MAX));
const MEMBERS_ALWAYS = 9;

type Member<V> = { readonly name: string; readonly key: number; readonly shape: Shape<V> };

function put<V>({ name, key, shape }: Member<V>, value: V): void {
  writer.integer(key);
  try {
    shape.write(writer, value);
  } catch (error) {
    throw within(error, name);
  }
}

function take<V>(reader: CborReader, { name, key, shape }: Member<V>): V {
  try {
    reader.expect(key);
    return shape.read(reader);
  } catch (error) {
    throw within(error, name);
  }
}

function writeCommand(command: Command): void {
  const { reason } = command;
  writer.map(reason === null ? MEMBERS_ALWAYS : MEMBERS_ALWAYS + 1);
  put(VERSION_MEMBER, command.version);
  put(TENANT, command.tenant);
  put(DEVICE, command.device);
  put(ID, command.id);
  put(TYPE, command.type);
  put<object>(argumentsOf(command.type), command.arguments);
  put(COUNTER, command.counter);
  put(NOT_BEFORE, command.notBefore);
  put(EXPIRY, command.expiry);
  if (reason !== null) put(REASON, reason);
}

function readCommand(reader: CborReader): Command {
  const count = reader.map(MEMBERS_ALWAYS, MEMBERS_ALWAYS + 1);
  const version = take(reader, VERSION_MEMBER);
  const tenant = take(reader, TENANT);
  const device = take(reader, DEVICE);
  const id = take(reader, ID);
  const type = take(reader, TYPE);
  const args = take<object>(reader, argumentsOf(type));
  const counter = take(reader, COUNTER);
  const notBefore = take(reader, NOT_BEFORE);
  const expiry = take(reader, EXPIRY);
  const reason = count > MEMBERS_ALWAYS ? take(reader, REASON) : null;
  // The row of the type read these arguments.
  const body = { type, arguments: args } as CommandBody;
  return { version, tenant, device, id, counter, notBefore, expiry, reason, ...body };
}

/** @throws ERR_COMMAND_RULE where members that are each in range do not fit each other */
function checkRules(command: Command): void {
  const { type, notBefore, expiry, reason } = command;
  const row = rowOf(type);
  const fault =
    expiry <= notBefore
      ? 'the command ends before it begins'
      : expiry - notBefore > row.expirySecondsMax
        ? `the command is valid for more than ${row.expirySecondsMax} seconds`
        : row.reasonRequired && reason === null
          ? 'the command needs a reason'
          : row.rule(command.arguments);
  if (fault !== undefined) throw new HesError('ERR_COMMAND_RULE', fault, { context: { type } });
}

/**
 * The payload that is signed: equal commands give equal bytes.
 * @throws ERR_COMMAND_TYPE; ERR_COMMAND_SCHEMA where a member is out of its range (`context.field` says which);
 *   ERR_COMMAND_RULE
 */
export function encodeCommand(command: Command): Uint8Array {
  try {
    const bytes = writer.write(() => writeCommand(command));
    checkRules(command);
    return bytes;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/**
 * @throws ERR_COMMAND_SIZE, ERR_COMMAND_CBOR, ERR_COMMAND_VERSION, ERR_COMMAND_TYPE, ERR_COMMAND_SCHEMA,
 *   ERR_COMMAND_RULE
 */
export function decodeCommand(bytes: Uint8Array): Command {
  if (bytes.length > COMMAND_BYTES_MAX) throw commandTooLarge(bytes.length, COMMAND_BYTES_MAX);
  try {
    const reader = new CborReader(bytes);
    const command = readCommand(reader);
    reader.end();
    checkRules(command);
    return command;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

export function commandTooLarge(length: number, lengthMax: number): HesError {
  return new HesError('ERR_COMMAND_SIZE', 'larger than the limit', { context: { length, lengthMax } });
}

/** Where a moment lies in a command's validity, for rows that are judged by the clock. */
export function validityAt(
  { notBefore, expiry }: Pick<CommandHead, 'notBefore' | 'expiry'>,
  epochSeconds: number,
): 'early' | 'valid' | 'expired' {
  if (epochSeconds < notBefore) return 'early';
  return epochSeconds < expiry ? 'valid' : 'expired';
}

/** The IEC 61968-9 control code of a command, or null where the standard has none. */
export function controlCodeOf(command: CommandBody): string | null {
  return rowOf(command.type).control(command.arguments);
}
