import { createPrivateKey } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isHesError } from '../../protocol/errors.ts';
import { createDevelopmentPki } from '../development/development.ts';
import { FLUVIUS, ORES } from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { createOfficeTrust, loadDeskServerKey, loadServerKey } from '../trust.ts';
import {
  OFFICE_IDENTITY_BYTES_MAX,
  type OfficeIdentity,
  openOfficeIdentity,
  parseOfficeIdentity,
  readOfficeIdentity,
  readPassphrase,
} from './identity.ts';

const folder = mkdtempSync(join(tmpdir(), 'hes-office-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
// TLS asks the clock of the machine.
const nowMs = Date.now();
const pki = createDevelopmentPki({ directory: join(folder, 'pki'), tenants: [ORES, FLUVIUS], nowMs });
const { layout } = pki;
const clock = { nowMs: () => nowMs };
const code = (name: string) => expect.objectContaining({ code: name });
const of = (name: string, tenant = ORES) => {
  const place = layout.office.person(tenant, name);
  return { identity: readOfficeIdentity(place.identity), passphrase: readPassphrase(place.passphrase) };
};
const ann = of('operator');
const bea = of('approver');
const opened = openOfficeIdentity(ann.identity, ann.passphrase, { clock });
let count = 0;
const fileOf = (text: string, mode = 0o600): string => {
  const file = join(folder, `file-${++count}`);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
};
const put = (identity: object) => fileOf(JSON.stringify(identity));

describe('an office identity file', () => {
  it('is not read where others may read it', () => {
    for (const mode of [0o644, 0o640, 0o602])
      expect(() => readOfficeIdentity(fileOf(JSON.stringify(ann.identity), mode))).toThrow(
        expect.objectContaining({ code: 'ERR_PKI_RIGHTS', message: expect.stringContaining('chmod 600') }),
      );
    expect(() => readPassphrase(fileOf('secret\n', 0o644))).toThrow(code('ERR_PKI_RIGHTS'));
  });

  it('is named where it is missing', () => {
    expect(() => readOfficeIdentity(join(folder, 'nobody.json'))).toThrow(
      /nobody\.json is missing: name the file/,
    );
  });

  it.each([
    { name: 'of no JSON', text: JSON.stringify(ann.identity).slice(0, -9) },
    { name: 'of another version', text: JSON.stringify({ ...ann.identity, version: 2 }) },
    {
      name: 'with a role that there is none of',
      text: JSON.stringify({ ...ann.identity, role: 'toString' }),
    },
    { name: 'of no tenant', text: JSON.stringify({ ...ann.identity, tenant: 'Ores' }) },
    { name: 'with a name that could be two', text: JSON.stringify({ ...ann.identity, person: 'a:b' }) },
    { name: 'without a root', text: JSON.stringify({ ...ann.identity, root: undefined }) },
    { name: 'with a member that nobody knows', text: JSON.stringify({ ...ann.identity, extra: 1 }) },
    { name: 'too long', text: `${JSON.stringify(ann.identity)}${' '.repeat(OFFICE_IDENTITY_BYTES_MAX)}` },
    { name: 'that is empty', text: '' },
  ])('is refused $name, and never quoted', ({ text }) => {
    const file = fileOf(text);
    try {
      readOfficeIdentity(file);
      expect.unreachable();
    } catch (error) {
      expect(error).toEqual(code('ERR_PKI_OFFICE'));
      expect(String(error)).toContain(file);
      expect(String(error)).not.toContain('PRIVATE');
    }
  });

  it('is given back as it was written', () => {
    expect(parseOfficeIdentity(JSON.stringify(ann.identity))).toEqual(ann.identity);
    expect(readOfficeIdentity(put(ann.identity))).toEqual(ann.identity);
    expect(ann.identity).toMatchObject({
      tenant: ORES,
      role: 'operator',
      person: 'operator',
      development: true,
    });
  });
});

describe('opening it', () => {
  const tryToOpen = (changes: Partial<OfficeIdentity>, passphrase = ann.passphrase) =>
    openOfficeIdentity({ ...ann.identity, ...changes }, passphrase, { clock });

  it('takes the right passphrase and no other, and tells nothing of either', () => {
    for (const wrong of ['', 'x', `${ann.passphrase} `, bea.passphrase])
      try {
        tryToOpen({}, wrong);
        expect.unreachable();
      } catch (error) {
        expect(error).toEqual(code('ERR_PKI_PASSPHRASE'));
        expect(isHesError(error) && error.cause).toBeFalsy();
      }
    expect(tryToOpen({}).person).toBe('operator');
  });

  const { sign, tls } = ann.identity;
  const plain = opened.tls.key;
  const cut = `${sign.key.slice(0, 120)}\n-----END ENCRYPTED PRIVATE KEY-----\n`;
  it.each<{ readonly name: string; readonly changes: Partial<OfficeIdentity> }>([
    { name: 'a key that is not encrypted', changes: { tls: { ...tls, key: plain } } },
    { name: 'a key that is cut short', changes: { sign: { ...sign, key: cut } } },
    { name: 'no key', changes: { sign: { ...sign, key: '' } } },
    {
      name: 'the keys in each other’s place',
      changes: { sign: { ...sign, key: tls.key }, tls: { ...tls, key: sign.key } },
    },
    {
      name: 'the certificates in each other’s place',
      changes: { sign: { ...sign, certificate: tls.certificate } },
    },
    {
      name: 'the certificate of somebody else',
      changes: { sign: { ...sign, certificate: bea.identity.sign.certificate } },
    },
    { name: 'no certificate', changes: { sign: { ...sign, certificate: 'none' } } },
    { name: 'the name of somebody else', changes: { person: 'approver' } },
    { name: 'another role', changes: { role: 'approver' } },
    { name: 'another tenant', changes: { tenant: FLUVIUS } },
    { name: 'no certificate of its issuing CA', changes: { tls: { ...tls, certificate: sign.certificate } } },
    {
      name: 'a TLS certificate alone',
      changes: {
        tls: {
          ...tls,
          certificate: `${tls.certificate.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n`,
        },
      },
    },
    { name: 'the field root for the office’s', changes: { root: pki.root.pem } },
    { name: 'a development root that it does not own up to', changes: { development: false } },
  ])('is refused with $name', ({ changes }) => {
    expect(() => tryToOpen(changes)).toThrow(code('ERR_PKI_OFFICE'));
  });

  it('takes a passphrase from the first line of its file', () => {
    expect(readPassphrase(fileOf('two words\r\nand more'))).toBe('two words');
    for (const text of ['', '\n', 'x'.repeat(2_000)])
      expect(() => readPassphrase(fileOf(text))).toThrow(code('ERR_PKI_PASSPHRASE'));
  });

  it('gives whom the office trusts, for signing and for calling', () => {
    const issuing = pki.office!.authorities.get(ORES)!;
    const trust = createOfficeTrust({
      root: pki.office!.root,
      issuers: [{ tenant: ORES, certificate: issuing.certificatePem }],
      development: true,
      clock,
    });
    const { publicKey, ...name } = trust.signer(opened.signer.certificate);
    expect(name).toEqual({ tenant: ORES, role: 'operator', person: 'operator' });
    expect(opened.signer.privateKey.type).toBe('private');
    expect(publicKey.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
  });

  it.skipIf(!openssl)(
    'reads keys that openssl reads, under the same passphrase alone (needs openssl)',
    () => {
      const pkey = (passphrase: string) =>
        runOpenssl(['pkey', '-in', 'key.pem', '-passin', `pass:${passphrase}`, '-pubout'], {
          'key.pem': sign.key,
        });
      expect(pkey(ann.passphrase).ok).toBe(true);
      expect(pkey('wrong').ok).toBe(false);
    },
  );

  it('opens keys that openssl encrypted with a derivation of its own (needs openssl)', {
    skip: !openssl,
  }, () => {
    const { text } = runOpenssl(
      [
        'pkcs8',
        '-topk8',
        '-v2',
        'aes-256-cbc',
        '-iter',
        '10000',
        '-in',
        'key.pem',
        '-passout',
        'pass:long enough',
      ],
      { 'key.pem': opened.signer.privateKey.export({ type: 'pkcs8', format: 'pem' }) },
    );
    const own = { ...tls, key: reencrypted(opened.tls.key, 'long enough') };
    const other = openOfficeIdentity(
      { ...ann.identity, sign: { ...sign, key: text }, tls: own },
      'long enough',
      { clock },
    );
    expect(other.signer.privateKey.equals(opened.signer.privateKey)).toBe(true);
  });
});

const reencrypted = (pem: string, passphrase: string): string =>
  createPrivateKey(pem).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase });

describe('calling the API of a desk', () => {
  /** A server of a tenant's desk, and what a caller hears of it. */
  async function call(server: 'ores' | 'fluvius' | 'front', options: object = opened.tls): Promise<string> {
    const tenant = server === 'fluvius' ? FLUVIUS : ORES;
    const key =
      server === 'front'
        ? loadServerKey(layout.front, { development: true })
        : loadDeskServerKey(layout.office.desk(tenant), { tenant, development: true });
    const listening = createServer(
      { ...key, ca: pki.office!.root, requestCert: true, minVersion: 'TLSv1.3' },
      (_, answer) => answer.end('called'),
    );
    await new Promise<void>((resolve) => void listening.listen(0, '127.0.0.1', resolve));
    const { port } = listening.address() as AddressInfo;
    try {
      return await new Promise<string>((resolve) => {
        request({ host: '127.0.0.1', port, agent: false, ...options }, (answer) => {
          answer.on('data', (chunk: Buffer) => resolve(chunk.toString()));
        })
          .on('error', (error: Error) => resolve(isHesError(error) ? error.code : error.message))
          .end();
      });
    } finally {
      listening.closeAllConnections();
      listening.close();
    }
  }

  it('reaches the desk of its tenant, and takes no other server for it', async () => {
    expect(await call('ores')).toBe('called');
    expect(await call('fluvius')).toMatch(/^ERR_TRUST_/);
    expect(await call('front')).toMatch(/issuer|self-signed|chain/);
  });

  it('keeps the server key in development mode, of its tenant, and out of other hands', () => {
    const files = layout.office.desk(ORES);
    expect(() => loadDeskServerKey(files, { tenant: ORES })).toThrow(code('ERR_TRUST_DEVELOPMENT'));
    expect(() => loadDeskServerKey(files, { tenant: FLUVIUS, development: true })).toThrow(
      code('ERR_TRUST_KEY'),
    );
    expect(() => loadDeskServerKey(layout.front, { tenant: ORES, development: true })).toThrow(
      code('ERR_TRUST_KEY'),
    );
    const { key } = layout.office.desk(FLUVIUS);
    expect(() => loadDeskServerKey({ ...files, key }, { tenant: ORES, development: true })).toThrow(
      code('ERR_TRUST_KEY'),
    );
  });
});
