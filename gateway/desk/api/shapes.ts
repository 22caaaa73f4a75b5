import { z } from 'zod';
import type { CommandId } from '../../../protocol/command/id.ts';
import { isRole, ROLES, type Role } from '../../../protocol/command/roles.ts';
import { COMMAND_TYPES, type CommandType } from '../../../protocol/command/table.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import { REASON_LENGTH_MAX } from '../../../protocol/limits.ts';
import { deskError } from '../errors.ts';
import { PAGE_MAX } from '../store/port.ts';
import { SIGNED_LENGTH_MAX } from './limits.ts';

/** What texts of requests are, each parsed once at the door. */

/** A text of a pattern, known as what it names. */
const named = <T extends string>(pattern: RegExp, says: string): z.ZodType<T, string> =>
  z.string().regex(pattern, says).describe(says) as unknown as z.ZodType<T, string>;

export const deviceId = named<DeviceId>(/^[0-9a-f]{16}$/, 'a device id: 16 lower-case hex digits');
export const commandId = named<CommandId>(/^[0-9a-f]{32}$/, 'a command id: 32 lower-case hex digits');
export const role = z.enum(Object.keys(ROLES).filter(isRole) as [Role, ...Role[]]);
export const commandType = z.enum(COMMAND_TYPES as unknown as [CommandType, ...CommandType[]]);
export const personName = z.string().min(1).max(64);
/** GS1: 18 digits. Whether it is the right one is what is asked. */
export const ean = z.string().regex(/^54\d{16}$/, 'an EAN: 18 digits, from 54');
export const reason = z.string().min(1).max(REASON_LENGTH_MAX);

/** COSE_Sign in base64 (RFC 4648 §4). */
export const signedBytes = z
  .base64()
  .min(1)
  .max(SIGNED_LENGTH_MAX)
  .transform((text): Uint8Array => Buffer.from(text, 'base64'));

const PAGE_USUAL = 100;
const WHOLE = /^(0|[1-9]\d{0,15})$/;

/** A number in a query. */
export const whole = (min: number, max: number) =>
  z.string().regex(WHOLE, 'a whole number').transform(Number).pipe(z.int().min(min).max(max));
export const limit = whole(1, PAGE_MAX).default(PAGE_USUAL);
export const cursor = whole(0, Number.MAX_SAFE_INTEGER);
/** A boolean in a query. */
export const flag = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .pipe(z.boolean());

/** A list of a page: `next` is what asks for the page after it. */
export const pageOf = <T extends z.ZodType>(item: T, next: z.ZodType = z.union([z.int(), z.null()])) =>
  z.strictObject({ items: z.array(item), next });

const FAULTS_SHOWN_MAX = 3;
const DETAIL_LENGTH_MAX = 400;

/** @throws ERR_DESK_REQUEST, which names each member and never its value */
export function parse<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const faults = result.error.issues.slice(0, FAULTS_SHOWN_MAX).map(({ path, message }) => {
    const at = path.map(String).join('.');
    return at === '' ? message : `${at}: ${message}`;
  });
  throw deskError('ERR_DESK_REQUEST', `${where}: ${faults.join('; ')}`.slice(0, DETAIL_LENGTH_MAX));
}
