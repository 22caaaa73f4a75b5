import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TenantId } from '../../protocol/identity.ts';
import { loadDevelopmentPki } from '../development/development.ts';
import { issueDevice } from '../development/devices.ts';
import { loadDeskServerKey, loadSealingKey, loadServerKey } from '../keys/keys.ts';
import { openOfficeIdentity, parseOfficeIdentity } from '../office/identity.ts';
import { createOfficeTrust } from '../office/trust.ts';
import { createDeviceTrust } from '../verify/device-trust.ts';
import { derOf } from '../x509/pem.ts';
import { ceremonyKeys, createProductionPki } from './ceremony.ts';
import { headEndAuthority, openPki, readManifest, tenantAuthorities } from './open.ts';
import { issueIdentity } from './person.ts';

const ORES = 'ores' as TenantId;
const nowMs = Date.now();
const clock = { nowMs: () => nowMs };
const passphrases = { root: 'of both roots 1234', ca: 'of the issuing CAs', service: 'of the services 1' };
const folder = mkdtempSync(join(tmpdir(), 'hes-ceremony-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const directory = join(folder, 'pki');
const made = createProductionPki({
  directory,
  tenants: [ORES],
  nowMs,
  passphrases,
  frontHosts: ['front.example.net'],
  deskHosts: (tenant) => [`${tenant}.desk.example.net`],
});
const code = (name: string) => expect.objectContaining({ code: name });
const open = (passphrase?: string) => openPki({ directory, nowMs, passphrase });

describe('a ceremony', { timeout: 60_000 }, () => {
  it('leaves no key in clear, and nothing that others may read', () => {
    const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    for (const file of files.map((entry) => join(entry.parentPath, entry.name))) {
      expect(statSync(file).mode & 0o077, file).toBe(0);
      expect(readFileSync(file, 'latin1'), file).not.toContain('BEGIN PRIVATE KEY');
    }
    const keys = ceremonyKeys(made.layout, readManifest(directory).tenants).map(({ file }) => file);
    expect(
      files
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((file) => file.endsWith('.key'))
        .sort(),
    ).toEqual([...keys].sort());
  });

  it('is not opened as development, nor without its passphrase', () => {
    expect(() => loadDevelopmentPki({ directory, nowMs, development: true })).toThrow(
      code('ERR_PKI_DEVELOPMENT'),
    );
    expect(() => open()).toThrow(code('ERR_PKI_PASSPHRASE'));
    expect(() => open(passphrases.root)).toThrow(code('ERR_PKI_PASSPHRASE'));
  });

  it('gives each of the three kinds of keys its own passphrase', () => {
    const { layout } = made;
    const { kid } = readManifest(directory).tenants[0]!;
    const passphrase = passphrases.service;
    expect(loadServerKey(layout.front, { passphrase }).key).toContain('BEGIN PRIVATE KEY');
    expect(loadDeskServerKey(layout.office.desk(ORES), { tenant: ORES, passphrase }).key).toContain('BEGIN');
    const sealing = loadSealingKey(layout.sealing(ORES, kid), { tenant: ORES, passphrase });
    expect(Buffer.from(sealing.kid).toString('hex')).toBe(kid);
    // As the configuration of a service says it.
    const passphraseFile = join(folder, 'service.pass');
    writeFileSync(passphraseFile, `${passphrase}\n`, { mode: 0o600 });
    expect(loadServerKey({ ...layout.front, passphraseFile }).key).toContain('BEGIN PRIVATE KEY');
    expect(() => loadServerKey(layout.front, { passphrase: passphrases.ca })).toThrow(
      code('ERR_PKI_PASSPHRASE'),
    );
  });

  it('issues on when the roots and the services’ keys are locked away', () => {
    for (const { file, kind } of ceremonyKeys(made.layout, readManifest(directory).tenants))
      if (kind !== 'ca') rmSync(file);
    const pki = open(passphrases.ca);
    const device = issueDevice(pki, { home: ORES, nowMs });
    const trust = createDeviceTrust({
      tenant: ORES,
      root: pki.root.pem,
      issuers: [{ tenant: ORES, certificate: pki.authorities.get(ORES)!.certificatePem }],
      crls: [readFileSync(pki.layout.crl(ORES), 'utf8')],
    });
    const signer = derOf('CERTIFICATE', device.sign.certificate);
    expect(trust.signer(signer, { device: device.device, atMs: nowMs })).toBeDefined();
    // Seven days: a list that nobody renews is believed no longer.
    expect(() => trust.signer(signer, { device: device.device, atMs: nowMs + 8 * 86_400_000 })).toThrow(
      code('ERR_TRUST_CRL_STALE'),
    );
  });

  it('begins the registers with what it issued', () => {
    const { register } = tenantAuthorities(open(passphrases.ca), ORES, clock);
    expect(register.certificates.list({ limit: 9 }).map(({ profile }) => profile)).toEqual([
      'sealing',
      'deskServer',
    ]);
    const headEnd = headEndAuthority({ directory, passphrase: passphrases.ca }, clock);
    expect(headEnd.register.certificates.list({ limit: 9 }).map(({ subject }) => subject)).toEqual([
      'front.example.net',
    ]);
    register.close();
    headEnd.register.close();
  });

  it('makes people, who are renewed, and who are nobody once they are revoked', () => {
    const pki = open(passphrases.ca);
    const { register, office } = tenantAuthorities(pki, ORES, clock);
    const name = { role: 'operator', person: 'an.peeters' } as const;
    const passphrase = 'her own long passphrase';
    const about = { name, root: pki.office!.root, passphrase, by: 'test', development: false };
    const first = parseOfficeIdentity(JSON.stringify(issueIdentity(office, about)));
    const certificate = (identity: typeof first, which: 'sign' | 'tls') =>
      derOf('CERTIFICATE', identity[which].certificate);
    const second = issueIdentity(office, {
      ...about,
      replaces: { sign: certificate(first, 'sign'), tls: certificate(first, 'tls') },
    });
    const opened = openOfficeIdentity(second, passphrase);
    const trust = createOfficeTrust({
      root: pki.office!.root,
      issuers: [{ tenant: ORES, certificate: office.issuer.certificatePem }],
      crls: [readFileSync(pki.layout.office.crl(ORES), 'utf8')],
      clock,
    });
    for (const der of [certificate(first, 'sign'), opened.signer.certificate])
      expect(trust.signer(der)).toMatchObject({ tenant: ORES, ...name });
    const { serial } = register.certificates.list({
      filter: { state: 'valid', profile: 'personSign' },
      limit: 1,
    })[0]!;
    office.revoke(serial, { reason: 'keyCompromise', by: 'test' });
    trust.replaceCrls([readFileSync(pki.layout.office.crl(ORES), 'utf8')]);
    expect(() => trust.signer(opened.signer.certificate)).toThrow(code('ERR_TRUST_REVOKED'));
    expect(trust.signer(certificate(first, 'sign'))).toMatchObject(name);
    register.close();
  });
});
