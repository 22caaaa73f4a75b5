import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import { newCommand } from '../store/contract-samples.ts';
import type { StoredCommand } from '../store/port.ts';
import { everybodyAwake } from '../testing/fake-bus.ts';
import {
  ask,
  type OfficeWorld,
  officeWorld,
  open,
  type Person,
  post,
  type RunningOffice,
} from '../testing/office-world.ts';
import { ChangeFeed } from './feed.ts';
import {
  EVENTS_KEPT_MAX,
  EVENTS_WAITING_MAX,
  SUBSCRIBERS_MAX,
  SUBSCRIBERS_PER_PERSON_MAX,
} from './limits.ts';

const stored = (number: number): StoredCommand => ({
  ...newCommand(number),
  seq: number,
  changedAtMs: number,
  approver: null,
  attempts: 0,
  retryAtMs: null,
  answerDueMs: null,
  code: null,
  refusedBy: null,
  late: null,
});
const codeOf = (act: () => unknown): string => {
  try {
    act();
    return 'none';
  } catch (error) {
    return isHesError(error) ? error.code : String(error);
  }
};

describe('the feed of changes', () => {
  it('lets a reader go that falls too far behind, and keeps nobody else waiting', async () => {
    const feed = new ChangeFeed('run');
    const slow = feed.subscribe('ann');
    const quick = feed.subscribe('bob');
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { id } of quick.changes) seen.push(id);
    })();
    for (let number = 1; number <= EVENTS_WAITING_MAX + 1; number++) {
      feed.publish(stored(number));
      if (number % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    expect(feed.subscribers).toBe(1);
    feed.close();
    await reading;
    expect(seen).toHaveLength(EVENTS_WAITING_MAX + 1);
    // What waited for the slow one is still given to it; then its stream ends, and it comes again.
    let given = 0;
    for await (const _ of slow.changes) given++;
    expect(given).toBe(EVENTS_WAITING_MAX);
  });

  it('gives whoever comes again what it missed, or says that it cannot', async () => {
    const feed = new ChangeFeed('run');
    for (let number = 1; number <= EVENTS_KEPT_MAX + 10; number++) feed.publish(stored(number));
    const again = feed.subscribe('ann', `run-${EVENTS_KEPT_MAX + 8}`);
    const upToDate = feed.subscribe('ann', `run-${EVENTS_KEPT_MAX + 10}`);
    expect([again.gap, upToDate.gap]).toEqual([false, false]);
    for (const unknown of ['run-3', 'other-5', '', '__proto__'])
      expect(feed.subscribe('ann', unknown).gap, unknown).toBe(true);
    feed.close();
    const ids: string[] = [];
    for await (const { id } of again.changes) ids.push(id);
    expect(ids).toEqual([`run-${EVENTS_KEPT_MAX + 9}`, `run-${EVENTS_KEPT_MAX + 10}`]);
  });

  it('serves so many at once, and so many of one person, and has room again when they leave', () => {
    const feed = new ChangeFeed('run');
    const own = Array.from({ length: SUBSCRIBERS_PER_PERSON_MAX }, () => feed.subscribe('ann'));
    expect(codeOf(() => feed.subscribe('ann'))).toBe('ERR_DESK_SUBSCRIBERS');
    own[0]!.end();
    expect(codeOf(() => feed.subscribe('ann'))).toBe('none');
    for (let number = feed.subscribers; number < SUBSCRIBERS_MAX; number++)
      feed.subscribe(`person ${number}`);
    expect(codeOf(() => feed.subscribe('late'))).toBe('ERR_DESK_SUBSCRIBERS');
    feed.close();
    expect(feed.subscribers).toBe(0);
  });
});

