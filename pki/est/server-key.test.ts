import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority } from '../ca/authority.ts';
import { openRegister } from '../ca/register.ts';
import { DAY_MS, makeIssuing, makeRoot, ORES } from '../testing/field.ts';
import { makeServer, type ServerPair } from '../testing/server.ts';
import { FRONT_URI } from '../x509/names.ts';
import { PROFILES } from '../x509/profiles.ts';
import { type EstServer, startEst } from './server.ts';

/** The certificate of an EST server is renewed while devices are connected. */

const clock = { nowMs: () => Date.now() };
const folder = mkdtempSync(join(tmpdir(), 'hes-est-server-key-'));
const since = { notBeforeMs: Date.now() - DAY_MS };
const root = makeRoot(since);
const issuing = makeIssuing(root, ORES, since);
const newServer = (): ServerPair =>
  makeServer({ authority: root, pem: root.certificatePem }, PROFILES.frontServer, FRONT_URI);
const register = openRegister({ path: join(folder, 'ca.db'), owner: ORES });
const before = newServer();
let est: EstServer;

beforeAll(async () => {
  est = await startEst({
    authority: createAuthority({ register, tenant: ORES, issuer: issuing, clock }),
    cacerts: [root.certificate.der, issuing.certificate.der],
    manufacturers: [],
    clock,
    listen: { host: '127.0.0.1', port: 0 },
    tls: before,
    perMinute: 10_000,
    count: () => undefined,
    onFault: () => undefined,
  });
});
afterAll(async () => {
  await est.stop();
  register.close();
  rmSync(folder, { recursive: true, force: true });
});

const leafOf = ({ cert }: ServerPair): string => new X509Certificate(cert).raw.toString('base64');
const shownTo = (socket: TLSSocket): string | undefined =>
  socket.getPeerX509Certificate()?.raw.toString('base64');

async function begin(session?: Buffer): Promise<TLSSocket> {
  const socket = connect({
    host: '127.0.0.1',
    port: est.port,
    servername: 'localhost',
    ca: root.certificatePem,
    ...(session === undefined ? {} : { session }),
  });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  return socket;
}

async function attributes(socket: TLSSocket): Promise<string> {
  socket.write('GET /.well-known/est/csrattrs HTTP/1.1\r\nhost: localhost\r\n\r\n');
  const [text] = (await once(socket, 'data')) as [Buffer];
  return text.toString();
}

describe('an EST server whose certificate was renewed', () => {
  it('shows it to the next, answers on the connection that stands, and resumes what was before', async () => {
    const standing = await begin();
    const given = once(standing, 'session') as Promise<[Buffer]>;
    const [[session]] = await Promise.all([given, attributes(standing)]);
    const renewed = newServer();
    est.setServerKey(renewed);
    const next = await begin();
    expect(shownTo(next)).toBe(leafOf(renewed));
    expect(shownTo(standing)).toBe(leafOf(before));
    expect(await attributes(standing)).toContain('HTTP/1.1 200');
    const again = await begin(session);
    expect(again.isSessionReused()).toBe(true);
    expect(await attributes(again)).toContain('HTTP/1.1 200');
    for (const socket of [standing, next, again]) socket.destroy();
  });
});
