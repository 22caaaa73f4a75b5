import { connect } from 'node:tls';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAMPAIGN_ROUTES } from '../campaigns/routes.ts';
import { nobodyAwake } from '../testing/fake-bus.ts';
import {
  ask,
  EANS,
  type OfficeWorld,
  officeWorld,
  open,
  type Person,
  post,
  RESA,
  type RunningOffice,
  textOf,
} from '../testing/office-world.ts';
import { BODY_BYTES_MAX, IDENTIFY_PER_MINUTE, LINE_BYTES_MAX } from './limits.ts';
import { apiRoutes } from './routes.ts';

let world: OfficeWorld;
let office: RunningOffice;
beforeAll(async () => {
  world = officeWorld();
  office = await world.startOffice({}, nobodyAwake);
});
afterAll(async () => {
  await office.stop();
  world.close();
});

const get = (path: string, as: Person = 'operator') => ask(office.port, world.person(as).tls, path);
const send = (path: string, body: unknown, as: Person = 'operator') =>
  post(office.port, world.person(as).tls, path, body);
const failure = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code ?? error);
  }
};

describe('the door of the API', () => {
  it('lets nobody in without a certificate of the office', async () => {
    const { ca } = world.person('operator').tls;
    expect(await failure(ask(office.port, { ca }, '/v1/me'))).toMatch(/ERR_SSL|ECONNRESET|EPIPE/);
    const { tls } = world.devices[0]!;
    const field = { ca, key: tls.key, cert: tls.certificate };
    expect(await failure(ask(office.port, field, '/v1/me'))).toMatch(/ERR_SSL|ECONNRESET|EPIPE/);
    // The chain up to the field root does not help either.
    const chain = `${tls.certificate}${tls.certificate.endsWith('\n') ? '' : '\n'}${world.devices[0]!.root}`;
    expect(await failure(ask(office.port, { ...field, cert: chain }, '/v1/me'))).toMatch(
      /ERR_SSL|ECONNRESET|EPIPE|ERR_OSSL/,
    );
  });

  it('lets nobody of another tenant in, whose office has the same root', async () => {
    // Their own client would not ask here: it knows whose desk this is.
    const { key, cert, ca } = world.person('operator', RESA).tls;
    const { status, json } = await ask(office.port, { key, cert, ca }, '/v1/me');
    expect(status).toBe(401);
    expect(json.code).toMatch(/^ERR_TRUST_/);
    expect(office.counters.get('api.refused.caller')).toBeGreaterThan(0);
  });

  it('speaks no TLS before 1.3', async () => {
    const { key, cert, ca } = world.person('operator').tls;
    const socket = connect({
      host: '127.0.0.1',
      port: office.port,
      key,
      cert,
      ca,
      maxVersion: 'TLSv1.2',
      servername: 'localhost',
    });
    const code = await new Promise((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
      socket.once('secureConnect', () => resolve('connected'));
    });
    socket.destroy();
    expect(code).not.toBe('connected');
  });

  it('tells whoever is known who he is', async () => {
    expect(await get('/v1/me', 'marco')).toEqual({
      status: 200,
      json: { tenant: 'ores', role: 'marco', person: 'marco' },
    });
  });

  it('refuses what is not for a role, and keeps that in the audit', async () => {
    const command = world.command('p1.set');
    const { status, json } = await send('/v1/commands', world.proposal(command, 'supervisor'), 'supervisor');
    expect([status, json.code]).toEqual([403, 'ERR_DESK_ROLE']);
    expect((await get('/v1/audit', 'lopex')).status).toBe(403);
    const { json: audit } = await get('/v1/audit', 'supervisor');
    expect(audit.items.at(-1)).toMatchObject({
      event: 'denied',
      code: 'ERR_DESK_ROLE',
      actor: { kind: 'system', name: 'lopex', role: 'lopex' },
    });
  });

  it('refuses a path, a method, a member and a value that it does not know, and quotes none', async () => {
    expect((await get('/v1/nothing')).status).toBe(404);
    expect((await get('/v1/commands/bulk')).status).toBe(400);
    expect((await send('/v1/me', {})).status).toBe(405);
    const cases: readonly (readonly [path: string, code: string])[] = [
      ['/v1/meters?limit=0', 'ERR_DESK_REQUEST'],
      ['/v1/meters?limit=1e2', 'ERR_DESK_REQUEST'],
      ['/v1/meters?limit=5&limit=6', 'ERR_DESK_REQUEST'],
      ['/v1/meters?colour=red', 'ERR_DESK_REQUEST'],
      ['/v1/meters?airplane=yes', 'ERR_DESK_REQUEST'],
      ['/v1/me?x=1', 'ERR_DESK_REQUEST'],
      ['/v1/commands/NOT-AN-ID', 'ERR_DESK_REQUEST'],
      [`/v1/commands/${'0'.repeat(32)}`, 'ERR_DESK_COMMAND'],
      [`/v1/meters/${'0'.repeat(16)}`, 'ERR_DESK_METER'],
    ];
    for (const [path, code] of cases) expect([(await get(path)).json.code, path]).toEqual([code, path]);
    const device = world.devices[0]!.device;
    const { json } = await send(`/v1/meters/${device}/identify`, { ean: '541448-secret' });
    expect(json.code).toBe('ERR_DESK_REQUEST');
    expect(JSON.stringify(json)).not.toContain('secret');
  });

  it('refuses a body that is too large, no JSON, of another kind, or deeper than it reads', async () => {
    const as = world.person('operator').tls;
    const body = (text: string, headers: Record<string, string> = {}) =>
      ask(office.port, as, '/v1/commands', { method: 'POST', body: text, headers });
    const large = await body(JSON.stringify({ device: 'x'.repeat(BODY_BYTES_MAX) }));
    expect([large.status, large.json.code]).toEqual([413, 'ERR_DESK_BODY']);
    expect((await body('{"device":')).json.code).toBe('ERR_DESK_REQUEST');
    expect((await body('['.repeat(5_000))).json.code).toBe('ERR_DESK_REQUEST');
    expect((await body('{}', { 'content-type': 'text/plain' })).status).toBe(415);
    expect((await body('{}', { 'content-encoding': 'gzip' })).status).toBe(415);
    expect((await body('{"__proto__":{"device":"1"}}')).json.code).toBe('ERR_DESK_REQUEST');
  });
});

