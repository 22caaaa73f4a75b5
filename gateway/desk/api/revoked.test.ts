import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { revokeDevice, revokePerson } from '../../../pki/development/development.ts';
import { readOfficeIdentity } from '../../../pki/office/identity.ts';
import { nobodyAwake } from '../testing/fake-bus.ts';
import {
  ask,
  type Caller,
  type OfficeWorld,
  ORES,
  officeWorld,
  open,
  type Person,
  post,
  type RunningOffice,
} from '../testing/office-world.ts';

/** What becomes of the open connections of somebody who is revoked, and of what he signed, once the list is in force. */

const NEVER_SECONDS = 86_400;

let world: OfficeWorld;
let office: RunningOffice;
beforeAll(async () => {
  world = officeWorld();
  // The desk looks when it is told to, as by SIGHUP, and not in the middle of a test.
  office = await world.startOffice({ reloadSeconds: NEVER_SECONDS }, nobodyAwake);
});
afterAll(async () => {
  await office.stop();
  world.close();
});

async function revoke(person: Person): Promise<void> {
  const identity = readOfficeIdentity(world.office.person(ORES, person).identity);
  revokePerson(world.pki, identity, { nowMs: Date.now(), reason: 'keyCompromise' });
  await office.reload();
}

/** Resolves as soon as the connection is gone, however it went. */
const goneOf = (socket: { once(event: 'close', listener: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => void socket.once('close', resolve));

const ME = 'GET /v1/me HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n';

const begin = (as: Caller, session?: Buffer): TLSSocket =>
  connect({
    ...as,
    host: '127.0.0.1',
    servername: 'localhost',
    port: office.port,
    ALPNProtocols: ['http/1.1'],
    ...(session === undefined ? {} : { session }),
  }).on('error', () => undefined);

async function asked(socket: TLSSocket): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write(ME);
  await goneOf(socket);
  return text;
}

describe('somebody who is revoked', () => {
  it('sees no further event, while the streams of others go on', async () => {
    const [his, hers] = await Promise.all(
      (['supervisor', 'operator'] as const).map((each) =>
        open(office.port, world.person(each).tls, '/v1/events'),
      ),
    );
    his!.on('error', () => undefined);
    his!.resume();
    const gone = goneOf(his!);
    await revoke('supervisor');
    await gone;
    expect(his!.complete).toBe(false);
    expect(office.counters.get('api.closed.caller')).toBe(1);
    const events = hers!.setEncoding('utf8')[Symbol.asyncIterator]();
    const command = world.command('display.message');
    await post(office.port, world.person('operator').tls, '/v1/commands', world.proposal(command));
    expect((await events.next()).value).toContain(command.id);
    hers!.destroy();
  });

  it('is cut off in the middle of an upload: what was taken holds, nothing more is', async () => {
    const sending = request({
      ...world.person('marco').tls,
      host: '127.0.0.1',
      servername: 'localhost',
      port: office.port,
      path: '/v1/commands/bulk',
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/x-ndjson' },
    });
    sending.on('error', () => undefined);
    const [first, second] = [world.command('display.message'), world.command('display.message')];
    const line = (command: typeof first): string => `${JSON.stringify(world.proposal(command))}\n`;
    sending.write(line(first));
    const [answer] = (await once(sending, 'response')) as [IncomingMessage];
    answer.on('error', () => undefined);
    await once(answer, 'data');
    const gone = goneOf(sending.socket!);
    await revoke('marco');
    await gone;
    sending.write(line(second));
    const statusOf = async ({ id }: typeof first): Promise<number> =>
      (await ask(office.port, world.person('operator').tls, `/v1/commands/${id}`)).status;
    expect(await statusOf(first)).toBe(200);
    expect(await statusOf(second)).toBe(404);
  });

  it('loses the connection that was kept for his next request, and is refused on a new one', async () => {
    const { tls } = world.person('prepayment');
    const socket = begin(tls);
    socket.write(ME.replace('connection: close\r\n', ''));
    const [text] = (await once(socket, 'data')) as [Buffer];
    expect(text.toString()).toContain('HTTP/1.1 200');
    const gone = goneOf(socket);
    await revoke('prepayment');
    await gone;
    expect((await ask(office.port, tls, '/v1/me')).json.code).toBe('ERR_TRUST_REVOKED');
  });

  it('is refused on a session that TLS resumes without looking at his certificate', async () => {
    const { tls } = world.person('approver');
    const first = begin(tls);
    const [[ticket], answered] = (await Promise.all([once(first, 'session'), asked(first)])) as [
      [Buffer],
      string,
    ];
    expect(answered).toContain('HTTP/1.1 200');
    await revoke('approver');
    const second = begin(tls, ticket);
    await once(second, 'secureConnect');
    expect(second.isSessionReused()).toBe(true);
    const refused = await asked(second);
    expect(refused).toContain('HTTP/1.1 401');
    expect(refused).toContain('ERR_TRUST_REVOKED');
  });

  it('signs nothing any more, whoever carries it: the certificate that the desk remembers is judged anew', async () => {
    const before = world.command('display.message');
    const after = world.command('display.message');
    const carrier = world.person('operator').tls;
    const carry = (command: typeof before) =>
      post(office.port, carrier, '/v1/commands', world.proposal(command, 'lopex'));
    expect((await carry(before)).status).toBe(201);
    await revoke('lopex');
    expect((await carry(after)).json.code).toBe('ERR_TRUST_REVOKED');
  });
});

describe('a device that is revoked', () => {
  it('reports nothing any more: the certificate that the desk remembers is judged anew', async () => {
    const { device } = world.devices[2]!;
    const time = Math.floor(Date.now() / 1_000);
    const report = (said: { readonly time: number }) =>
      office.field.report(device, world.reportOf(device, { breaker: 'open', ...said }));
    expect(await report({ time })).toEqual({ kind: 'taken' });
    revokeDevice(world.pki, world.devices[2]!, { nowMs: Date.now() });
    await office.reload();
    expect(await report({ time: time + 1 })).toMatchObject({ kind: 'refused', code: 'revoked' });
  });
});
