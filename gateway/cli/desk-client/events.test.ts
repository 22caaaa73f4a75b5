import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import { type Connection, connectDesk } from './connection.ts';
import { type DeskEvent, deskEvents } from './events.ts';
import { type Handler, type OddServer, says, startOddServer } from './testing/server.ts';

let server: OddServer;
let connection: Connection;
beforeAll(async () => {
  server = await startOddServer();
  connection = connectDesk(server.url, server.operator.tls);
});
afterAll(async () => {
  connection.close();
  await server.close();
});

const streams =
  (...texts: readonly string[]): Handler =>
  (_, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (const text of texts) response.write(text);
    response.end();
  };

/** What comes until so many events were there. */
async function take(count: number, silenceMs = 10_000): Promise<readonly string[]> {
  const over = new AbortController();
  const told: string[] = [];
  const options = { signal: over.signal, random: () => 0, backoffMs: { min: 1, max: 1 }, silenceMs };
  for await (const event of deskEvents(connection, '/v1/events', options)) {
    told.push(textOf(event));
    if (told.filter((text) => text.includes('=')).length >= count) break;
  }
  over.abort();
  return told;
}

const textOf = (event: DeskEvent): string =>
  event.kind === 'event' ? `${event.event}=${event.data}` : event.kind;

describe('events of a desk', () => {
  it('come whole, however they are cut on the way', async () => {
    server.answer(
      streams('event: comm', 'and\nda', 'ta: {"a":1}\n', '\n: alive\n\nevent: command\r\ndata: 2\r\n\r\n'),
    );
    expect(await take(2)).toEqual(['open', 'command={"a":1}', 'command=2']);
  });

  it('come again after the connection broke off, from the last one that was seen', async () => {
    let asked: unknown;
    server.answer(streams('id: 7\ndata: 1\n\n'), (request, response) => {
      asked = request.headers['last-event-id'];
      streams('data: 2\n\n')(request, response);
    });
    expect(await take(2)).toEqual(['open', 'message=1', 'lost', 'open', 'message=2']);
    expect(asked).toBe('7');
  });

  it('are taken for lost where not even a comment comes', async () => {
    const silent: Handler = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(': hello\n\n');
    };
    server.answer(silent, streams('data: 1\n\n'));
    expect(await take(1, 100)).toEqual(['open', 'lost', 'open', 'message=1']);
  });

  it('end with what the desk refuses them with', async () => {
    server.answer(says(404, { title: 'No', code: 'ERR_DESK_COMMAND' }, 'application/problem+json'));
    const refused = await take(1).catch((error: unknown) => error);
    expect(isHesError(refused, 'ERR_DESK_COMMAND')).toBe(true);
  });
});
