import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DAY_MS } from '../../../pki/testing/field.ts';
import {
  makeDeskServer,
  makeFrontServer,
  type ServerPair,
  writeServer,
} from '../../../pki/testing/server.ts';
import { nobodyAwake } from '../testing/fake-bus.ts';
import {
  ask,
  type OfficeWorld,
  ORES,
  officeWorld,
  RESA,
  type RunningOffice,
} from '../testing/office-world.ts';

/** The API's certificate is renewed while people are connected. */

const GAUGE = 'certificate.days_left.server';
const NEVER_SECONDS = 86_400;

let world: OfficeWorld;
let office: RunningOffice;
let before: ServerPair;
beforeAll(() => {
  world = officeWorld();
});
afterAll(() => world.close());
const files = () => world.office.desk(ORES);
beforeEach(async () => {
  before = makeDeskServer(world.pki, ORES);
  writeServer(files(), before);
  // It looks when it is told to, as by SIGHUP.
  office = await world.startOffice({ reloadSeconds: NEVER_SECONDS }, nobodyAwake);
});
afterEach(() => office.stop());

const leafOf = ({ cert }: ServerPair): string => new X509Certificate(cert).raw.toString('base64');
const shownTo = (socket: TLSSocket): string | undefined =>
  socket.getPeerX509Certificate()?.raw.toString('base64');
const gauge = (): number => office.counters.get(GAUGE);
const ME = 'GET /v1/me HTTP/1.1\r\nhost: localhost\r\n\r\n';

async function begin(session?: Buffer): Promise<TLSSocket> {
  const socket = connect({
    ...world.person('operator').tls,
    host: '127.0.0.1',
    servername: 'localhost',
    port: office.port,
    ALPNProtocols: ['http/1.1'],
    ...(session === undefined ? {} : { session }),
  });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

async function says(socket: TLSSocket): Promise<string> {
  socket.write(ME);
  const [text] = (await once(socket, 'data')) as [Buffer];
  return text.toString();
}

async function shown(): Promise<string | undefined> {
  const socket = await begin();
  const seen = shownTo(socket);
  socket.destroy();
  return seen;
}

/** A session that may be resumed: TLS 1.3 gives its ticket after the handshake. */
async function ticket(): Promise<Buffer> {
  const socket = await begin();
  const given = once(socket, 'session') as Promise<[Buffer]>;
  const [[session], answer] = await Promise.all([given, says(socket)]);
  expect(answer).toContain('HTTP/1.1 200');
  socket.destroy();
  return session;
}

async function resumes(session: Buffer): Promise<boolean> {
  const socket = await begin(session);
  const resumed = socket.isSessionReused();
  expect(await says(socket)).toContain('HTTP/1.1 200');
  socket.destroy();
  return resumed;
}

describe('a desk whose certificate was renewed', () => {
  it('shows it to whoever connects, while a connection that stands goes on', async () => {
    const standing = await begin();
    const renewed = makeDeskServer(world.pki, ORES, { notAfterMs: Date.now() + 9.5 * DAY_MS });
    expect(gauge()).toBe(364);
    writeServer(files(), renewed);
    expect(await shown()).toBe(leafOf(before));
    await office.reload();
    expect(await shown()).toBe(leafOf(renewed));
    expect(gauge()).toBe(9);
    expect(shownTo(standing)).toBe(leafOf(before));
    expect(await says(standing)).toContain('HTTP/1.1 200');
    standing.destroy();
  });

  it('resumes the sessions of before, and those of after', async () => {
    const old = await ticket();
    writeServer(files(), makeDeskServer(world.pki, ORES));
    await office.reload();
    expect(await resumes(old)).toBe(true);
    expect(await resumes(await ticket())).toBe(true);
  });

  it('asks for a client certificate as before, and speaks TLS 1.3 alone', async () => {
    writeServer(files(), makeDeskServer(world.pki, ORES));
    await office.reload();
    const { ca } = world.person('operator').tls;
    await expect(ask(office.port, { ca }, '/v1/me')).rejects.toThrow();
    const old = { ...world.person('operator').tls, maxVersion: 'TLSv1.2' };
    await expect(ask(office.port, old, '/v1/me')).rejects.toThrow();
    expect((await ask(office.port, world.person('operator').tls, '/v1/me')).status).toBe(200);
  });
});

describe('a pair that cannot be taken', () => {
  it.each<[string, () => void]>([
    ['is half written', () => writeFileSync(files().certificate, before.cert.slice(0, 300))],
    [
      'has a key of another certificate',
      () => writeFileSync(files().key, makeDeskServer(world.pki, ORES).key),
    ],
    ['is of another tenant’s desk', () => writeServer(files(), makeDeskServer(world.pki, RESA))],
    ['is of the front', () => writeServer(files(), makeFrontServer(world.pki))],
    [
      'is past its end',
      () =>
        writeServer(
          files(),
          makeDeskServer(world.pki, ORES, {
            notBeforeMs: Date.now() - 2 * DAY_MS,
            notAfterMs: Date.now() - 1_000,
          }),
        ),
    ],
  ])('since it %s changes nothing', async (_, write) => {
    write();
    await office.reload();
    expect(await shown()).toBe(leafOf(before));
    expect(gauge()).toBe(364);
  });
});
