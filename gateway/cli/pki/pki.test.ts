import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openRegister } from '../../../pki/ca/register.ts';
import { documentText } from '../../../pki/enrolment/request.ts';
import { beginEnrolment } from '../../../pki/enrolment/request-pending.ts';
import { pkiLayout } from '../../../pki/files/layout.ts';
import { openOfficeIdentity, readOfficeIdentity } from '../../../pki/office/identity.ts';
import { parseCrl } from '../../../pki/x509/crl.ts';
import { derOf } from '../../../pki/x509/pem.ts';
import { ROLES } from '../../../protocol/command/roles.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { hasCommand } from '../../../test/support/tools.ts';
import { hes, json } from '../desk-client/testing/cli.ts';
import { EXIT } from '../exit.ts';

const ORES = 'ores' as TenantId;
const folder = mkdtempSync(join(tmpdir(), 'hes-pki-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
const secret = (name: string, text: string): string => {
  writeFileSync(at(name), `${text}\n`);
  chmodSync(at(name), 0o600);
  return at(name);
};
const CA = secret('ca.pass', 'veldt gravy onion');
const OWN = secret('own.pass', 'sleet carp mural tin');
const OTHER = secret('other.pass', 'quite another one 7');
const SHORT = secret('short.pass', 'short');

const data = at('production');
const layout = pkiLayout(join(data, 'pki'));
const common = ['--data', data, '--passphrase-file', CA];
const initWords = [
  ...['pki', 'init', ...common, '--tenants', 'ores'],
  ...['--front-host', 'front.example.net', '--desk-host', '{tenant}.desk.example.net'],
];
const person = (file: string, ...more: string[]) =>
  hes('pki', 'issue', 'person', ...common, '--new-passphrase-file', OWN, '--out', file, ...more);
const an = ['--role', 'operator', '--name', 'an.peeters'];

describe('hes pki of production', { timeout: 60_000 }, () => {
  it('names the roles where it asks for one', async () => {
    const { out } = await hes('pki', 'issue', '--help');
    for (const role of Object.keys(ROLES)) expect(out).toContain(role);
  });

  it('makes nothing with a weak passphrase, without the names of servers, or in a dry run', async () => {
    const weak = initWords.map((word) => (word === CA ? SHORT : word));
    expect(await hes(...weak)).toMatchObject({ exit: EXIT.usage, code: 'ERR_PKI_WEAK' });
    expect(await hes('pki', 'init', ...common)).toMatchObject({ exit: EXIT.usage, code: 'ERR_USAGE' });
    const dry = await hes(...initWords, '--dry-run');
    expect(dry.out).toContain('issuing CA of ores, office');
    expect(existsSync(data)).toBe(false);
  });

  it('makes both worlds, says what to lock away, and never makes them again', async () => {
    const made = await hes(...initWords);
    expect(made).toMatchObject({ exit: EXIT.ok });
    expect(made.out).toMatch(/^8 keys are made/);
    for (const words of ['field root', 'lock them away', 'hes pki crl', layout.office.root.key])
      expect(made.out).toContain(words);
    expect(made.out).not.toContain('veldt');
    expect((await hes(...initWords)).code).toBe('ERR_PKI_EXISTS');
  });

  it('issues by the right passphrase only, to those who have a role and a name', async () => {
    const wrong = ['--data', data, '--passphrase-file', OTHER, '--new-passphrase-file', OWN];
    expect(await hes('pki', 'issue', 'person', ...wrong, '--out', at('x'), ...an)).toMatchObject({
      exit: EXIT.noRight,
      code: 'ERR_PKI_PASSPHRASE',
    });
    expect((await person(at('x'), '--role', 'marco', '--name', 'x')).code).toBe('ERR_USAGE');
    expect((await person(at('x'), '--role', 'operator', '--name', 'An')).code).toBe('ERR_USAGE');
    expect(existsSync(at('x'))).toBe(false);
    expect(await person(at('an.json'), ...an)).toMatchObject({ exit: EXIT.ok });
    const opened = openOfficeIdentity(readOfficeIdentity(at('an.json')), 'sleet carp mural tin');
    expect(opened).toMatchObject({ tenant: 'ores', role: 'operator', person: 'an.peeters' });
    expect((await person(at('an.json'), ...an)).code).toBe('ERR_PKI_EXISTS');
  });

  it('lists and shows without any key, and verifies each by the CA that issued it', async () => {
    const listed = json<{ certificates: { serial: string; profile: string }[] }>(
      await hes('pki', 'list', '--data', data, '--json'),
    );
    expect(listed.certificates.map(({ profile }) => profile)).toEqual([
      'sealing',
      'deskServer',
      'personSign',
      'personTls',
      'frontServer',
    ]);
    for (const { serial, profile } of listed.certificates) {
      const shown = await hes('pki', 'show', serial, '--data', data, '--pem');
      writeFileSync(at('shown.pem'), shown.out);
      const verdict = json(await hes('pki', 'verify', at('shown.pem'), '--data', data, '--json'));
      expect(verdict).toMatchObject({ good: true, profile, serial });
    }
    expect((await hes('pki', 'show', '12ab', '--data', data)).exit).toBe(EXIT.noSuch);
  });

  it('tells what ends soon, and is not content where a week is left', async () => {
    const soon = json<{ expiring: { what: string }[] }>(
      await hes('pki', 'expiring', '--data', data, '--days', '400', '--json'),
    );
    expect((await hes('pki', 'expiring', '--data', data, '--fail', '400')).exit).toBe(EXIT.incomplete);
    expect(soon.expiring.map(({ what }) => what).sort()).toEqual([
      'personSign',
      'personTls',
      'revocation list',
      'revocation list',
    ]);
    expect((await hes('pki', 'expiring', '--data', data)).exit).toBe(EXIT.ok);
  });

  it('renews a person in place, and a server beside what runs', async () => {
    const before = readFileSync(at('an.json'), 'utf8');
    const renew = ['pki', 'renew', ...common, '--new-passphrase-file', OWN];
    await hes(...renew, '--identity', at('an.json'), '--dry-run');
    expect(readFileSync(at('an.json'), 'utf8')).toBe(before);
    expect(await hes(...renew, '--identity', at('an.json'))).toMatchObject({ exit: EXIT.ok });
    expect(readFileSync(at('an.json'), 'utf8')).not.toBe(before);
    const list = ['pki', 'list', '--data', data, '--json', '--profile', 'deskServer'];
    const { serial } = json<{ certificates: { serial: string }[] }>(await hes(...list)).certificates[0]!;
    const renewed = json<{ certificate: string }>(await hes(...renew, serial, '--out', at('desk'), '--json'));
    const verdict = json(await hes('pki', 'verify', renewed.certificate, '--data', data, '--json'));
    expect(verdict).toMatchObject({ good: true, profile: 'deskServer', subject: 'ores.desk.example.net' });
  });

  it('exports for others with a strong passphrase only', async () => {
    const words = ['pki', 'export', at('an.json'), '--passphrase-file', OWN, '--out', at('an.p12')];
    expect((await hes(...words, '--new-passphrase-file', SHORT)).code).toBe('ERR_PKI_WEAK');
    expect(await hes(...words, '--new-passphrase-file', OTHER)).toMatchObject({ exit: EXIT.ok });
    expect(readFileSync(at('an.p12')).includes('PRIVATE KEY')).toBe(false);
    const pem = await hes(...words.with(-1, at('an.pem')), '--for', 'pem', '--new-passphrase-file', OTHER);
    expect(pem.exit).toBe(EXIT.ok);
    expect(readFileSync(at('an.pem'), 'utf8')).toContain('ENCRYPTED PRIVATE KEY');
  });

  it.skipIf(!hasCommand('keytool'))('exports what Java lists as a key with its chain (needs keytool)', () => {
    const words = [
      '-list',
      '-v',
      '-keystore',
      at('an.p12'),
      '-storetype',
      'PKCS12',
      '-storepass:file',
      OTHER,
    ];
    const listed = spawnSync('keytool', words, { encoding: 'utf8' });
    expect(listed.stdout).toMatch(/PrivateKeyEntry/);
    expect(listed.stdout).toMatch(/chain length: 3/);
  });

  it('revokes a person, and the list says so; a dry run changes nothing', async () => {
    const words = ['pki', 'revoke', 'an.peeters', ...common, '--reason'];
    expect((await hes(...words, 'because')).code).toBe('ERR_USAGE');
    for (const wrong of ['yesterday', '2026-02-30T25:00', '2126-01-01', '2026-01-01T10:00'])
      expect((await hes(...words, 'keyCompromise', '--invalid-since', wrong)).code, wrong).toBe('ERR_USAGE');
    const entries = () => parseCrl(derOf('X509 CRL', readFileSync(layout.office.crl(ORES), 'utf8'))).entries;
    await hes(...words, 'keyCompromise', '--dry-run');
    expect(entries()).toHaveLength(0);
    const since = ['keyCompromise', '--invalid-since', '2026-01-02', '--json'];
    const revoked = json<{ revoked: { serial: string; state: string }[]; files: string[] }>(
      await hes(...words, ...since),
    );
    expect(revoked).toMatchObject({ reason: 'keyCompromise', invalidSince: '2026-01-02T00:00:00.000Z' });
    expect(new Set(revoked.revoked.map(({ state }) => state))).toEqual(new Set(['revoked']));
    expect(revoked.files).toEqual([layout.crl(ORES), layout.office.crl(ORES), layout.notice(ORES)]);
    const [first] = revoked.revoked;
    const shown = json(await hes('pki', 'show', first!.serial, '--data', data, '--json'));
    expect(shown).toMatchObject({ state: 'revoked', invalidSince: '2026-01-02T00:00:00.000Z' });
    // Those that were replaced are good until their end: they go, too.
    expect(entries()).toHaveLength(4);
    writeFileSync(at('an.crt'), readOfficeIdentity(at('an.json')).tls.certificate);
    const verdict = await hes('pki', 'verify', at('an.crt'), '--data', data, '--json');
    expect(verdict.exit).toBe(EXIT.incomplete);
    expect(json(verdict)).toMatchObject({ good: false, code: 'ERR_TRUST_REVOKED' });
    const nothing = await hes('pki', 'verify', CA, '--data', data);
    expect(nothing).toMatchObject({ exit: EXIT.incomplete });
    expect(nothing.out).toContain('no certificate, PEM or DER');
    expect((await hes(...words, 'keyCompromise')).exit).toBe(EXIT.noSuch);
  });

  it('publishes lists with rising numbers', async () => {
    const number = () => parseCrl(derOf('X509 CRL', readFileSync(layout.crl(ORES), 'utf8'))).number;
    const before = number();
    expect((await hes('pki', 'crl', ...common)).exit).toBe(EXIT.ok);
    expect(number()).toBe(before + 1n);
  });

  it('expects devices of a list once, by numbers that no file holds', async () => {
    writeFileSync(at('devices.csv'), 'serial;guests\nSN-1;resa\nSN-2;\nSN-3;resa fluvius\n');
    const words = ['pki', 'register', '--data', data, '--csv', at('devices.csv')];
    expect(json(await hes(...words, '--code', '--out', at('codes.csv'), '--json'))).toMatchObject({
      registered: 3,
      failed: [],
    });
    expect(readFileSync(at('codes.csv'), 'utf8').trim().split('\n')).toHaveLength(4);
    expect(json(await hes(...words, '--json'))).toMatchObject({ registered: 3 });
    const register = openRegister({ path: layout.ca(ORES), owner: ORES });
    expect(register.devices.bySerial('sn-3')?.guests).toEqual(['resa', 'fluvius']);
    register.close();
    const dry = json(await hes(...words, '--dry-run', '--json'));
    expect(dry).toMatchObject({ home: 'ores', wanted: 3, dryRun: true });
    const kept = readFileSync(at('codes.csv'), 'utf8');
    expect(await hes(...words, '--code', '--out', at('codes.csv'))).toMatchObject({ code: 'ERR_PKI_EXISTS' });
    expect(readFileSync(at('codes.csv'), 'utf8')).toBe(kept);
    writeFileSync(at('devices.csv'), 'serial,guests\nSN-1,fluvius\nSN-4,\n');
    const conflicts = await hes(...words, '--dry-run');
    expect(conflicts.exit).toBe(EXIT.incomplete);
    expect(conflicts.out).toMatch(/^line 2: .*\n1 devices of ores would be registered, 1 refused\.$/m);
    const untouched = openRegister({ path: layout.ca(ORES), owner: ORES });
    expect(untouched.devices.bySerial('SN-4')).toBeUndefined();
    untouched.close();
    expect((await hes(...words)).exit).toBe(EXIT.incomplete);
    writeFileSync(at('devices.csv'), 'serial,color\nSN-1,red\n');
    expect(await hes(...words)).toMatchObject({ exit: EXIT.conflict, code: 'ERR_CA_CONFLICT' });
  });

  it('answers a list of requests, each on its own, and knows their devices and keys afterwards', async () => {
    const rows = ['request'];
    for (const name of ['a', 'b']) {
      const { pending } = await beginEnrolment(at(`${name}.identity`), {
        home: ORES,
        guests: [],
        root: null,
      });
      writeFileSync(at(`${name}.json`), documentText(pending.request));
      rows.push(at(`${name}.json`));
    }
    writeFileSync(at('bad.json'), '{}');
    writeFileSync(at('requests.csv'), [...rows, at('bad.json')].join('\n'));
    const words = ['pki', 'enrol', '--csv', at('requests.csv'), ...common, '--out', at('answers'), '--json'];
    interface Done {
      readonly answered: number;
      readonly failed: number;
      readonly lines: readonly { readonly device: string; readonly error: string | null }[];
    }
    expect(json<Done>(await hes(...words, '--dry-run'))).toMatchObject({ answered: 2, failed: 1 });
    expect(existsSync(at('answers'))).toBe(false);
    const ended = await hes(...words);
    const done = json<Done>(ended);
    expect(ended.exit).toBe(EXIT.incomplete);
    expect(done).toMatchObject({ answered: 2, failed: 1 });
    expect(json<Done>(await hes(...words)).lines).toEqual(done.lines);
    const device = done.lines[0]!.device;
    const list = ['pki', 'list', '--data', data, '--device', device, '--json'];
    const listed = json<{ certificates: { profile: string }[] }>(await hes(...list));
    expect(listed.certificates.map(({ profile }) => profile)).toEqual([
      'deviceTls',
      'deviceSign',
      'deviceAgree',
    ]);
    const revoked = await hes('pki', 'revoke', device, ...common, '--reason', 'keyCompromise', '--json');
    expect(json<{ revoked: unknown[] }>(revoked).revoked).toHaveLength(3);
    expect((await hes(...words)).out).toContain('ERR_ENROL_KEY');
  });
});

describe('hes pki of development', { timeout: 60_000 }, () => {
  it('revokes people who were made before there was a register, and asks for no passphrase', async () => {
    const development = at('development');
    expect((await hes('pki', 'init', '--data', development, '--tenants', 'ores')).exit).toBe(EXIT.ok);
    const words = [
      'pki',
      'revoke',
      'ores/operator',
      '--data',
      development,
      '--reason',
      'superseded',
      '--json',
    ];
    expect(json<{ revoked: unknown[] }>(await hes(...words)).revoked).toHaveLength(2);
    const crl = pkiLayout(join(development, 'pki')).office.crl(ORES);
    const list = parseCrl(derOf('X509 CRL', readFileSync(crl, 'utf8')));
    expect(list.entries).toHaveLength(2);
    expect(list.nextUpdateMs).toBeGreaterThan(Date.now() + 3_000 * 86_400_000);
    // Its servers stand in no register, and are seen all the same.
    const soon = await hes('pki', 'expiring', '--data', development, '--days', '1900', '--json');
    expect(json<{ expiring: unknown[] }>(soon)).toMatchObject({
      expiring: expect.arrayContaining(
        ['front', 'desk of ores'].map((subject) => expect.objectContaining({ what: 'server', subject })),
      ),
    });
  });
});
