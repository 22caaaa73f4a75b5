import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePorts } from '../../gateway/cli/up/ports.ts';
import type { Child } from '../../gateway/runtime/child.ts';
import { Supervisor } from '../../gateway/runtime/supervisor.ts';
import { createProductionPki } from '../../pki/ca/ceremony.ts';
import { headEndAuthority, type TenantAuthorities, tenantAuthorities } from '../../pki/ca/open.ts';
import { writeCertificateRequest } from '../../pki/enrolment/request-write.ts';
import { readCertsOnly } from '../../pki/est/cms.ts';
import { encryptKey } from '../../pki/keys/encrypted-key.ts';
import { parseCertificate } from '../../pki/x509/certificate.ts';
import { type KeyPair, newKeyPair } from '../../pki/x509/certify.ts';
import { parseCrl } from '../../pki/x509/crl.ts';
import { derOf, toPem } from '../../pki/x509/pem.ts';
import { PROFILES } from '../../pki/x509/profiles.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { until } from '../support/processes.ts';

/** `hes ca` as a process over a production PKI, beside a command line that registers devices, killed while they ask. */

const HES = new URL('../../gateway/cli/hes.ts', import.meta.url);
const ORES = 'ores' as TenantId;
const RESA = 'resa' as TenantId;
const STARTED_WITHIN_MS = 60_000;
const DAY_MS = 86_400_000;
const DEVICES = 8;

const folder = mkdtempSync(join(tmpdir(), 'hes-est-process-'));
const nowMs = Date.now();
const passphrases = { root: 'of both roots 1234', ca: 'of the issuing CAs', service: 'of the services 1' };
const secret = (name: keyof typeof passphrases): string => {
  const file = join(folder, `${name}.pass`);
  writeFileSync(file, `${passphrases[name]}\n`, { mode: 0o600 });
  return file;
};

let pki: ReturnType<typeof createProductionPki>;
let beside: TenantAuthorities;
let supervisor: Supervisor;
let child: Child;
let port: number;

