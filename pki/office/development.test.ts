import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  createDevelopmentPki,
  DEVELOPMENT_PEOPLE,
  type DevelopmentPki,
  issueDevice,
  loadDevelopmentPki,
  openDevelopmentPki,
  revokePerson,
  withOffice,
} from '../development/development.ts';
import { parseDeviceIdentity } from '../identity.ts';
import { DAY_MS, FARYS, FLUVIUS, NOW_MS, ORES } from '../testing/field.ts';
import { createOfficeTrust, officeTrustOf } from '../trust.ts';
import { openOfficeIdentity, readOfficeIdentity, readPassphrase } from './identity.ts';

const folder = mkdtempSync(join(tmpdir(), 'hes-office-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let count = 0;
const tenants = [ORES, FARYS];
const options = (directory = join(folder, `pki-${++count}`)) => ({
  directory,
  tenants,
  nowMs: NOW_MS,
  development: true,
});
const clock = { nowMs: () => NOW_MS };
const code = (name: string) => expect.objectContaining({ code: name });
/** A PKI that was made before there were offices. */
function oldPki(): DevelopmentPki {
  const pki = createDevelopmentPki(options());
  rmSync(pki.layout.office.directory, { recursive: true });
  return loadDevelopmentPki(options(pki.layout.directory));
}
const certificateOf = (pki: DevelopmentPki, name: string, tenant = ORES): Uint8Array => {
  const place = pki.layout.office.person(tenant, name);
  const identity = readOfficeIdentity(place.identity);
  return openOfficeIdentity(identity, readPassphrase(place.passphrase), { clock }).signer.certificate;
};
const deskTrust = (pki: DevelopmentPki) =>
  createOfficeTrust({
    root: pki.office!.root,
    issuers: [
      { tenant: ORES, certificate: readFileSync(pki.layout.office.issuing(ORES).certificate, 'utf8') },
    ],
    crls: [readFileSync(pki.layout.office.crl(ORES), 'utf8')],
    development: true,
    clock,
  });

const pki = createDevelopmentPki(options());

describe('a development office', () => {
  it('has one of each role for every tenant, whom its desk believes', () => {
    const trust = deskTrust(pki);
    for (const role of DEVELOPMENT_PEOPLE)
      expect(trust.signer(certificateOf(pki, role))).toMatchObject({ tenant: ORES, role, person: role });
    expect([...DEVELOPMENT_PEOPLE].sort()).toEqual([
      'approver',
      'lopex',
      'marco',
      'operator',
      'prepayment',
      'supervisor',
    ]);
    expect(() => trust.signer(certificateOf(pki, 'operator', FARYS))).toThrow(code('ERR_TRUST_ISSUER'));
  });

  it('has a passphrase of its own for everybody, and keeps everything to its owner', () => {
    const files = readdirSync(pki.layout.office.directory, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile(),
    );
    const paths = files.map((entry) => join(entry.parentPath, entry.name));
    for (const path of paths) expect(statSync(path).mode & 0o777, path).toBe(0o600);
    const passphrases = paths
      .filter((path) => path.endsWith('.passphrase'))
      .map((path) => readFileSync(path, 'utf8'));
    expect(new Set(passphrases).size).toBe(tenants.length * DEVELOPMENT_PEOPLE.length);
    for (const path of paths.filter((path) => path.endsWith('.json')))
      expect(readFileSync(path, 'utf8')).not.toContain('BEGIN PRIVATE KEY');
  });

  it('is refused in production', () => {
    const { root } = pki.office!;
    expect(() => createOfficeTrust({ root, issuers: [], clock })).toThrow(code('ERR_TRUST_DEVELOPMENT'));
    const device = issueDevice(pki, { home: ORES, nowMs: NOW_MS });
    const certificate = certificateOf(pki, 'operator');
    expect(() => officeTrustOf(device, { clock }).signer(certificate)).toThrow(code('ERR_TRUST_DEVELOPMENT'));
  });

  it('no longer believes whom it revoked, and goes on believing others', () => {
    const own = createDevelopmentPki(options());
    const trust = deskTrust(own);
    const operator = certificateOf(own, 'operator');
    expect(trust.signer(operator).role).toBe('operator');
    const identity = readOfficeIdentity(own.layout.office.person(ORES, 'operator').identity);
    revokePerson(own, identity, { nowMs: NOW_MS, reason: 'keyCompromise' });
    trust.replaceCrls([readFileSync(own.layout.office.crl(ORES), 'utf8')]);
    expect(() => trust.signer(operator)).toThrow(code('ERR_TRUST_REVOKED'));
    expect(trust.signer(certificateOf(own, 'approver')).role).toBe('approver');
    const { office: _, ...without } = own;
    expect(() => revokePerson({ ...without, office: undefined }, identity, { nowMs: NOW_MS })).toThrow(
      code('ERR_PKI_TENANT'),
    );
  });
});

describe('an office for a PKI that has none', () => {
  it('is made when the PKI is opened, leaves everything else as it was, and is made once', () => {
    const before = oldPki();
    expect(before.office).toBeUndefined();
    const first = openDevelopmentPki(options(before.layout.directory));
    expect(first.created).toBe(false);
    expect(first.pki.root.pem).toBe(before.root.pem);
    const second = openDevelopmentPki(options(before.layout.directory));
    expect(second.pki.office!.root).toBe(first.pki.office!.root);
    expect(readdirSync(before.layout.directory).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('is not made by opening it in production mode', () => {
    const { layout } = oldPki();
    expect(() => openDevelopmentPki({ ...options(layout.directory), development: false })).toThrow(
      code('ERR_PKI_DEVELOPMENT'),
    );
    expect(existsSync(layout.office.directory)).toBe(false);
  });

  it('says which file of it is damaged, and when it has expired', () => {
    const own = createDevelopmentPki(options());
    const { office } = own.layout;
    writeFileSync(office.issuing(ORES).certificate, readFileSync(office.issuing(FARYS).certificate));
    expect(() => openDevelopmentPki(options(own.layout.directory))).toThrow(
      expect.objectContaining({ code: 'ERR_PKI_DAMAGED', message: expect.stringContaining('office') }),
    );
    expect(() =>
      loadDevelopmentPki({ ...options(pki.layout.directory), nowMs: NOW_MS + 6 * 365 * DAY_MS }),
    ).toThrow(code('ERR_PKI_EXPIRED'));
  });
});

describe('the offices that a device believes', () => {
  const device = issueDevice(pki, { home: ORES, guests: [FARYS], nowMs: NOW_MS });
  const believes = (identity: typeof device, certificate: Uint8Array) =>
    officeTrustOf(identity, { development: true, clock }).signer(certificate);

  it('are those of its home and its guests, and survive its file', () => {
    const again = parseDeviceIdentity(JSON.stringify(device));
    expect(again).toEqual(device);
    expect(believes(again, certificateOf(pki, 'operator')).tenant).toBe(ORES);
    expect(believes(again, certificateOf(pki, 'operator', FARYS)).tenant).toBe(FARYS);
    const alone = issueDevice(pki, { home: ORES, nowMs: NOW_MS });
    expect(() => believes(alone, certificateOf(pki, 'operator', FARYS))).toThrow(code('ERR_TRUST_ISSUER'));
  });

  it('are none where it was enrolled without any: it believes nobody', () => {
    const { office: _, ...without } = device;
    expect(parseDeviceIdentity(JSON.stringify(without)).office).toBeUndefined();
    expect(() => believes(without, certificateOf(pki, 'operator'))).toThrow(code('ERR_TRUST_ISSUER'));
  });

  it('are refused where its file is damaged', () => {
    for (const office of [{}, { root: 'x', issuers: {} }, { root: device.office!.root, issuers: {} }, null])
      expect(() => parseDeviceIdentity(JSON.stringify({ ...device, office }))).toThrow(
        code('ERR_PKI_IDENTITY'),
      );
    const issuers = { ...device.office!.issuers, [ORES]: device.office!.issuers[FARYS]! };
    const swapped = { ...device, office: { ...device.office!, issuers } };
    expect(() => believes(swapped, certificateOf(pki, 'operator'))).toThrow(code('ERR_TRUST_AUTHORITY'));
  });

  it('are given later to a device that was issued before there were any, and only where they are new', () => {
    const before = oldPki();
    const old = issueDevice(before, { home: ORES, guests: [FARYS], nowMs: NOW_MS });
    expect(old.office).toBeUndefined();
    expect(withOffice(before, old)).toBe(old);
    const { pki: now } = openDevelopmentPki(options(before.layout.directory));
    const given = withOffice(now, old);
    expect(given).toEqual({ ...old, office: given.office });
    expect(believes(given, certificateOf(now, 'operator')).person).toBe('operator');
    expect(withOffice(now, parseDeviceIdentity(JSON.stringify(given)))).toEqual(given);
    const same = parseDeviceIdentity(JSON.stringify(given));
    expect(withOffice(now, same)).toBe(same);
    expect(() => withOffice(now, { ...old, home: FLUVIUS })).toThrow(code('ERR_PKI_TENANT'));
  });
});
