import { X509Certificate } from 'node:crypto';
import { decodeCommand } from '../../../protocol/command/command.ts';
import { checkSignatures } from '../../../protocol/command/signed.ts';
import { isCommandType } from '../../../protocol/command/table.ts';
import { isStoredState, STORED_STATES } from '../../desk/lifecycle/states.ts';
import { deskEvents } from '../desk-client/events.ts';
import type { DeskFlags } from '../desk-client/flags.ts';
import { atDesk } from '../desk-client/open.ts';
import { pages, withQuery } from '../desk-client/pages.ts';
import { COMMAND_VIEW, SHOWN_COMMAND, type ShownCommand } from '../desk-client/views.ts';
import { usage } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { Interrupt } from '../up/interrupt.ts';
import { parseId } from './approve.ts';
import { commandText, table } from './draft.ts';
import { isChange, parseCommandView } from './follow.ts';
import { parseDevice } from './propose.ts';
import { doneText, listHead, listLine, nextStep, stateLine, watchLine } from './render.ts';

/** `hes op cancel|release|show|list|watch`: what needs no signature. */

export interface ReasonFlags extends DeskFlags {
  readonly reason?: string;
  readonly json?: boolean;
}

export async function changeCommand(
  what: 'cancel' | 'release',
  id: string,
  { reason, json = false, ...flags }: ReasonFlags,
): Promise<number> {
  const path = `/v1/commands/${parseId(id)}/${what}`;
  return atDesk(flags, async ({ client }) => {
    const view = await client.post(path, reason === undefined ? {} : { reason }, COMMAND_VIEW);
    process.stdout.write(json ? `${JSON.stringify(view)}\n` : doneText(view));
    return EXIT.ok;
  });
}

export async function showCommand(
  id: string,
  { json = false, ...flags }: DeskFlags & { readonly json?: boolean },
): Promise<number> {
  const path = `/v1/commands/${parseId(id)}`;
  return atDesk(flags, async ({ client }) => {
    const shown = await client.get(path, SHOWN_COMMAND);
    process.stdout.write(json ? `${JSON.stringify(shown)}\n` : shownText(shown));
    return EXIT.ok;
  });
}

function shownText(shown: ShownCommand): string {
  const { person, role, approver, proposedAt, changedAt, attempts } = shown;
  const facts = table([
    ['id', shown.id],
    ['proposed', `${proposedAt} by ${person} (${role})`],
    ['approved', approver === null ? '(by nobody)' : `by ${approver}`],
    ['attempts', String(attempts)],
    ['changed', changedAt],
  ]);
  return `${stateLine(shown)}\n${commandOfBytes(shown)}${facts}${nextStep(shown)}`;
}

/** What the signed bytes say; whether their signatures hold, the desk and the meter look. */
function commandOfBytes({ signed, device }: ShownCommand): string {
  const bytes = Buffer.from(signed, 'base64');
  // The binding and the keys matter to what holds, which nobody asks here.
  const { payload } = checkSignatures({
    signed: bytes,
    binding: { tenant: 'unknown' as never, device },
    keyOf: (certificate) => new X509Certificate(certificate).publicKey,
  });
  return commandText(decodeCommand(payload));
}

export interface ListFlags extends DeskFlags {
  readonly device?: string;
  readonly state?: string;
  readonly type?: string;
  readonly person?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

const LIST_DEFAULT = 50;

export async function listCommands(flags: ListFlags): Promise<number> {
  const { device, state, type, person, limit = LIST_DEFAULT, json = false } = flags;
  if (device !== undefined) parseDevice(device);
  if (state !== undefined && !isStoredState(state))
    throw usage(`--state ${state}: it is one of ${STORED_STATES.join(', ')}`);
  if (type !== undefined && !isCommandType(type)) throw usage(`--type ${type}: it is no command`);
  return atDesk(flags, async ({ client }) => {
    const query = { device, state, type, person };
    const list = { path: '/v1/commands', query, cursor: 'before', item: COMMAND_VIEW } as const;
    if (json) await writeArray(pages(client, list, limit));
    else await writeTable(pages(client, list, limit), listHead(), listLine, 'There is no such command.\n');
    return EXIT.ok;
  });
}

/** A JSON array, written as its items come. */
export async function writeArray(items: AsyncIterable<unknown>): Promise<void> {
  let before = '[';
  for await (const item of items) {
    process.stdout.write(`${before}${JSON.stringify(item)}`);
    before = ',';
  }
  process.stdout.write(before === '[' ? '[]\n' : ']\n');
}

/** A table for people: its head where there is something below it, `nothing` where there is not. */
export async function writeTable<T>(
  items: AsyncIterable<T>,
  head: string,
  line: (item: T) => string,
  nothing: string,
): Promise<void> {
  let count = 0;
  for await (const item of items) {
    if (count === 0) process.stdout.write(head);
    process.stdout.write(line(item));
    count += 1;
  }
  if (count === 0) process.stderr.write(nothing);
}

/** Each change as it happens, until Ctrl-C. */
export async function watchCommands({
  device,
  json = false,
  ...flags
}: DeskFlags & { readonly device?: string; readonly json?: boolean }): Promise<number> {
  if (device !== undefined) parseDevice(device);
  const interrupt = new Interrupt();
  return atDesk(flags, async ({ client, terminal }) => {
    const path = withQuery('/v1/events', { device });
    for await (const event of deskEvents(client.connection, path, { signal: interrupt.signal })) {
      if (event.kind === 'open') terminal.tell('watching; Ctrl-C ends it');
      if (event.kind === 'lost') terminal.tell('the connection to the desk is lost; trying again');
      if (event.kind === 'event' && event.event === 'gap')
        terminal.tell('some changes were missed; `hes op list` shows how things are');
      if (!isChange(event)) continue;
      const view = parseCommandView(event.data);
      process.stdout.write(json ? `${JSON.stringify(view)}\n` : watchLine(view));
    }
    return EXIT.ok;
  });
}