describe('events over the API', () => {
  let world: OfficeWorld;
  let office: RunningOffice;
  beforeAll(async () => {
    world = officeWorld();
    office = await world.startOffice({}, everybodyAwake);
  });
  afterAll(async () => {
    await office.stop();
    world.close();
  });

  interface Event {
    readonly event: string;
    readonly id: string | undefined;
    readonly data: { readonly id?: string; readonly state?: string };
  }

  /** Events of a stream until one is the last that is wanted. */
  async function events(
    path: string,
    until: (event: Event) => boolean,
    { as = 'operator', headers = {} }: { as?: Person; headers?: Record<string, string> } = {},
    then: () => Promise<unknown> = async () => undefined,
  ): Promise<Event[]> {
    const abort = new AbortController();
    const message = await open(office.port, world.person(as).tls, path, { headers, signal: abort.signal });
    expect(message.headers['content-type']).toBe('text/event-stream');
    const after = then();
    const seen: Event[] = [];
    let text = '';
    for await (const chunk of message.setEncoding('utf8') as AsyncIterable<string>) {
      text += chunk;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const lines = text.slice(0, end).split('\n');
        text = text.slice(end + 2);
        const field = (name: string) =>
          lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        seen.push({
          event: field('event')!,
          id: field('id'),
          data: JSON.parse(field('data')!) as Event['data'],
        });
      }
      if (seen.some(until)) break;
    }
    abort.abort();
    await after;
    return seen;
  }
  const states = (seen: readonly Event[]) => seen.map(({ data }) => data.state);

  it('begin with the state of now, and tell each change up to the end of a command', async () => {
    const command = world.command('p1.set');
    const proposed = await post(
      office.port,
      world.person('operator').tls,
      '/v1/commands',
      world.proposal(command),
    );
    expect(proposed.status).toBe(201);
    await expect
      .poll(
        async () =>
          (await ask(office.port, world.person('operator').tls, `/v1/commands/${command.id}`)).json.state,
      )
      .toBe('sent');
    const seen = await events(
      `/v1/events?id=${command.id}`,
      ({ data }) => data.state === 'executed',
      { as: 'supervisor' },
      () => office.field.outcome(command.device, world.outcomeOf(command)),
    );
    expect(states(seen)).toEqual(['sent', 'executed']);
    expect(new Set(seen.map(({ data }) => data.id))).toEqual(new Set([command.id]));

    // Whoever lost the connection after the first of them comes again with what he saw last.
    const all = await events(
      `/v1/events?device=${command.device}`,
      ({ data }) => data.state === 'executed',
      { headers: { 'last-event-id': 'of another life' } },
      async () => {
        const next = world.command('display.message');
        await post(office.port, world.person('operator').tls, '/v1/commands', world.proposal(next));
        await expect
          .poll(
            async () =>
              (await ask(office.port, world.person('operator').tls, `/v1/commands/${next.id}`)).json.state,
          )
          .toBe('sent');
        await office.field.outcome(next.device, world.outcomeOf(next));
      },
    );
    expect(all[0]).toMatchObject({ event: 'gap', data: {} });
    expect(states(all.slice(1))).toEqual(['queued', 'sent', 'executed']);
    const rest = await events(
      `/v1/events?device=${command.device}`,
      ({ data }) => data.state === 'executed',
      { headers: { 'last-event-id': all[1]!.id! } },
    );
    expect(states(rest)).toEqual(['sent', 'executed']);
  });

  it('of a command that there is not are refused, and nobody stays subscribed for it', async () => {
    const { status, json } = await ask(
      office.port,
      world.person('operator').tls,
      `/v1/events?id=${'9'.repeat(32)}`,
    );
    expect([status, json.code]).toEqual([404, 'ERR_DESK_COMMAND']);
    await expect.poll(() => office.counters.get('api.watching')).toBe(0);
  });

  it('end for whoever goes away', async () => {
    const abort = new AbortController();
    const message = await open(office.port, world.person('lopex').tls, '/v1/events', {
      signal: abort.signal,
    });
    message.on('error', () => undefined);
    expect(office.counters.get('api.watching')).toBe(1);
    abort.abort();
    await expect.poll(() => office.counters.get('api.watching')).toBe(0);
  });
});
