import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, describe, expect, it } from 'vitest';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { keyHash } from '../enrolment/request-check.ts';
import { makeIssuing, makeRoot, ORES } from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { createDeviceTrust } from '../verify/device-trust.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { certify, newKeyPair } from '../x509/certify.ts';
import { parseCrl } from '../x509/crl.ts';
import { derOf } from '../x509/pem.ts';
import { PROFILES, type ProfileName } from '../x509/profiles.ts';
import { brokenRow, type CaAuditRow } from './audit.ts';
import { createAuthority } from './authority.ts';
import { openRegister } from './register.ts';

const DAY_MS = 86_400_000;
const folder = mkdtempSync(join(tmpdir(), 'hes-ca-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const root = makeRoot();
const issuing = makeIssuing(root, ORES);
const RESA = 'resa' as TenantId;
const code = (name: string) => expect.objectContaining({ code: name });
const spki = (): Uint8Array => newKeyPair().spki;

let count = 0;
function world() {
  const clock = { now: Date.now(), nowMs: () => clock.now };
  const path = join(folder, `${count++}.db`);
  const register = openRegister({ path, owner: ORES, clock });
  const crl = { file: join(folder, `${count}.crl`), validityMs: 7 * DAY_MS };
  const authority = createAuthority({ register, tenant: ORES, issuer: issuing, clock, crl });
  const device = randomBytes(8).toString('hex') as DeviceId;
  const expected = () =>
    register.devices.add({ device, home: ORES, guests: [RESA], serial: `SN-${device}` }, 'test');
  const issue = (profile: ProfileName = 'deviceTls', publicKey = spki()) =>
    authority.issue({ profile, publicKey, name: { device }, by: 'test' });
  return { clock, path, register, crl, authority, device, expected, issue };
}

describe('an authority refuses', () => {
  it('a device that nobody expects, and one that was retired', () => {
    const { register, device, expected, issue } = world();
    expect(() => issue()).toThrow(code('ERR_CA_DEVICE'));
    expected();
    issue();
    register.devices.retire(device, 'test');
    expect(() => issue()).toThrow(code('ERR_CA_DEVICE'));
  });

  it("another tenant's device", () => {
    const { authority, register, device } = world();
    register.devices.add({ device, home: RESA, guests: [] }, 'test');
    expect(() =>
      authority.issue({ profile: 'deviceTls', publicKey: spki(), name: { device }, by: 'test' }),
    ).toThrow(code('ERR_CA_DEVICE'));
  });

  it.each<ProfileName>(['root', 'issuing', 'frontServer', 'deskServer', 'personTls', 'personSign'])(
    'the profile %s, which is not a field CA’s to give',
    (profile) => {
      const { expected, issue } = world();
      expected();
      expect(() => issue(profile)).toThrow(code('ERR_CA_PROFILE'));
    },
  );

  it('a second certificate under one serial number: to issue it, and to enter it', () => {
    const { register, expected, device, clock } = world();
    expected();
    const newSerial = () => Buffer.from('4d'.repeat(16), 'hex');
    const broken = createAuthority({ register, tenant: ORES, issuer: issuing, clock, newSerial });
    const issue = () =>
      broken.issue({ profile: 'deviceTls', publicKey: spki(), name: { device }, by: 'test' });
    const first = issue();
    const rows = register.audit.head().n;
    expect(issue).toThrow(code('ERR_CA_SERIAL'));
    const twin = certify(issuing, {
      profile: PROFILES.deviceTls,
      subject: { commonName: device },
      names: { uris: [`urn:hes:ores:device:${device}`] },
      spki: spki(),
      notBeforeMs: clock.now,
      serial: newSerial(),
    });
    expect(() => broken.adopt(twin, 'test')).toThrow(code('ERR_CA_SERIAL'));
    expect(broken.adopt(first.certificate, 'test').serial).toBe(first.serial);
    expect(register.audit.head().n).toBe(rows);
    register.close();
  });

  it('a key that is none of P-256', () => {
    const { expected, issue } = world();
    expected();
    const damaged = Buffer.from(spki());
    damaged[damaged.length - 1]! ^= 1;
    expect(() => issue('deviceTls', damaged)).toThrow(code('ERR_CA_KEY'));
    expect(() => issue('deviceTls', randomBytes(91))).toThrow(code('ERR_CA_KEY'));
  });

  it('one key for two uses, or for two devices', () => {
    const { authority, register, expected, issue } = world();
    expected();
    const key = spki();
    issue('deviceTls', key);
    expect(() => issue('deviceSign', key)).toThrow(code('ERR_CA_KEY'));
    const device = randomBytes(8).toString('hex') as DeviceId;
    register.devices.add({ device, home: ORES, guests: [] }, 'test');
    expect(() =>
      authority.issue({ profile: 'deviceTls', publicKey: key, name: { device }, by: 'test' }),
    ).toThrow(code('ERR_CA_KEY'));
  });

  it('to work with a CA that is not of its tenant, or a register of another owner', () => {
    const { register, clock } = world();
    expect(() => createAuthority({ register, tenant: RESA, issuer: issuing, clock })).toThrow(
      code('ERR_CA_PROFILE'),
    );
    expect(() => openRegister({ path: register.path, owner: RESA })).toThrow(code('ERR_CA_REGISTER'));
  });

  it('a renewal of what is revoked, over, unknown, or of the old key', () => {
    const { authority, clock, expected, issue } = world();
    expected();
    const key = spki();
    const { certificate, serial } = issue('deviceTls', key);
    const renew = (publicKey = spki()) => authority.renew({ certificate, publicKey, by: 'test' });
    expect(() => renew(key)).toThrow(code('ERR_CA_KEY'));
    const foreign = certify(issuing, {
      profile: PROFILES.deviceTls,
      subject: { commonName: 'x' },
      names: {},
      spki: spki(),
      notBeforeMs: 0,
    });
    expect(() => authority.renew({ certificate: foreign, publicKey: spki(), by: 'test' })).toThrow(
      code('ERR_CA_CERTIFICATE'),
    );
    clock.now += 1_827 * DAY_MS;
    expect(() => renew()).toThrow(code('ERR_CA_CERTIFICATE'));
    clock.now -= 1_827 * DAY_MS;
    authority.revoke(serial, { reason: 'keyCompromise', by: 'test' });
    expect(() => renew()).toThrow(code('ERR_CA_CERTIFICATE'));
  });
});

describe('an authority', () => {
  it('certifies an expected device with the tenants of the register, as its readers want it', () => {
    const { clock, device, expected, issue } = world();
    expected();
    const { certificate } = issue('deviceSign');
    const trust = createDeviceTrust({
      tenant: ORES,
      root: root.certificatePem,
      issuers: [{ tenant: ORES, certificate: issuing.certificatePem }],
    });
    expect(trust.signer(certificate, { device, atMs: clock.now })).toBeDefined();
    expect(parseCertificate(certificate).alternativeNames.uris).toEqual([
      `urn:hes:ores:device:${device}`,
      `urn:hes:resa:device:${device}`,
    ]);
  });

  it('answers the same request with the same certificate, so that a lost answer costs nothing', () => {
    const { register, expected, issue } = world();
    expected();
    const key = spki();
    const first = issue('deviceTls', key);
    const second = issue('deviceTls', key);
    expect(second.again).toBe(true);
    expect(second.certificate).toEqual(first.certificate);
    expect(register.certificates.list({ limit: 10 })).toHaveLength(1);
  });

  it('renews for a new key, and lets the old certificate go on', () => {
    const { authority, register, expected, issue, clock } = world();
    expected();
    const old = issue();
    const key = spki();
    const renewed = authority.renew({ certificate: old.certificate, publicKey: key, by: 'test' });
    const again = authority.renew({ certificate: old.certificate, publicKey: key, by: 'test' });
    expect(again.serial).toBe(renewed.serial);
    const record = register.certificates.find(authority.keyId, old.serial);
    expect(record).toMatchObject({ state: 'replaced', replacedBy: renewed.serial });
    expect(
      register.certificates.expiring(clock.now + 3_000 * DAY_MS, 10).map(({ serial }) => serial),
    ).toEqual([renewed.serial]);
  });

  it('takes a device back at once, with everything that it has, and never gives it back', () => {
    const { authority, register, device, expected, issue, crl, path } = world();
    expected();
    const old = issue();
    const renewed = authority.renew({ certificate: old.certificate, publicKey: spki(), by: 'test' });
    const sign = issue('deviceSign');
    expect(authority.revokeDevice(device, { reason: 'keyCompromise', by: 'test' })).toBe(3);
    const list = parseCrl(derOf('X509 CRL', readFileSync(crl.file, 'utf8')));
    expect(list.entries.map(({ serial }) => serial).sort()).toEqual(
      [old.serial, renewed.serial, sign.serial].sort(),
    );
    expect(list.entries[0]?.reason).toBe('keyCompromise');
    expect(authority.revoke(sign.serial, { reason: 'superseded', by: 'test' })).toBe(false);
    register.close();
    const database = new DatabaseSync(path);
    expect(() => database.exec("UPDATE certificates SET state = 'valid'")).toThrow(/not taken back/);
    expect(() => database.exec('DELETE FROM certificates')).toThrow(/not deleted/);
    database.close();
  });

  it('counts what ends soon, and not what was replaced', () => {
    const { authority, expected, issue, clock } = world();
    expected();
    const { certificate, record } = issue();
    const left = (days: number) => {
      clock.now = record.notAfterMs - days * DAY_MS;
      return authority.expiryCounts();
    };
    const none = { over: 0, within7: 0, within30: 0, within90: 0 };
    expect(left(91)).toEqual(none);
    expect(left(89)).toEqual({ ...none, within90: 1 });
    expect(left(29)).toEqual({ ...none, within30: 1 });
    expect(left(6)).toEqual({ ...none, within7: 1 });
    expect(left(-1)).toEqual({ ...none, over: 1 });
    clock.now = record.notAfterMs - 6 * DAY_MS;
    authority.renew({ certificate, publicKey: spki(), by: 'test' });
    expect(authority.expiryCounts()).toEqual(none);
  });

  it('keeps what a list in force names, and its numbers rise', () => {
    const { authority, register, expected, issue, crl, clock } = world();
    expected();
    const { serial } = issue();
    authority.revoke(serial, { reason: 'superseded', by: 'test' });
    const other = openRegister({ path: join(folder, `${count++}.db`), owner: ORES });
    const beside = createAuthority({ register: other, tenant: ORES, issuer: issuing, clock, crl });
    const list = parseCrl(beside.publishCrl('test'));
    expect(list.number).toBe(2n);
    expect(list.entries.map((entry) => entry.serial)).toEqual([serial]);
    expect(other.crl(beside.keyId)?.nextUpdateMs).toBe(clock.now + 7 * DAY_MS);
    other.close();
    register.close();
  });

  it('says since when a key was in other hands, where that is known: in register, list and audit', () => {
    const { authority, register, expected, issue, crl, device } = world();
    expected();
    const invalidSinceMs = Date.UTC(2026, 0, 2, 3, 4, 5);
    const { serial } = issue();
    authority.revoke(serial, { reason: 'keyCompromise', by: 'test', invalidSinceMs });
    issue('deviceSign');
    authority.revokeDevice(device, { reason: 'cessationOfOperation', by: 'test', invalidSinceMs });
    const other = { reason: 'cessationOfOperation', invalidSinceMs };
    expect(parseCrl(derOf('X509 CRL', readFileSync(crl.file, 'utf8'))).entries).toMatchObject([
      { serial, reason: 'keyCompromise', invalidSinceMs },
      other,
    ]);
    expect(register.certificates.bySerial(serial)).toMatchObject({ reason: 'keyCompromise', invalidSinceMs });
    const rows = register.audit.rows(0, 100).filter(({ event }) => event === 'revoked');
    expect(rows.map(({ reason }) => reason)).toEqual([
      'keyCompromise since 2026-01-02T03:04:05.000Z',
      'cessationOfOperation since 2026-01-02T03:04:05.000Z',
    ]);
    // What is on the list in force alone keeps its date on the next one, too.
    const empty = openRegister({ path: join(folder, `${count++}.db`), owner: ORES });
    const clock = { nowMs: () => Date.now() };
    const next = createAuthority({ register: empty, tenant: ORES, issuer: issuing, clock, crl });
    expect(parseCrl(next.publishCrl('test')).entries).toMatchObject([{ invalidSinceMs }, other]);
    empty.close();
    register.close();
  });

  it('goes on with a register of before there were such dates', () => {
    const { path, register, expected, issue } = world();
    expected();
    const { serial } = issue();
    register.close();
    const database = new DatabaseSync(path);
    database.exec('ALTER TABLE certificates DROP COLUMN invalidSinceMs; PRAGMA user_version = 1');
    database.close();
    const again = openRegister({ path, owner: ORES });
    expect(again.certificates.bySerial(serial)).toMatchObject({ state: 'valid', invalidSinceMs: null });
    again.close();
  });

  it.skipIf(!openssl)('signs lists that OpenSSL checks certificates by (needs openssl)', () => {
    const { authority, expected, issue, crl } = world();
    expected();
    const good = issue();
    const bad = issue('deviceSign');
    authority.revoke(bad.serial, { reason: 'keyCompromise', by: 'test' });
    const verify = (pem: string) =>
      runOpenssl(
        ['verify', '-crl_check', '-CAfile', 'root', '-untrusted', 'issuing', '-CRLfile', 'crl', 'leaf'],
        {
          root: root.certificatePem,
          issuing: issuing.certificatePem,
          crl: readFileSync(crl.file, 'utf8'),
          leaf: pem,
        },
      );
    expect(verify(good.pem).ok).toBe(true);
    expect(verify(bad.pem).text).toMatch(/revoked/);
  });

  it('takes in what it issued before there was a register, and nothing else', () => {
    const { authority, register } = world();
    const make = (by: typeof issuing) =>
      certify(by, {
        profile: PROFILES.sealing,
        subject: { commonName: 'urn:hes:ores:sealing' },
        names: { uris: ['urn:hes:ores:sealing'] },
        spki: spki(),
        notBeforeMs: Date.now(),
      });
    const mine = make(issuing);
    expect(authority.adopt(mine, 'test').profile).toBe('sealing');
    expect(authority.adopt(mine, 'test').seq).toBe(1);
    expect(() => authority.adopt(make(makeIssuing(makeRoot(), ORES)), 'test')).toThrow(
      code('ERR_CA_CERTIFICATE'),
    );
    expect(register.certificates.list({ limit: 10 })).toHaveLength(1);
  });
});

describe('a register', () => {
  it('knows a device by serial number or birth key, and holds neither in clear', () => {
    const { register, device, path } = world();
    const birthKey = keyHash(spki());
    register.devices.add({ device, home: ORES, guests: [], serial: 'SAG123456789', birthKey }, 'test');
    expect(register.devices.bySerial(' sag123456789 ')?.device).toBe(device);
    expect(register.devices.byBirthKey(birthKey)?.device).toBe(device);
    expect(register.devices.bySerial('SAG123456780')).toBeUndefined();
    register.close();
    expect(readFileSync(path).includes('SAG123456789')).toBe(false);
  });

  it('refuses a serial number of two devices, and a device of two homes', () => {
    const { register, device, expected } = world();
    expected();
    expect(expected().device).toBe(device);
    const add = (changes: object) =>
      register.devices.add({ device, home: ORES, guests: [RESA], ...changes }, 'test');
    expect(() => add({ home: RESA, guests: [] })).toThrow(code('ERR_CA_CONFLICT'));
    expect(() => add({ device: 'f'.repeat(16) as DeviceId, serial: `SN-${device}` })).toThrow(
      code('ERR_CA_CONFLICT'),
    );
    expect(() => add({ guests: [RESA, RESA] })).toThrow(code('ERR_CA_CONFLICT'));
  });

  it('takes a code once for each key of a device, until its end, however it is typed', () => {
    const { register, device, expected, clock } = world();
    expected();
    const text = register.devices.newCode(device, clock.now + 1_000, 'test');
    expect(text).toMatch(/^([0-9A-HJKMNP-TV-Z]{5}-){3}[0-9A-HJKMNP-TV-Z]{5}$/);
    const use = (words: string, of: string, key: string, nowMs = clock.now) =>
      register.devices.useCode(words, { use: of, keyHash: key, nowMs }).device;
    expect(use(text, 'tls', 'a')).toBe(device);
    expect(use(text.toLowerCase().replaceAll('-', ' '), 'tls', 'a')).toBe(device);
    expect(use(text, 'sign', 'b')).toBe(device);
    expect(() => use(text, 'tls', 'c')).toThrow(code('ERR_CA_CODE'));
    expect(() => use(text, 'agree', 'd', clock.now + 1_001)).toThrow(code('ERR_CA_CODE'));
    expect(() => use('00000-00000-00000-00000', 'tls', 'a')).toThrow(code('ERR_CA_CODE'));
  });

  it('chains what was done, and finds the row that was changed', () => {
    const { register, expected, issue, authority } = world();
    expected();
    authority.revoke(issue().serial, { reason: 'unspecified', by: 'somebody' });
    const rows = register.audit.rows(0, 100);
    expect(rows.map(({ event }) => event)).toEqual([
      'device-registered',
      'issued',
      'revoked',
      'crl-published',
    ]);
    expect(brokenRow(ORES, rows)).toBeUndefined();
    expect(brokenRow(RESA, rows)).toBe(1);
    const changed = rows.map((row): CaAuditRow => (row.n === 3 ? { ...row, by: 'nobody' } : row));
    expect(brokenRow(ORES, changed)).toBe(3);
  });

  it('is one register for two processes', () => {
    const { register, expected, authority, path, device } = world();
    expected();
    const other = openRegister({ path, owner: ORES });
    const second = createAuthority({
      register: other,
      tenant: ORES,
      issuer: issuing,
      clock: { nowMs: Date.now },
    });
    const key = spki();
    const first = authority.issue({ profile: 'deviceTls', publicKey: key, name: { device }, by: 'a' });
    const again = second.issue({ profile: 'deviceTls', publicKey: key, name: { device }, by: 'b' });
    expect(again.serial).toBe(first.serial);
    other.close();
    register.close();
  });

  it('does not open what is no register', () => {
    expect(() => openRegister({ path: folder, owner: ORES })).toThrow(code('ERR_CA_REGISTER'));
  });
});
