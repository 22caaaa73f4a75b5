import { z } from 'zod';
import { isTerminal } from '../../lifecycle/states.ts';
import type { StoredCommand } from '../../store/port.ts';
import type { Subscription } from '../feed.ts';
import { EVERYBODY, type Route, route, type ServerEvent } from '../route.ts';
import { commandId, deviceId } from '../shapes.ts';
import { type CommandView, commandView, viewOfCommand } from '../views.ts';

type Event = ServerEvent<CommandView | Record<string, never>>;

interface Wanted {
  readonly device: string | undefined;
  readonly id: string | undefined;
}

const isWanted = ({ device, id }: Wanted, command: StoredCommand): boolean =>
  (device === undefined || command.device === device) && (id === undefined || command.id === id);

/** Whether a change that waited is of before the state that was shown already. */
const isOlder = (change: StoredCommand, shown: StoredCommand): boolean =>
  change.changedAtMs < shown.changedAtMs || (isTerminal(shown.state) && !isTerminal(change.state));

/** The state of now, where one command is asked for, then each change: nothing can happen in between unseen. */
async function* eventsOf(
  { changes, gap, end }: Subscription,
  wanted: Wanted,
  now: StoredCommand | undefined,
): AsyncGenerator<Event> {
  try {
    if (gap) yield { event: 'gap', data: {} };
    if (now !== undefined) yield { event: 'command', data: viewOfCommand(now) };
    for await (const { id, command } of changes)
      if (isWanted(wanted, command) && (now === undefined || !isOlder(command, now)))
        yield { event: 'command', id, data: viewOfCommand(command) };
  } finally {
    end();
  }
}

export const EVENT_ROUTES: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v1/events',
    roles: EVERYBODY,
    summary:
      'Changes of commands as they happen (server-sent events): `command` with the command; `gap` where some were missed since Last-Event-ID. With `id` its state of now comes first',
    query: z.strictObject({ device: deviceId.optional(), id: commandId.optional() }),
    answer: { status: 200, events: z.union([commandView, z.strictObject({})]) },
    async handle({ desk, feed }, { query: { device, id }, caller, lastEventId, signal }) {
      // Subscribed first: what happens while the state of now is read is not lost.
      const subscription = feed.subscribe(caller.person, lastEventId);
      signal.addEventListener('abort', subscription.end, { once: true });
      if (signal.aborted) subscription.end();
      try {
        const now = id === undefined ? undefined : (await desk.show(id)).stored;
        return eventsOf(subscription, { device, id }, now);
      } catch (error) {
        subscription.end();
        throw error;
      }
    },
  }),
];