describe('commands over the API', () => {
  it('are proposed, shown, listed and cancelled; proposed again they are the same', async () => {
    const command = world.command('p1.set');
    const proposal = world.proposal(command);
    const first = await send('/v1/commands', proposal);
    expect([first.status, first.json]).toMatchObject([
      201,
      { id: command.id, state: 'queued', type: 'p1.set', person: 'operator', attempts: 0 },
    ]);
    expect((await send('/v1/commands', proposal)).json.id).toBe(command.id);
    const { json: shown } = await get(`/v1/commands/${command.id}`, 'supervisor');
    expect(shown).toMatchObject({ command: { type: 'p1.set', arguments: command.arguments } });
    expect(shown.signed).toBe(proposal.signed);
    const { json: list } = await get(`/v1/commands?device=${command.device}&state=queued&limit=1`);
    expect(list.items).toHaveLength(1);
    const cancelled = await send(`/v1/commands/${command.id}/cancel`, { reason: 'mistake' });
    expect(cancelled.json.state).toBe('cancelled');
    expect((await send(`/v1/commands/${command.id}/cancel`, {})).json.code).toBe('ERR_DESK_STATE');
  });

  it('that are critical wait for another person, whose signature is over the same bytes', async () => {
    const command = world.command('prepayment.activate', { reason: 'case 7' });
    const signed = world.signed(command);
    const base64 = (bytes: Uint8Array) => ({ signed: Buffer.from(bytes).toString('base64') });
    const { json } = await send('/v1/commands', { device: command.device, ...base64(signed) });
    expect(json.state).toBe('awaiting-approval');
    const path = `/v1/commands/${command.id}/approval`;
    expect((await send(path, base64(world.approved(signed)), 'operator')).json.code).toBe('ERR_DESK_ROLE');
    const byOther = await send(path, base64(world.approved(signed, 'prepayment')), 'approver');
    expect([byOther.status, byOther.json.code]).toEqual([403, 'ERR_COMMAND_ROLE']);
    const done = await send(path, base64(world.approved(signed)), 'approver');
    expect([done.status, done.json]).toMatchObject([200, { state: 'queued', approver: 'approver' }]);
    await send(`/v1/commands/${command.id}/cancel`, {}, 'approver');
  });

  it('of a signer of another tenant, or altered on their way, are refused', async () => {
    const command = world.command('p1.set');
    const foreign = world.signed(command, 'operator', RESA);
    const byResa = await send('/v1/commands', {
      device: command.device,
      signed: Buffer.from(foreign).toString('base64'),
    });
    expect(byResa.status).toBe(403);
    const bytes = Buffer.from(world.signed(command));
    bytes[bytes.length - 1]! ^= 1;
    const altered = await send('/v1/commands', { device: command.device, signed: bytes.toString('base64') });
    expect([altered.status, altered.json.code]).toEqual([422, 'ERR_COMMAND_SIGNATURE']);
  });

  it('go in bulk, a line for a line in order, and wrong lines beside right ones', async () => {
    const commands = Array.from({ length: 20 }, (_, at) =>
      world.command('display.message', { device: world.devices[1 + (at % 2)]!.device }),
    );
    const lines = commands.map((command) => JSON.stringify(world.proposal(command)));
    lines.splice(3, 0, 'no json', '{"device":"00"}', '');
    const message = await open(office.port, world.person('operator').tls, '/v1/commands/bulk', {
      method: 'POST',
      body: lines.join('\n'),
      headers: { 'content-type': 'application/x-ndjson' },
    });
    expect(message.headers['content-type']).toBe('application/x-ndjson');
    const answers = (await textOf(message))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, string>);
    expect(answers.map(({ id, code }) => id ?? code)).toEqual([
      ...commands.slice(0, 3).map(({ id }) => id),
      'ERR_DESK_REQUEST',
      'ERR_DESK_REQUEST',
      ...commands.slice(3).map(({ id }) => id),
    ]);
  });
});

