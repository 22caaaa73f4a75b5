import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TenantId } from '../protocol/identity.ts';
import { CONSORTIUM } from '../protocol/tenants.ts';
import {
  createDevelopmentPki,
  loadDevelopmentPki,
  openDevelopmentPki,
  type pkiLayout,
} from './development.ts';
import { issueDevice, issueDevices } from './devices.ts';
import { parseDeviceIdentity, readDeviceIdentity, saveDeviceIdentity } from './identity.ts';
import { derOf, toPem } from './pem.ts';
import { revokeDevice } from './revoke.ts';
import { DAY_MS, FARYS, FLUVIUS, NOW_MS, ORES } from './testing/field.ts';
import { openssl, runOpenssl } from './testing/openssl.ts';
import { createDeviceTrust, createTlsTrust, loadSealingKey, loadServerKey, recipientOf } from './trust.ts';

const home = mkdtempSync(join(tmpdir(), 'hes-pki-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
let count = 0;
const folder = () => join(home, `data-${++count}`, 'pki');
const tenants = [ORES, FLUVIUS, FARYS];
const create = (directory = folder()) => createDevelopmentPki({ directory, tenants, nowMs: NOW_MS });
const load = (directory: string, nowMs = NOW_MS) =>
  loadDevelopmentPki({ directory, nowMs, development: true });
const code = (name: string) => expect.objectContaining({ code: name });
const filesUnder = (directory: string) =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));

/** Rights mean nothing to root: become nobody for as long as it takes. */
function asNoRoot(run: () => void): void {
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) process.seteuid?.(65_534);
  try {
    run();
  } finally {
    if (isRoot) process.seteuid?.(0);
  }
}

const pki = create();
const { layout } = pki;
const trustOf = (tenant: TenantId, others: readonly TenantId[] = []) =>
  createDeviceTrust({
    tenant,
    root: pki.root.pem,
    issuers: [tenant, ...others].map((issuer) => ({
      tenant: issuer,
      certificate: readFileSync(layout.issuing(issuer).certificate, 'utf8'),
    })),
    crls: [tenant, ...others].map((issuer) => readFileSync(layout.crl(issuer), 'utf8')),
    development: true,
  });
const signerOf = (identity: { sign: { certificate: string } }) =>
  derOf('CERTIFICATE', identity.sign.certificate);

