import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, randomBytes, sign, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DeviceId } from '../../protocol/identity.ts';
import { createAuthority } from '../ca/authority.ts';
import { openRegister } from '../ca/register.ts';
import { keyHash } from '../enrolment/request-check.ts';
import { writeCertificateRequest } from '../enrolment/request-write.ts';
import { FARYS, makeIssuing, makeLeaf, makeRoot, ORES } from '../testing/field.ts';
import { openssl } from '../testing/openssl.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { certify, type KeyPair, newKeyPair, type SigningAuthority } from '../x509/certify.ts';
import { der, derOid, TAG } from '../x509/der.ts';
import { derOf, toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import { readCertsOnly } from './cms.ts';
import { type EstServer, startEst } from './server.ts';

const run = promisify(execFile);
const curl = spawnSync('curl', ['--version']).status === 0;
const DAY_MS = 86_400_000;
const nowMs = Date.now();
const since = { notBeforeMs: nowMs - DAY_MS };
const folder = mkdtempSync(join(tmpdir(), 'hes-est-'));

const root = makeRoot(since);
const issuing = makeIssuing(root, ORES, since);
const maker = makeRoot({ ...since, subject: { commonName: 'meter works' } });
const clock = { nowMs: () => Date.now() };
const register = openRegister({ path: join(folder, 'ca.db'), owner: ORES });
const authority = createAuthority({ register, tenant: ORES, issuer: issuing, clock });
const server = makeLeaf(root, {
  ...since,
  profile: PROFILES.frontServer,
  names: { dns: ['localhost'], addresses: [Buffer.of(127, 0, 0, 1)] },
});
const faults: unknown[] = [];
let est: EstServer;

/** False while a roll-over has put another CA in the place of the one that is served. */
let isPresent = true;
beforeAll(async () => {
  est = await startEst({
    authority,
    cacerts: [root.certificate.der, issuing.certificate.der],
    manufacturers: [new X509Certificate(maker.certificatePem)],
    clock,
    listen: { host: '127.0.0.1', port: 0 },
    tls: { cert: server.pem, key: server.keyPem },
    perMinute: 10_000,
    isPresent: () => isPresent,
    count: () => undefined,
    onFault: (error) => faults.push(error),
  });
});
afterAll(async () => {
  await est.stop();
  register.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Client {
  readonly cert?: string;
  readonly key?: string;
  readonly code?: string;
}

function ask(path: string, client: Client = {}, body?: string, type = 'application/pkcs10') {
  const { cert, key, code } = client;
  return new Promise<{ status: number; text: string; der: Buffer }>((resolve, reject) => {
    const asked = httpsRequest(
      {
        host: '127.0.0.1',
        port: est.port,
        path: `/.well-known/est/${path}`,
        method: body === undefined ? 'GET' : 'POST',
        ca: root.certificatePem,
        agent: false,
        ...(cert === undefined ? {} : { cert, key }),
        ...(code === undefined ? {} : { auth: `installer:${code}` }),
        headers: body === undefined ? {} : { 'content-type': type, 'content-length': body.length },
      },
      (response) => {
        response.setEncoding('utf8');
        let text = '';
        response.on('data', (piece: string) => {
          text += piece;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, text, der: Buffer.from(text, 'base64') }),
        );
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

async function csr(pair: KeyPair, commonName = 'a meter'): Promise<string> {
  const pem = await writeCertificateRequest(pair, { profile: PROFILES.deviceTls, commonName, uris: [] });
  return Buffer.from(derOf('CERTIFICATE REQUEST', pem)).toString('base64');
}

const newDevice = () => randomBytes(8).toString('hex') as DeviceId;

function withCode() {
  const device = newDevice();
  register.devices.add({ device, home: ORES, guests: [] }, 'test');
  return { device, code: register.devices.newCode(device, nowMs + DAY_MS, 'test') };
}

/** A certificate of the manufacturer with a serial number in its subject, as devices are born with. */
function born(by: SigningAuthority = maker) {
  const pair = newKeyPair();
  const leaf = certify(by, {
    profile: PROFILES.deviceTls,
    subject: { commonName: 'meter 4711' },
    names: {},
    spki: pair.spki,
    ...since,
  });
  return { spki: pair.spki, cert: toPem('CERTIFICATE', leaf), key: pair.privateKeyPem };
}

async function enrolled() {
  const { device, code } = withCode();
  const pair = newKeyPair();
  const { status, der: answer } = await ask('simpleenroll', { code }, await csr(pair));
  expect(status).toBe(200);
  const cert = toPem('CERTIFICATE', readCertsOnly(answer)[0]!);
  return { device, pair, client: { cert, key: pair.privateKeyPem } };
}

const refused = (status: number, code: string) => ({ status, text: expect.stringContaining(code) as string });

describe('EST refuses', () => {
  it.each([
    ['nobody in particular', () => ({}), 401, 'ERR_EST_CLIENT'],
    ['a code that was never made', () => ({ code: 'ABCDE-ABCDE-ABCDE-ABCDE' }), 401, 'ERR_CA_CODE'],
    ['a birth certificate that nobody registered', () => born(), 403, 'ERR_CA_DEVICE'],
    ['a birth certificate of another maker', () => born(makeRoot(since)), 401, 'ERR_EST_CLIENT'],
    [
      'a device of another tenant',
      () => {
        const leaf = makeLeaf(makeIssuing(root, FARYS, since), { ...since, profile: PROFILES.deviceTls });
        return { cert: leaf.pem, key: leaf.keyPem };
      },
      401,
      'ERR_EST_CLIENT',
    ],
  ] as const)('the first enrolment of %s', async (_, client, status, code) => {
    expect(await ask('simpleenroll', client(), await csr(newKeyPair()))).toMatchObject(refused(status, code));
  });

  it('a code for a second key, and after its end', async () => {
    const { device, code } = withCode();
    expect((await ask('simpleenroll', { code }, await csr(newKeyPair()))).status).toBe(200);
    expect(await ask('simpleenroll', { code }, await csr(newKeyPair()))).toMatchObject(
      refused(401, 'ERR_CA_CODE'),
    );
    const over = register.devices.newCode(device, nowMs - 1, 'test');
    expect(await ask('simpleenroll', { code: over }, await csr(newKeyPair()))).toMatchObject(
      refused(401, 'ERR_CA_CODE'),
    );
  });

  it('a second first enrolment by the birth certificate', async () => {
    const birth = born();
    const birthKey = keyHash(birth.spki);
    register.devices.add({ device: newDevice(), home: ORES, guests: [], birthKey }, 'test');
    const first = await csr(newKeyPair());
    expect((await ask('sign/simpleenroll', birth, first)).status).toBe(200);
    expect((await ask('sign/simpleenroll', birth, first)).status).toBe(200);
    expect(await ask('sign/simpleenroll', birth, await csr(newKeyPair()))).toMatchObject(
      refused(403, 'ERR_EST_ENROLLED'),
    );
  });

  it('a renewal by a revoked certificate, by one of another use, of another device, and of the same key', async () => {
    const { client, device, pair } = await enrolled();
    expect(await ask('simplereenroll', client, await csr(newKeyPair(), newDevice()))).toMatchObject(
      refused(400, 'ERR_ENROL_REQUEST'),
    );
    expect(await ask('simplereenroll', client, await csr(pair, device))).toMatchObject(
      refused(403, 'ERR_EST_ENROLLED'),
    );
    const signing = makeLeaf(issuing, since);
    expect(
      await ask('simplereenroll', { cert: signing.pem, key: signing.keyPem }, await csr(newKeyPair())),
    ).toMatchObject(refused(401, 'ERR_EST_CLIENT'));
    const { serial } = parseCertificate(derOf('CERTIFICATE', client.cert));
    authority.revoke(serial, { reason: 'keyCompromise', by: 'test' });
    expect(await ask('simplereenroll', client, await csr(newKeyPair(), device))).toMatchObject(
      refused(401, 'ERR_EST_CLIENT'),
    );
  });

  it('a request that another key signed, and what is no request', async () => {
    const { code } = withCode();
    const good = Buffer.from(await csr(newKeyPair()), 'base64');
    const forged = Buffer.from(good);
    forged[forged.length - 1]! ^= 1;
    const post = (body: string, type?: string) => ask('simpleenroll', { code }, body, type);
    expect(await post(forged.toString('base64'))).toMatchObject(refused(400, 'ERR_ENROL'));
    expect(await post('')).toMatchObject(refused(400, 'ERR_EST_REQUEST'));
    expect(await post('{}')).toMatchObject(refused(400, 'ERR_EST_REQUEST'));
    expect(await post('AAAA')).toMatchObject(refused(400, 'ERR_ENROL_REQUEST'));
    expect(await post('A'.repeat(8_193))).toMatchObject(refused(400, 'ERR_EST_REQUEST'));
    expect(await post(good.toString('base64'), 'text/plain')).toMatchObject(refused(400, 'ERR_EST_REQUEST'));
    // None of them used up the code.
    expect((await post(good.toString('base64'))).status).toBe(200);
  });

  it.each(['', 'toString', 'sealing/simpleenroll', 'tls/tls/cacerts', '__proto__', 'x'.repeat(200)])(
    'the path "%s"',
    async (path) => {
      expect(await ask(path)).toMatchObject(refused(400, 'ERR_EST_REQUEST'));
    },
  );
});

describe('EST', () => {
  it('gives a device its three certificates for one code, and each again where the answer was lost', async () => {
    const { device, code } = withCode();
    const rows = { tls: PROFILES.deviceTls, sign: PROFILES.deviceSign, agree: PROFILES.deviceAgree };
    for (const [label, { keyUsage }] of Object.entries(rows)) {
      const body = await csr(newKeyPair());
      const first = await ask(`${label}/simpleenroll`, { code }, body);
      expect((await ask(`${label}/simpleenroll`, { code }, body)).text).toBe(first.text);
      const [certificate, other] = readCertsOnly(first.der).map(parseCertificate);
      expect(other).toBeUndefined();
      expect(certificate!.commonName).toBe(device);
      expect(keyUsage.length).toBe(1);
    }
    const issued = register.certificates.list({ filter: { device }, limit: 10 });
    expect(issued.map(({ profile }) => profile)).toEqual(['deviceTls', 'deviceSign', 'deviceAgree']);
  });

  it('renews by the current certificate, which stays good, and gives a lost answer again', async () => {
    const { client, device } = await enrolled();
    const next = newKeyPair();
    const body = await csr(next, device);
    const answer = await ask('simplereenroll', client, body);
    expect(answer.status).toBe(200);
    expect((await ask('simplereenroll', client, body)).text).toBe(answer.text);
    const states = () =>
      register.certificates.list({ filter: { device }, limit: 10 }).map(({ state }) => state);
    expect(states()).toEqual(['replaced', 'valid']);
    const cert = toPem('CERTIFICATE', readCertsOnly(answer.der)[0]!);
    const third = await csr(newKeyPair(), device);
    expect((await ask('simplereenroll', { cert, key: next.privateKeyPem }, third)).status).toBe(200);
    expect(states()).toEqual(['replaced', 'replaced', 'valid']);
  });

  it('finds a device by the serial number in its birth certificate', async () => {
    const { device } = withCode();
    const other = newDevice();
    register.devices.add({ device: other, home: ORES, guests: [], serial: 'SN-4711' }, 'test');
    const birth = bornWithSerial('SN-4711');
    const { der: answer, status } = await ask('simpleenroll', birth, await csr(newKeyPair(), device));
    expect(status).toBe(200);
    expect(parseCertificate(readCertsOnly(answer)[0]!).commonName).toBe(other);
  });

  it('issues nothing by a CA that was replaced: whoever asks is told to come to the new one', async () => {
    const { client, device } = await enrolled();
    const body = await csr(newKeyPair(), device);
    isPresent = false;
    const later = await ask('simplereenroll', client, body);
    expect(later).toMatchObject({ status: 503, text: expect.stringContaining('ERR_EST_REPLACED') });
    expect((await ask('cacerts')).status).toBe(200);
    isPresent = true;
    expect((await ask('simplereenroll', client, body)).status).toBe(200);
  });

  it('had no fault of its own in all of this', () => {
    expect(faults).toEqual([]);
  });
});

/** Our own writer has no subject serial number: put in by hand, and signed again. */
function bornWithSerial(serial: string): Client {
  const pair = newKeyPair();
  const subject = der(
    TAG.sequence,
    der(TAG.set, der(TAG.sequence, derOid('2.5.4.5'), der(TAG.printableString, Buffer.from(serial)))),
  );
  const plain = parseCertificate(
    certify(maker, {
      profile: PROFILES.deviceTls,
      subject: { commonName: 'x' },
      names: {},
      spki: pair.spki,
      ...since,
    }),
  );
  const tbs = Buffer.from(plain.tbs);
  const at = tbs.indexOf(Buffer.from(plain.subjectName), tbs.indexOf(Buffer.from(plain.issuerName)) + 1);
  const head = tbs.subarray(tbs[1]! < 0x80 ? 2 : 2 + (tbs[1]! & 0x7f), at);
  const signed = der(TAG.sequence, head, subject, tbs.subarray(at + plain.subjectName.length));
  const signature = sign('sha256', signed, createPrivateKey(maker.privateKeyPem));
  const algorithm = Buffer.from('300a06082a8648ce3d040302', 'hex');
  const whole = der(TAG.sequence, signed, algorithm, der(TAG.bitString, Buffer.of(0), signature));
  return { cert: toPem('CERTIFICATE', whole), key: pair.privateKeyPem };
}

describe.skipIf(!curl || !openssl)('EST with curl and openssl alone (needs curl, openssl)', () => {
  const work = (...args: readonly string[]) =>
    execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  const base64Request = (name: string) => {
    work('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', `${name}.key`);
    work('req', '-new', '-key', `${name}.key`, '-subj', '/', '-outform', 'DER', '-out', `${name}.der`);
    work('base64', '-in', `${name}.der`, '-out', `${name}.b64`);
  };
  const curled = async (path: string, ...args: readonly string[]) => {
    const url = `https://127.0.0.1:${est.port}/.well-known/est/${path}`;
    await run('curl', ['-sSf', '--cacert', 'root.pem', '-o', 'answer.b64', ...args, url], { cwd: folder });
    work('base64', '-d', '-in', 'answer.b64', '-out', 'answer.p7');
  };
  const post = (name: string) => ['-H', 'Content-Type: application/pkcs10', '--data-binary', `@${name}.b64`];
  const take = (out: string) =>
    work('pkcs7', '-inform', 'DER', '-in', 'answer.p7', '-print_certs', '-out', out);

  it('enrols a device and renews it', async () => {
    writeFileSync(join(folder, 'root.pem'), root.certificatePem);
    await curled('cacerts');
    take('ca.pem');
    expect(readFileSync(join(folder, 'ca.pem'), 'utf8')).toContain('urn:hes:ores:issuing');
    await curled('csrattrs');
    expect(work('asn1parse', '-inform', 'DER', '-in', 'answer.p7')).toContain('prime256v1');
    const { device, code } = withCode();
    base64Request('first');
    await curled('simpleenroll', '-u', `installer:${code}`, ...post('first'));
    take('first.pem');
    expect(work('verify', '-CAfile', 'ca.pem', '-purpose', 'sslclient', 'first.pem')).toContain('OK');
    base64Request('second');
    await curled('simplereenroll', '--cert', 'first.pem', '--key', 'first.key', ...post('second'));
    take('second.pem');
    expect(work('x509', '-in', 'second.pem', '-noout', '-subject')).toContain(device);
  });
});
