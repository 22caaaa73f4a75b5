import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadSealingKey, loadServerKey } from '../keys/keys.ts';
import { DAY_MS, FLUVIUS, makeIssuing, makeLeaf, makeRoot, NOW_MS, ORES } from '../testing/field.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { sealingUri } from '../x509/names.ts';
import { PROFILES } from '../x509/profiles.ts';
import { recipientOf, sealingKid } from './sealing.ts';

const root = makeRoot();
const ores = makeIssuing(root, ORES);
const fluvius = makeIssuing(root, FLUVIUS);
const request = {
  profile: PROFILES.sealing,
  subject: { commonName: sealingUri(ORES) },
  names: { uris: [sealingUri(ORES)] },
};
const leaf = makeLeaf(ores, request);
const options = { tenant: ORES, root: root.certificatePem, atMs: NOW_MS };
const code = (name: string) => expect.objectContaining({ code: name });

describe("an owner's sealing certificate", () => {
  it.each([
    { name: 'comes without its issuing CA', code: 'ERR_TRUST_ISSUER', pem: leaf.pem },
    {
      name: "comes with another tenant's issuing CA",
      code: 'ERR_TRUST_AUTHORITY',
      pem: makeLeaf(fluvius, request).pem + fluvius.certificatePem,
    },
    {
      name: 'was issued by another CA than the one beside it',
      code: 'ERR_TRUST_ISSUER',
      pem: makeLeaf(fluvius, request).pem + ores.certificatePem,
    },
    {
      name: "is a device's key agreement certificate",
      code: 'ERR_TRUST_PROFILE',
      pem: makeLeaf(ores, { profile: PROFILES.deviceAgree }).pem + ores.certificatePem,
    },
    {
      name: 'has the right name and another profile',
      code: 'ERR_TRUST_PROFILE',
      pem: makeLeaf(ores, { ...request, profile: PROFILES.deviceAgree }).pem + ores.certificatePem,
    },
    {
      name: 'names another tenant',
      code: 'ERR_TRUST_PROFILE',
      pem: makeLeaf(ores, { ...request, names: { uris: [sealingUri(FLUVIUS)] } }).pem + ores.certificatePem,
    },
    {
      name: 'has expired',
      code: 'ERR_TRUST_EXPIRED',
      pem: makeLeaf(ores, { ...request, notAfterMs: NOW_MS - DAY_MS / 2 }).pem + ores.certificatePem,
    },
  ])('is refused when it $name', ({ pem, code: expected }) => {
    expect(() => recipientOf(pem, options)).toThrow(code(expected));
  });

  it('is refused under another root', () => {
    const other = { ...options, root: makeRoot().certificatePem };
    expect(() => recipientOf(leaf.pem + ores.certificatePem, other)).toThrow(code('ERR_TRUST_AUTHORITY'));
  });

  it('gives the key and its kid', () => {
    const { spki } = parseCertificate(leaf.der);
    const recipient = recipientOf(leaf.pem + ores.certificatePem, options);
    expect(recipient.kid).toEqual(sealingKid(spki));
    expect(recipient.kid).toHaveLength(8);
    expect(recipient.publicKey).toHaveLength(65);
    expect(Buffer.from(spki).subarray(-65).equals(recipient.publicKey)).toBe(true);
  });
});

describe('key files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hes-keys-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const put = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  const files = { certificate: put('a.crt', leaf.pem), key: put('a.key', leaf.keyPem) };

  it('are refused when the key is of another certificate', () => {
    const key = put('b.key', makeLeaf(ores).keyPem);
    expect(() => loadSealingKey({ ...files, key }, { tenant: ORES })).toThrow(code('ERR_TRUST_KEY'));
  });

  it('are refused for another tenant or another use', () => {
    expect(() => loadSealingKey(files, { tenant: FLUVIUS })).toThrow(code('ERR_TRUST_KEY'));
    const chain = put('chain.crt', leaf.pem + ores.certificatePem);
    expect(() => loadServerKey({ ...files, certificate: chain })).toThrow(code('ERR_TRUST_KEY'));
  });

  it('are refused by name when they are missing or damaged', () => {
    const missing = join(folder, 'missing.key');
    const damaged = put('damaged.key', leaf.keyPem.slice(0, 80));
    for (const key of [missing, damaged])
      expect(() => loadSealingKey({ ...files, key }, { tenant: ORES })).toThrow(
        expect.objectContaining({ code: 'ERR_PKI_DAMAGED', message: expect.stringContaining(key) }),
      );
  });

  it('of a development PKI are refused unless development is said', () => {
    const development = makeIssuing(makeRoot({ development: true }), ORES, {
      subject: { organization: 'HES development', commonName: 'urn:hes:ores:issuing' },
    });
    const made = makeLeaf(development, request);
    const own = { certificate: put('d.crt', made.pem), key: put('d.key', made.keyPem) };
    expect(() => loadSealingKey(own, { tenant: ORES })).toThrow(code('ERR_TRUST_DEVELOPMENT'));
    expect(loadSealingKey(own, { tenant: ORES, development: true }).kid).toHaveLength(8);
  });

  it('that fit are opened', () => {
    const { kid, privateKey } = loadSealingKey(files, { tenant: ORES });
    expect(kid).toEqual(sealingKid(parseCertificate(leaf.der).spki));
    expect(privateKey.type).toBe('private');
  });
});
