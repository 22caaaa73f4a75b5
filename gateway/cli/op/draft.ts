import { randomBytes } from 'node:crypto';
import type { Command, CommandBody } from '../../../protocol/command/command.ts';
import { argumentsToText } from '../../../protocol/command/complete.ts';
import { COMMAND_ID_BYTES, commandIdOf } from '../../../protocol/command/id.ts';
import { type CommandType, rowOf } from '../../../protocol/command/table.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';

/** A command as somebody asks for it, before it has an id and a counter. */
export interface Draft {
  readonly device: DeviceId;
  readonly body: CommandBody;
  readonly reason: string | null;
  /** Epoch seconds; null for at once. */
  readonly notBefore: number | null;
  /** Null for what the row says. */
  readonly validSeconds: number | null;
}

/**
 * A command that is to be valid at once becomes so a little earlier: a meter whose clock is behind would refuse it,
 * and a refusal is final.
 */
export const CLOCKS_APART_SECONDS = 60;

export function commandOf(
  { device, body, reason, notBefore, validSeconds }: Draft,
  { tenant, counter, nowMs }: { readonly tenant: TenantId; readonly counter: number; readonly nowMs: number },
): Command {
  const row = rowOf(body.type);
  const from = notBefore ?? Math.floor(nowMs / 1_000) - CLOCKS_APART_SECONDS;
  return {
    version: 1,
    tenant,
    device,
    id: commandIdOf(randomBytes(COMMAND_ID_BYTES)),
    counter,
    notBefore: from,
    // A span that somebody names counts from now, as he means it, and not from a minute ago.
    expiry:
      validSeconds === null
        ? from + row.expirySeconds
        : Math.min((notBefore ?? Math.floor(nowMs / 1_000)) + validSeconds, from + row.expirySecondsMax),
    reason,
    ...body,
  };
}

/** What a command says, for JSON: values as the API has them, times as people read them. */
export function commandJson(command: Command): Readonly<Record<string, unknown>> {
  const { tenant, device, id, type, arguments: args, notBefore, expiry, reason } = command;
  return {
    tenant,
    device,
    id,
    type,
    arguments: args,
    notBefore: iso(notBefore),
    expiry: iso(expiry),
    reason,
  };
}

/** The same for whoever is about to put a name under it. */
export function commandText(command: Command): string {
  const { tenant, device, type, arguments: args, notBefore, expiry, reason } = command;
  const row = rowOf(type);
  const lines: (readonly [string, string])[] = [
    ['command', `${type}${row.critical ? ' (critical: signed by two people)' : ''}`],
    ['which', row.says],
    ['meter', `${device} of ${tenant}`],
    ...argumentsToText(type, args).map(({ option, text }) => [option, text] as const),
    ['valid', `${iso(notBefore)} to ${iso(expiry)}`],
    ['reason', reason ?? '(none)'],
  ];
  return table(lines);
}

/** Two columns, indented. */
export function table(lines: readonly (readonly [string, string])[]): string {
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, text]) => `  ${name.padEnd(width)}  ${text}\n`).join('');
}

export const iso = (epochSeconds: number): string =>
  new Date(epochSeconds * 1_000).toISOString().replace('.000Z', 'Z');

/** Roles and limits of a row, for the help of its command. */
export function rowText(type: CommandType): string {
  const row = rowOf(type);
  const people = row.critical
    ? `Critical: it asks for the EAN of the meter, and needs a second signature by ${row.approve.join(' or ')}.`
    : 'One signature.';
  return [
    `${people} Proposed by: ${row.propose.join(', ')}.`,
    `Valid for ${spanText(row.expirySeconds)} unless said otherwise, for ${spanText(row.expirySecondsMax)} at most.`,
  ].join('\n');
}

const SPANS = [
  [86_400, 'day'],
  [3_600, 'hour'],
  [60, 'minute'],
] as const;

function spanText(seconds: number): string {
  for (const [size, name] of SPANS)
    if (seconds % size === 0) return `${seconds / size} ${name}${seconds === size ? '' : 's'}`;
  return `${seconds} seconds`;
}
