import { isHesError } from '../../../protocol/errors.ts';
import { isStoredState, isTerminal } from '../../desk/lifecycle/states.ts';
import { clientError } from '../desk-client/errors.ts';
import { type DeskEvent, deskEvents } from '../desk-client/events.ts';
import type { AtDesk } from '../desk-client/open.ts';
import { withQuery } from '../desk-client/pages.ts';
import { COMMAND_VIEW, type CommandView } from '../desk-client/views.ts';
import { stateLine } from './render.ts';

/** Until when `--wait` waits where nothing is said: a meter that is connected answers within seconds. */
export const WAIT_SECONDS = 300;

export const hasEnded = (state: string): boolean => isStoredState(state) && isTerminal(state);

/**
 * A command until its end, or until the time is over; what it is then.
 * @throws what asking for it throws
 */
export async function follow(
  { client, terminal }: Pick<AtDesk, 'client' | 'terminal'>,
  from: CommandView,
  timeoutSeconds: number,
): Promise<CommandView> {
  let latest = from;
  const take = (view: CommandView): void => {
    if (view.state !== latest.state) terminal.tell(stateLine(view));
    latest = view;
  };
  terminal.tell(stateLine(latest));
  if (hasEnded(latest.state)) return latest;
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), timeoutSeconds * 1_000);
  const left = (): void => leave(from);
  process.once('SIGINT', left);
  try {
    const path = withQuery('/v1/events', { device: from.device, id: from.id });
    for await (const event of deskEvents(client.connection, path, { signal: over.signal })) {
      // What changed before the events flowed, or while they did not.
      const missed = event.kind === 'open' || (event.kind === 'event' && event.event === 'gap');
      if (missed) take(await client.get(`/v1/commands/${from.id}`, COMMAND_VIEW));
      if (event.kind === 'lost') terminal.tell('the connection to the desk is lost; trying again');
      if (isChange(event)) take(viewOf(event.data, from) ?? latest);
      if (hasEnded(latest.state)) break;
    }
  } catch (error) {
    // The time is over while something was asked.
    if (!over.signal.aborted || isHesError(error)) throw error;
  } finally {
    clearTimeout(timer);
    over.abort();
    process.off('SIGINT', left);
  }
  return latest;
}

/** Ctrl-C ends the waiting, not the command: whoever pressed it has not been told its id yet. */
function leave({ id }: CommandView): void {
  process.stderr.write(`no longer waited for; the command goes on: hes op show ${id}\n`);
  process.kill(process.pid, 'SIGINT');
}

/** Beside changes there is `gap`: some of them were missed and will not come any more. */
export const isChange = (event: DeskEvent): event is Extract<DeskEvent, { readonly kind: 'event' }> =>
  event.kind === 'event' && event.event === 'command';

/** @returns undefined for what is about another command */
function viewOf(data: string, { id }: CommandView): CommandView | undefined {
  const view = parseCommandView(data);
  return view.id === id ? view : undefined;
}

/** @throws ERR_OP_ANSWER */
export function parseCommandView(data: string): CommandView {
  try {
    return COMMAND_VIEW.parse(JSON.parse(data));
  } catch (cause) {
    throw clientError('ERR_OP_ANSWER', 'an event of another form', { cause });
  }
}
