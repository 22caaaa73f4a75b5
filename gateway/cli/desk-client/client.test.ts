import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isHesError } from '../../../protocol/errors.ts';
import { EXIT, exitCodeOf } from '../exit.ts';
import { type DeskClient, deskClient } from './client.ts';
import { connectDesk } from './connection.ts';
import { pages } from './pages.ts';
import { cutsOff, type OddServer, says, startOddServer } from './testing/server.ts';

let server: OddServer;
let client: DeskClient;
beforeAll(async () => {
  server = await startOddServer();
  client = deskClient(connectDesk(server.url, server.operator.tls));
});
afterAll(async () => {
  client.close();
  await server.close();
});

const THING = z.looseObject({ id: z.string() });
const thrown = async (
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; exit: number }> => {
  try {
    await promise;
  } catch (error) {
    if (!isHesError(error)) throw error;
    return { code: error.code, message: error.message, exit: exitCodeOf(error) };
  }
  throw new Error('nothing was thrown');
};

describe('the client of a desk', () => {
  it.each([
    [403, 'ERR_DESK_ROLE', EXIT.noRight],
    [401, 'ERR_TRUST_EXPIRED', EXIT.noRight],
    [404, 'ERR_DESK_METER', EXIT.noSuch],
    [409, 'ERR_DESK_CONFLICT', EXIT.conflict],
    [409, 'ERR_SOMETHING_NEW', EXIT.conflict],
    [409, 'ERR_DESK_AIRPLANE', EXIT.refused],
    [409, 'ERR_DESK_EXPIRED', EXIT.expired],
    [500, 'ERR_DESK_STORE', EXIT.incomplete],
  ])(
    'gives a refusal of status %i with code %s on, and ends with its exit code',
    async (status, code, exit) => {
      server.answer(
        says(status, { title: 'No', status, code, detail: 'in words' }, 'application/problem+json'),
      );
      expect(await thrown(client.get('/v1/thing', THING))).toEqual({ code, message: 'in words', exit });
    },
  );

  it.each([
    ['a page of something between', says(502, '<html>Bad gateway</html>', 'text/html')],
    ['JSON of another form', says(200, { items: 1 })],
    ['no JSON', says(200, 'hello')],
  ])('does not take %s for a desk', async (_, handler) => {
    server.answer(handler);
    expect(await thrown(client.get('/v1/thing', THING))).toMatchObject({ code: 'ERR_OP_ANSWER' });
  });

  it('asks again where the answer was lost to what does nothing twice', async () => {
    server.answer(cutsOff, says(201, { id: 'one' }));
    const view = await client.post('/v1/commands', { signed: 'x' }, THING, { again: true });
    expect(view).toEqual({ id: 'one' });
    expect(server.asked).toEqual(['POST /v1/commands', 'POST /v1/commands']);
  });

  it('does not ask again what would be done twice', async () => {
    server.answer(cutsOff, says(200, { id: 'one' }));
    expect(await thrown(client.post('/v1/commands/1/cancel', {}, THING))).toMatchObject({
      code: 'ERR_OP_NO_DESK',
    });
    expect(server.asked).toHaveLength(1);
  });

  it('does not wait for ever', async () => {
    server.answer(() => undefined);
    const { connection } = client;
    expect(await thrown(connection.send({ method: 'GET', path: '/v1/me', timeoutMs: 50 }))).toMatchObject({
      code: 'ERR_OP_TIMEOUT',
      exit: EXIT.incomplete,
    });
  });

  it('reads a list page by page, and no page more than is asked for', async () => {
    server.answer(
      says(200, { items: [{ id: 'a' }, { id: 'b' }], next: 'b' }),
      says(200, { items: [{ id: 'c' }, { id: 'd' }], next: 'd' }),
      says(200, { items: [], next: null }),
    );
    const ids: string[] = [];
    const list = { path: '/v1/things', query: { state: 'x' }, cursor: 'after', item: THING } as const;
    for await (const { id } of pages(client, list, 3)) ids.push(id);
    expect(ids).toEqual(['a', 'b', 'c']);
    expect(server.asked).toEqual([
      'GET /v1/things?state=x&limit=3',
      'GET /v1/things?state=x&limit=1&after=b',
    ]);
  });
});