describe('a bulk call that ends badly', () => {
  it('has the answers of what came before, and what ended it as its last line', async () => {
    const command = world.command('p1.set', { device: world.devices[2]!.device });
    const body = `${JSON.stringify(world.proposal(command))}\n${'x'.repeat(LINE_BYTES_MAX * 2)}`;
    const message = await open(office.port, world.person('operator').tls, '/v1/commands/bulk', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/x-ndjson' },
    });
    const lines = (await textOf(message)).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { id: command.id, state: 'queued' },
      { code: 'ERR_DESK_BODY' },
    ]);
  });
});

describe('meters over the API', () => {
  it('are listed page by page, without an EAN', async () => {
    const seen: string[] = [];
    for (let after = ''; ; ) {
      const { json } = await get(`/v1/meters?limit=2${after === '' ? '' : `&after=${after}`}`, 'supervisor');
      expect(JSON.stringify(json)).not.toMatch(/54\d{16}/);
      seen.push(...json.items.map(({ device }: { device: string }) => device));
      if (json.next === null) break;
      after = json.next;
    }
    expect(seen).toEqual(world.devices.map(({ device }) => device).sort());
    const { json } = await get(`/v1/meters/${world.devices[0]!.device}`);
    expect(json).toMatchObject({
      home: 'ores',
      medium: 'electricity',
      tariffPlan: 'mono',
      creditMode: 'credit',
      breaker: 'closed',
      airplane: false,
      channels: [{ channel: 0, medium: 'electricity', owner: 'ores' }],
    });
  });

  it('are told apart by their EAN, which is never given out, and not guessed by trying', async () => {
    const [first, second] = world.devices;
    const path = `/v1/meters/${first!.device}/identify`;
    expect((await send(path, { ean: EANS[0] })).status).toBe(204);
    const other = await send(path, { ean: EANS[1] });
    expect([other.status, other.json.code]).toEqual([409, 'ERR_DESK_EAN']);
    expect((await send(`/v1/meters/${second!.device}/identify`, { ean: EANS[1] })).status).toBe(204);
    let refused = 0;
    for (let guess = 0; guess < IDENTIFY_PER_MINUTE; guess++)
      if ((await send(path, { ean: EANS[2] })).status === 429) refused++;
    expect(refused).toBeGreaterThan(0);
    // Somebody else is not kept from his work by it.
    expect((await send(path, { ean: EANS[0] }, 'approver')).status).toBe(204);
  });
});

describe('the description of the API', () => {
  const routes = apiRoutes('ores', CAMPAIGN_ROUTES);

  it('has every row that is served, and nothing else', async () => {
    const { json } = await get('/v1/openapi.json', 'lopex');
    const described = Object.entries(json.paths as Record<string, object>).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(described.sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort());
  });

  it('is OpenAPI 3.1: its schemas compile, its parameters are those of its paths, its operations have names of their own', async () => {
    const { json } = await get('/v1/openapi.json');
    expect(json).toMatchObject({ openapi: '3.1.0', info: { title: expect.any(String), version: '1' } });
    const names = new Set<string>();
    const ajv = new Ajv2020({ strict: false, validateFormats: false });
    const compile = (schema: object): void => {
      expect(ajv.validateSchema(schema)).toBe(true);
      if (!JSON.stringify(schema).includes('#/components/')) ajv.compile(schema);
    };
    for (const [path, item] of Object.entries<Record<string, Operation>>(json.paths))
      for (const operation of Object.values(item)) {
        expect(names.has(operation.operationId)).toBe(false);
        names.add(operation.operationId);
        const inPath = operation.parameters.filter((parameter) => parameter.in === 'path');
        expect(inPath.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
        for (const parameter of operation.parameters) {
          expect(parameter.in === 'query' || parameter.required).toBe(true);
          compile(parameter.schema);
        }
        for (const part of [operation.requestBody, ...Object.values(operation.responses)])
          for (const { schema } of Object.values(part?.content ?? {})) compile(schema);
      }
    compile(json.components.schemas.Problem);
  });
});

interface Operation {
  readonly operationId: string;
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly required: boolean;
    readonly schema: object;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema: object }>> }>
  >;
}
