import { fits } from '../cbor/error.ts';
import type { Shape } from '../cbor/shape.ts';

/** A command's name: 128 random bits as 32 lower-case hex digits, drawn where it is signed. */
export type CommandId = string & { readonly __brand: 'CommandId' };

export const COMMAND_ID_BYTES = 16;
const PATTERN = /^[0-9a-f]{32}$/;

export function isCommandId(text: unknown): text is CommandId {
  return typeof text === 'string' && PATTERN.test(text);
}

/** @param random 16 bytes of a cryptographic source */
export function commandIdOf(random: Uint8Array): CommandId {
  if (random.length !== COMMAND_ID_BYTES) throw new RangeError('a command id is of 16 bytes');
  return Buffer.from(random).toString('hex') as CommandId;
}

export const COMMAND_ID_SHAPE: Shape<CommandId> = {
  write(writer, id) {
    fits(isCommandId(id), 'a command id');
    writer.hexAsBytes(id);
  },
  read: (reader) => reader.bytesOf(COMMAND_ID_BYTES).toString('hex') as CommandId,
};