describe('opening a development PKI', () => {
  it('is refused unless development mode is said', () => {
    const options = { directory: layout.directory, tenants, nowMs: NOW_MS, development: false };
    expect(() => loadDevelopmentPki(options)).toThrow(code('ERR_PKI_DEVELOPMENT'));
    expect(() => openDevelopmentPki(options)).toThrow(code('ERR_PKI_DEVELOPMENT'));
    const empty = folder();
    expect(() => openDevelopmentPki({ ...options, directory: empty })).toThrow(code('ERR_PKI_DEVELOPMENT'));
    expect(existsSync(empty)).toBe(false);
  });

  it('is refused when the manifest does not say that the keys are for development', () => {
    const { layout: own } = create();
    const manifest: object = JSON.parse(readFileSync(own.manifest, 'utf8'));
    writeFileSync(own.manifest, JSON.stringify({ ...manifest, development: false }));
    expect(() => load(own.directory)).toThrow(code('ERR_PKI_DEVELOPMENT'));
  });

  it('says that there is none, and how to make it, for a missing or empty folder', () => {
    expect(() => load(folder())).toThrow(code('ERR_PKI_ABSENT'));
    const empty = folder();
    mkdirSync(empty, { recursive: true });
    expect(() => load(empty)).toThrow(/hes pki init/);
  });

  const needed = (own: ReturnType<typeof pkiLayout>) =>
    filesUnder(own.directory).filter((file) => file !== own.root.key && !file.includes('head-end'));

  it('names the one file that is missing', () => {
    const { layout: own } = create();
    for (const file of needed(own)) {
      const text = readFileSync(file);
      rmSync(file);
      expect(() => load(own.directory), file).toThrow(
        expect.objectContaining({ code: 'ERR_PKI_DAMAGED', message: expect.stringContaining(file) }),
      );
      writeFileSync(file, text);
    }
    expect(load(own.directory).tenants).toEqual(tenants);
  });

  it('names the one file that is cut short or empty', () => {
    const { layout: own } = create();
    for (const file of needed(own)) {
      const text = readFileSync(file, 'utf8');
      for (const damaged of ['', text.slice(0, text.length / 2)]) {
        writeFileSync(file, damaged);
        expect(() => load(own.directory), file).toThrow(
          expect.objectContaining({
            code: 'ERR_PKI_DAMAGED',
            message: expect.stringContaining(own.directory),
          }),
        );
      }
      writeFileSync(file, text);
    }
  });

  it('does not take a key or a CA from another place', () => {
    const other = create().layout;
    for (const pick of [
      (own: typeof other) => own.root.certificate,
      (own: typeof other) => own.front.key,
      (own: typeof other) => own.issuing(ORES).certificate,
      (own: typeof other) => own.issuing(ORES).key,
    ]) {
      const own = create().layout;
      writeFileSync(pick(own), readFileSync(pick(other)));
      expect(() => load(own.directory)).toThrow(code('ERR_PKI_DAMAGED'));
    }
    const mixed = create().layout;
    for (const what of ['certificate', 'key'] as const)
      writeFileSync(mixed.issuing(ORES)[what], readFileSync(mixed.issuing(FLUVIUS)[what]));
    expect(() => load(mixed.directory)).toThrow(code('ERR_PKI_DAMAGED'));
  });

  it('names the file that may not be read', () => {
    const { layout: own } = create();
    chmodSync(home, 0o711);
    for (const entry of readdirSync(join(own.directory, '..'), { recursive: true, withFileTypes: true }))
      chmodSync(join(entry.parentPath, entry.name), entry.isFile() ? 0o644 : 0o755);
    chmodSync(join(own.directory, '..'), 0o755);
    chmodSync(own.issuing(ORES).key, 0);
    asNoRoot(() =>
      expect(() => load(own.directory)).toThrow(
        expect.objectContaining({ code: 'ERR_PKI_RIGHTS', message: expect.stringContaining('issuing.key') }),
      ),
    );
  });

  it('says so when its CAs have expired', () => {
    expect(() => load(layout.directory, NOW_MS + 12 * 365 * DAY_MS)).toThrow(code('ERR_PKI_EXPIRED'));
  });

  it('says so when it was made for fewer tenants', () => {
    const wanted = CONSORTIUM.map(({ id }) => id);
    const options = { directory: layout.directory, tenants: wanted, nowMs: NOW_MS, development: true };
    expect(() => openDevelopmentPki(options)).toThrow(/resa, sibelga/);
  });
});

describe('making a development PKI', () => {
  it('never overwrites one, nor anything else that lies there', () => {
    const before = readFileSync(layout.root.certificate, 'utf8');
    expect(() => create(layout.directory)).toThrow(code('ERR_PKI_EXISTS'));
    expect(readFileSync(layout.root.certificate, 'utf8')).toBe(before);
    const other = folder();
    mkdirSync(other, { recursive: true });
    writeFileSync(join(other, 'letter.txt'), 'keep me');
    expect(() => create(other)).toThrow(code('ERR_PKI_EXISTS'));
    expect(readdirSync(other)).toEqual(['letter.txt']);
    expect(readdirSync(join(other, '..'))).toEqual(['pki']);
  });

  it('says which place cannot be written', () => {
    const file = join(home, 'file');
    writeFileSync(file, '');
    expect(() => create(join(file, 'pki'))).toThrow(code('ERR_PKI_DAMAGED'));
    expect(() => create('/proc/hes/pki')).toThrow(/\/proc\/hes/);
  });

  it('sweeps away what a start that was killed long ago left, and spares one that may still run', () => {
    const directory = folder();
    const parent = join(directory, '..');
    const [old, young] = [join(parent, '.pki.new-1-aa'), join(parent, '.pki.new-2-bb')];
    for (const leftover of [old, young]) mkdirSync(leftover, { recursive: true });
    utimesSync(old, 1, 1);
    create(directory);
    expect([existsSync(old), existsSync(young)]).toEqual([false, true]);
  });

  it('happens once: the second start opens what the first one made', () => {
    const options = { directory: folder(), tenants, nowMs: NOW_MS, development: true };
    const first = openDevelopmentPki(options);
    const second = openDevelopmentPki(options);
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.pki.root.pem).toBe(first.pki.root.pem);
  });

  it('leaves keys to their owner alone', () => {
    for (const file of filesUnder(layout.directory)) expect(statSync(file).mode & 0o777, file).toBe(0o600);
    expect(statSync(layout.directory).mode & 0o777).toBe(0o700);
  });

  it('gives front and routers what they can open, in development mode only', () => {
    expect(loadServerKey(layout.front, { development: true }).cert.match(/BEGIN/g)).toHaveLength(2);
    expect(() => loadServerKey(layout.front)).toThrow(code('ERR_TRUST_DEVELOPMENT'));
    for (const tenant of tenants) {
      const { kid } = pki.owners.get(tenant)!;
      const key = loadSealingKey(layout.sealing(tenant, kid), { tenant, development: true });
      expect(Buffer.from(key.kid).toString('hex')).toBe(kid);
    }
  });
});