beforeAll(async () => {
  const directory = join(folder, 'pki');
  pki = createProductionPki({
    directory,
    tenants: [ORES, RESA],
    nowMs,
    passphrases,
    frontHosts: ['localhost'],
    deskHosts: () => ['localhost'],
  });
  // Another operator's key is not to be missed: this process opens none but its own.
  rmSync(pki.layout.issuing(RESA).key);
  beside = tenantAuthorities(pki, ORES, { nowMs: Date.now });
  [port] = (await freePorts(1)) as [number];
  supervisor = new Supervisor({ onLine: () => undefined, restart: { baseMs: 50, maxMs: 100 } });
  child = await supervisor.start({
    name: 'ca',
    module: HES,
    args: ['ca', '--config', '-'],
    readyWithinMs: STARTED_WITHIN_MS,
    nodeFlags: [
      '--permission',
      '--allow-fs-read=*',
      '--allow-net',
      `--allow-fs-write=${directory}`,
      '--disable-warning=ExperimentalWarning',
    ],
    config: {
      tenant: ORES,
      pki: { directory, passphraseFile: secret('ca') },
      listen: { port },
      tls: { ...pki.layout.front, passphraseFile: secret('service') },
    },
  });
}, 120_000);
afterAll(async () => {
  await supervisor.stop();
  beside.register.close();
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

interface Client {
  readonly cert?: string;
  readonly key?: string;
  readonly auth?: string;
}

function post(operation: string, client: Client, body: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = httpsRequest(
      {
        host: '127.0.0.1',
        servername: 'localhost',
        port,
        path: `/.well-known/est/${operation}`,
        method: 'POST',
        ca: pki.root.pem,
        agent: false,
        headers: { 'content-type': 'application/pkcs10', 'content-length': body.length },
        ...client,
      },
      (response) => {
        response.setEncoding('utf8');
        let text = '';
        response.on('data', (piece: string) => {
          text += piece;
        });
        response.on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

/** As a device does that lost the answer: the same request again, until somebody answers. */
async function answered(operation: string, client: Client, body: string): Promise<string> {
  for (;;) {
    const answer = await post(operation, client, body).catch(() => undefined);
    if (answer !== undefined) {
      expect(answer).toMatchObject({ status: 200 });
      return answer.text;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function requestFor(pair: KeyPair, commonName: string): Promise<string> {
  const pem = await writeCertificateRequest(pair, { profile: PROFILES.deviceTls, commonName, uris: [] });
  return Buffer.from(derOf('CERTIFICATE REQUEST', pem)).toString('base64');
}

const leafOf = (text: string): Uint8Array => readCertsOnly(Buffer.from(text, 'base64'))[0]!;

/** Of the lists that are published. */
const numbers = () =>
  [pki.layout.crl(ORES), pki.layout.office.crl(ORES)].map(
    (file) => parseCrl(derOf('X509 CRL', readFileSync(file, 'utf8'))).number,
  );

/** The certificate that a new connection is shown. */
async function shown(): Promise<string | undefined> {
  const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: pki.root.pem });
  await once(socket, 'secureConnect');
  const leaf = socket.getPeerX509Certificate()?.raw.toString('base64');
  socket.destroy();
  return leaf;
}

describe('hes ca', () => {
  it('certifies each key once, and renews it once, however often it is killed', {
    timeout: 120_000,
  }, async () => {
    for (let at = 0; at < DEVICES; at += 1) {
      const device = at.toString(16).padStart(16, '0') as DeviceId;
      beside.register.devices.add({ device, home: ORES, guests: [] }, 'test');
      const code = beside.register.devices.newCode(device, nowMs + DAY_MS, 'test');
      const pair = newKeyPair();
      const body = await requestFor(pair, device);
      const first = answered('simpleenroll', { auth: `installer:${code}` }, body);
      if (at % 4 === 1) child.kill('SIGKILL');
      const cert = toPem('CERTIFICATE', leafOf(await first));
      const client = { cert, key: pair.privateKeyPem };
      const renewed = answered('simplereenroll', client, await requestFor(newKeyPair(), device));
      if (at % 4 === 3) child.kill('SIGKILL');
      expect(parseCertificate(leafOf(await renewed)).commonName).toBe(device);
      const states = beside.register.certificates.list({ filter: { device }, limit: 10 });
      expect(states.map(({ state }) => state)).toEqual(['replaced', 'valid']);
    }
    await until('it is there again', () => child.state === 'ready' && child.restarts >= 3, STARTED_WITHIN_MS);
  });

  it('refuses what the command line has revoked a moment ago, and has published its list', async () => {
    const device = 'f'.repeat(16) as DeviceId;
    beside.register.devices.add({ device, home: ORES, guests: [] }, 'test');
    const code = beside.register.devices.newCode(device, nowMs + DAY_MS, 'test');
    const pair = newKeyPair();
    const body = await requestFor(pair, device);
    const leaf = leafOf(await answered('simpleenroll', { auth: `installer:${code}` }, body));
    const { serial } = parseCertificate(leaf);
    beside.field.revoke(serial, { reason: 'keyCompromise', by: 'test' });
    const client = { cert: toPem('CERTIFICATE', leaf), key: pair.privateKeyPem };
    expect(await post('simplereenroll', client, await requestFor(newKeyPair(), device))).toMatchObject({
      status: 401,
    });
    const list = parseCrl(derOf('X509 CRL', readFileSync(pki.layout.crl(ORES), 'utf8')));
    expect(list.nextUpdateMs).toBeGreaterThan(nowMs);
  });

  it('publishes its lists on SIGHUP', async () => {
    const before = numbers();
    child.kill('SIGHUP');
    await until('both are newer', () => numbers().every((number, at) => number > before[at]!));
  }, 60_000);

  it('shows its renewed certificate on SIGHUP, and keeps it where the next one cannot be taken', async () => {
    const { front } = pki.layout;
    const headEnd = headEndAuthority(
      { directory: join(folder, 'pki'), passphrase: passphrases.ca },
      { nowMs: Date.now },
    );
    const { privateKeyPem, spki } = newKeyPair();
    const dns = ['localhost'];
    const renewed = headEnd.issue({ profile: 'frontServer', publicKey: spki, name: { dns }, by: 'test' });
    writeFileSync(front.key, encryptKey(privateKeyPem, passphrases.service));
    writeFileSync(front.certificate, renewed.pem + headEnd.issuer.certificatePem);
    headEnd.register.close();
    child.kill('SIGHUP');
    const leaf = Buffer.from(derOf('CERTIFICATE', renewed.pem)).toString('base64');
    while ((await shown()) !== leaf) await new Promise((resolve) => setTimeout(resolve, 20));
    writeFileSync(front.key, '');
    const before = numbers();
    child.kill('SIGHUP');
    await until('it has looked again', () => numbers().every((number, at) => number > before[at]!));
    expect(await shown()).toBe(leaf);
  }, 60_000);

  it('ends cleanly when it is told to', async () => {
    await child.stop();
    expect(await child.ended).toMatchObject({ code: 0, signal: null });
  });
});
