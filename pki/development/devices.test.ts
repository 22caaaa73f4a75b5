import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TenantId } from '../../protocol/identity.ts';
import { holderOf } from '../files/lock.ts';
import { parseDeviceIdentity, readDeviceIdentity, saveDeviceIdentity } from '../identity.ts';
import { FARYS, FLUVIUS, NOW_MS, ORES } from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { createDeviceTrust, createTlsTrust, recipientOf } from '../trust.ts';
import { derOf } from '../x509/pem.ts';
import { createDevelopmentPki } from './development.ts';
import { issueDevice, issueDevices } from './devices.ts';
import { revokeDevice } from './revoke.ts';

const home = mkdtempSync(join(tmpdir(), 'hes-devices-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const tenants = [ORES, FLUVIUS, FARYS];
const pki = createDevelopmentPki({ directory: join(home, 'pki'), tenants, nowMs: NOW_MS });
const code = (name: string) => expect.objectContaining({ code: name });
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
    writeFileSync(lock, holderOf(process.ppid));
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
    },
  );
});