describe('a device', () => {
  it.each([
    { name: 'of an unknown home', home: 'resa' as TenantId, guests: [] },
    { name: 'with an unknown guest', home: ORES, guests: ['resa' as TenantId] },
    { name: 'that is its own guest', home: ORES, guests: [ORES] },
    { name: 'with a guest twice', home: ORES, guests: [FARYS, FARYS] },
  ])('is not issued $name', ({ home: at, guests }) => {
    expect(() => issueDevice(pki, { home: at, guests, nowMs: NOW_MS })).toThrow(code('ERR_PKI_TENANT'));
  });

  it('is trusted by its home and by its guests where they trust that home, and by nobody else', () => {
    const identity = issueDevice(pki, { home: FLUVIUS, guests: [FARYS], nowMs: NOW_MS });
    const sent = { device: identity.device, atMs: NOW_MS };
    expect(trustOf(FLUVIUS).signer(signerOf(identity), sent).type).toBe('public');
    expect(trustOf(FARYS, [FLUVIUS]).signer(signerOf(identity), sent).type).toBe('public');
    expect(() => trustOf(FARYS).signer(signerOf(identity), sent)).toThrow(code('ERR_TRUST_ISSUER'));
    expect(() => trustOf(ORES, [FLUVIUS]).signer(signerOf(identity), sent)).toThrow(code('ERR_TRUST_TENANT'));
  });

  it('knows the sealing keys of home and guests, which hold under its root', () => {
    const { owners, root } = issueDevice(pki, { home: FLUVIUS, guests: [FARYS], nowMs: NOW_MS });
    expect(Object.keys(owners)).toEqual([FLUVIUS, FARYS]);
    for (const tenant of [FLUVIUS, FARYS]) {
      const { kid, certificate } = owners[tenant]!;
      const recipient = recipientOf(certificate, { tenant, root, atMs: NOW_MS, development: true });
      expect(Buffer.from(recipient.kid).toString('hex')).toBe(kid);
    }
  });

  it('is refused by front and router after it was revoked, and others are not', () => {
    const [bad, good] = [ORES, ORES].map((at) => issueDevice(pki, { home: at, nowMs: NOW_MS }));
    for (let time = 0; time < 2; time += 1)
      revokeDevice(pki, bad!, { nowMs: NOW_MS, reason: 'keyCompromise' });
    const trust = trustOf(ORES);
    expect(trust.revocations.size).toBe(3);
    expect(() => trust.signer(signerOf(bad!), { device: bad!.device, atMs: NOW_MS })).toThrow(
      code('ERR_TRUST_REVOKED'),
    );
    expect(trust.signer(signerOf(good!), { device: good!.device, atMs: NOW_MS }).type).toBe('public');
    const front = createTlsTrust({
      root: pki.root.pem,
      issuers: [{ tenant: ORES, certificate: readFileSync(layout.issuing(ORES).certificate, 'utf8') }],
      crls: [readFileSync(layout.crl(ORES), 'utf8')],
      development: true,
    });
    expect(() => front.identity(derOf('CERTIFICATE', bad!.tls.certificate), { atMs: NOW_MS })).toThrow(
      code('ERR_TRUST_REVOKED'),
    );
  });

  it('is not revoked past another process that holds the list', () => {
    const lock = `${layout.crl(ORES)}.lock`;
    writeFileSync(lock, '');
    const identity = issueDevice(pki, { home: ORES, nowMs: NOW_MS });
    expect(() => revokeDevice(pki, identity, { nowMs: NOW_MS, lockWaitMs: 20 })).toThrow(
      code('ERR_PKI_BUSY'),
    );
    rmSync(lock);
  });

  it('is issued in bulk in the order asked, with progress, and stops when told to', async () => {
    const requests = Array.from({ length: 150 }, (_, at) => ({ home: tenants[at % 3]! }));
    const seen: number[] = [];
    const issued = await issueDevices(pki, requests, {
      nowMs: NOW_MS,
      onProgress: ({ issued: done, total }) => seen.push(done / total),
    });
    expect(issued.map(({ home: at }) => at)).toEqual(requests.map(({ home: at }) => at));
    expect(new Set(issued.map(({ device }) => device)).size).toBe(150);
    expect(seen.at(-1)).toBe(1);
    expect(seen).toEqual(seen.toSorted((left, right) => left - right));
    const stopped = issueDevices(
      pki,
      Array.from({ length: 5_000 }, () => ({ home: ORES })),
      {
        nowMs: NOW_MS,
        signal: AbortSignal.timeout(40),
      },
    );
    await expect(stopped).rejects.toThrow();
  });

  it('keeps an identity that reads back as it was written, for its owner alone', () => {
    const identity = issueDevice(pki, { home: ORES, guests: [FARYS], nowMs: NOW_MS });
    const file = saveDeviceIdentity(join(home, 'devices'), identity);
    expect(readDeviceIdentity(file)).toEqual(identity);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    writeFileSync(file, JSON.stringify(identity).slice(0, -40));
    expect(() => readDeviceIdentity(file)).toThrow(
      expect.objectContaining({ code: 'ERR_PKI_IDENTITY', message: expect.stringContaining(file) }),
    );
    expect(() => readDeviceIdentity(join(home, 'none.json'))).toThrow(code('ERR_PKI_DAMAGED'));
  });

  it('has no identity of missing parts, and the error does not quote the file', () => {
    const identity = issueDevice(pki, { home: ORES, guests: [FARYS], nowMs: NOW_MS });
    for (const change of [
      { version: 2 },
      { device: 'x' },
      { home: 'X' },
      { guests: 'farys' },
      { guests: [FARYS, FLUVIUS] },
      { tls: null },
      { sign: { key: 1, certificate: '' } },
      { root: '' },
      { owners: {} },
      { owners: { ...identity.owners, farys: { ...identity.owners[FARYS], kid: 'zz' } } },
    ])
      expect(() => parseDeviceIdentity(JSON.stringify({ ...identity, ...change }))).toThrow(
        code('ERR_PKI_IDENTITY'),
      );
    const text = `${JSON.stringify(identity)}}`;
    let thrown: unknown;
    try {
      parseDeviceIdentity(text);
    } catch (error) {
      thrown = error;
    }
    expect(JSON.stringify(thrown, Object.getOwnPropertyNames(thrown))).not.toContain('PRIVATE');
  });

  it.skipIf(!openssl)(
    'and the front pass openssl verify with the files as they lie there (needs openssl)',
    () => {
      const [bad, good] = [FLUVIUS, FLUVIUS].map((at) => issueDevice(pki, { home: at, nowMs: NOW_MS }));
      revokeDevice(pki, bad!, { nowMs: NOW_MS, reason: 'cessationOfOperation' });
      const verify = (pem: string, ...more: string[]) =>
        runOpenssl(
          [
            'verify',
            '-x509_strict',
            '-attime',
            String(NOW_MS / 1000),
            '-CAfile',
            layout.root.certificate,
          ].concat(more, 'leaf.pem'),
          { 'leaf.pem': pem },
        );
      const issuer = ['-untrusted', layout.issuing(FLUVIUS).certificate];
      const checked = [...issuer, '-crl_check', '-CRLfile', layout.crl(FLUVIUS)];
      for (const key of ['tls', 'sign', 'agree'] as const) {
        expect(verify(good![key].certificate, ...checked)).toMatchObject({ ok: true });
        expect(verify(bad![key].certificate, ...checked).text).toContain('certificate revoked');
      }
      expect(verify(good!.tls.certificate, ...issuer, '-purpose', 'sslclient').ok).toBe(true);
      const server = readFileSync(layout.front.certificate, 'utf8');
      const chain = ['-untrusted', layout.front.certificate, '-purpose', 'sslserver'];
      expect(verify(server, ...chain, '-verify_hostname', 'localhost')).toMatchObject({ ok: true });
      expect(verify(server, ...chain, '-verify_ip', '::1')).toMatchObject({ ok: true });
      expect(toPem('CERTIFICATE', derOf('CERTIFICATE', server))).toBe(
        server.slice(0, server.indexOf('-----END') + 26),
      );
    },
  );
});
