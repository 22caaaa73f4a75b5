import { z } from 'zod';
import { type CommandId, isCommandId } from '../../../protocol/command/id.ts';
import { type CommandType, isCommandType } from '../../../protocol/command/table.ts';
import { type DeviceId, isDeviceId } from '../../../protocol/identity.ts';

/**
 * What a desk answers, as far as this side reads it. What it says beside that goes on to whoever asked for JSON: a
 * newer desk may say more.
 */

const text = z.string().nullable();
const device = z.custom<DeviceId>(isDeviceId);

export const COMMAND_VIEW = z.looseObject({
  id: z.custom<CommandId>(isCommandId),
  device,
  type: z.custom<CommandType>(isCommandType),
  state: z.string(),
  code: text,
  /** Whose refusal it was; a desk of before does not say it. */
  refusedBy: text.optional(),
  person: z.string(),
  role: z.string(),
  approver: text,
  /** How often it was sent. */
  attempts: z.int(),
  proposedAt: z.string(),
  changedAt: z.string(),
  reason: text,
});
export type CommandView = z.output<typeof COMMAND_VIEW>;

/** One command with what it says and the bytes that were signed. */
export const SHOWN_COMMAND = COMMAND_VIEW.extend({ signed: z.base64() });
export type ShownCommand = z.output<typeof SHOWN_COMMAND>;

export const METER_VIEW = z.looseObject({
  device,
  medium: z.string(),
  tariffPlan: text,
  tariffPlanned: z.looseObject({ plan: z.string(), from: z.string() }).nullable(),
  creditMode: text,
  breaker: text,
  airplane: z.boolean().nullable(),
  airplaneSince: text,
  lastSeen: text,
  channels: z.array(z.looseObject({ channel: z.int(), medium: z.string(), owner: z.string() })),
});
export type MeterView = z.output<typeof METER_VIEW>;

/** One meter; a desk of before does not say its key. */
export const SHOWN_METER = METER_VIEW.extend({
  key: z.looseObject({ kid: z.string(), notAfter: z.string() }).nullable().optional(),
});
export type ShownMeter = z.output<typeof SHOWN_METER>;

/** An answer without content. */
export const NOTHING = z.unknown();

export const ROLE_VIEW = z.looseObject({ tenant: z.string(), role: z.string(), person: z.string() });

/** A page of a list; `next` is where the one after it begins. */
export const pageOf = <S extends z.ZodType>(item: S) =>
  z.looseObject({
    items: z.array(item),
    next: z.union([z.string(), z.number()]).nullable(),
  });
