import { z } from 'zod';
import { isCommandId } from '../../../protocol/command/id.ts';
import { ROLES, type Role } from '../../../protocol/command/roles.ts';
import { isCommandType } from '../../../protocol/command/table.ts';
import { isDeviceId, isTenantId } from '../../../protocol/identity.ts';
import { CAMPAIGN_CAUSES } from '../campaigns/lifecycle/states.ts';
import { deskError } from '../errors.ts';
import { ALL_STATES, type CommandState } from '../lifecycle/states.ts';
import { CAUSES } from '../lifecycle/transitions.ts';
import { ACTOR_KINDS, type AuditEvent, type AuditRow, OTHER_EVENTS } from './row.ts';

/** A line that `toJsonLine` wrote, for whoever verifies a chain without its database. */

const EVENTS = new Set<string>([...CAUSES, ...CAMPAIGN_CAUSES, ...Object.keys(OTHER_EVENTS)]);
const STATES = new Set<string>(ALL_STATES);
const HASH = z.string().regex(/^[0-9a-f]{64}$/);
const whole = z.int().nonnegative();
const state = z.custom<CommandState>((value) => typeof value === 'string' && STATES.has(value)).nullable();

const ROW = z.strictObject({
  tenant: z.custom<AuditRow['tenant']>(isTenantId),
  n: whole,
  at: z.string(),
  atMs: whole,
  event: z.custom<AuditEvent>((value) => typeof value === 'string' && EVENTS.has(value)),
  actor: z.strictObject({
    kind: z.enum(ACTOR_KINDS),
    name: z.string().nullable(),
    role: z.enum(Object.keys(ROLES) as [Role, ...Role[]]).nullable(),
  }),
  device: z.custom<NonNullable<AuditRow['device']>>(isDeviceId).nullable(),
  command: z.custom<NonNullable<AuditRow['command']>>(isCommandId).nullable(),
  type: z.custom<NonNullable<AuditRow['type']>>(isCommandType).nullable(),
  from: state,
  to: state,
  code: z.string().nullable(),
  reason: z.string().nullable(),
  digest: HASH.nullable(),
  previous: HASH,
  hash: HASH,
});

/** A row has about 700 bytes. */
const LINE_LENGTH_MAX = 8_192;

/** @throws ERR_DESK_AUDIT_LINE */
export function fromJsonLine(line: string): AuditRow {
  if (line.length > LINE_LENGTH_MAX) throw notOurs();
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw notOurs(cause);
  }
  const parsed = ROW.safeParse(value);
  if (!parsed.success) throw notOurs();
  const { at, ...row } = parsed.data;
  // The time for people stands beside the one that is hashed: it must say the same.
  if (at !== new Date(row.atMs).toISOString()) throw notOurs();
  return row;
}

function notOurs(cause?: unknown): Error {
  return deskError('ERR_DESK_AUDIT_LINE', 'not a line of an audit export', { cause });
}
