import { createSecureContext } from 'node:tls';
import { describe, expect, it } from 'vitest';
import { makeIssuing, makeLeaf, makeRoot, ORES } from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { PROFILES } from '../x509/profiles.ts';
import { exportPkcs12 } from './pkcs12.ts';

const root = makeRoot();
const issuing = makeIssuing(root, ORES);
const leaf = makeLeaf(issuing, { profile: PROFILES.deviceTls });
const chain = leaf.pem + issuing.certificatePem + root.certificatePem;
const password = 'pässwörd of a meter';
const exported = exportPkcs12({ key: leaf.keyPem, chain, password, friendlyName: 'meter under test' });
const code = (name: string) => expect.objectContaining({ code: name });

describe('a PKCS#12 export', () => {
  it.each([
    {
      name: 'a chain that does not begin with the certificate of the key',
      changes: { chain: issuing.certificatePem },
    },
    { name: 'a text that is no key', changes: { key: 'hello' } },
    { name: 'a text that is no chain', changes: { chain: 'hello' } },
    { name: 'a chain that never ends', changes: { chain: chain + chain } },
  ])('is refused for $name', ({ changes }) => {
    expect(() => exportPkcs12({ key: leaf.keyPem, chain, password, friendlyName: '', ...changes })).toThrow(
      code('ERR_PKI_PKCS12'),
    );
  });

  it.each(['1234567', 'aaaaaaaaaaaaaaaaaaaa'])('is refused for the weak password %s', (weak) => {
    expect(() => exportPkcs12({ key: leaf.keyPem, chain, password: weak, friendlyName: '' })).toThrow(
      code('ERR_PKI_WEAK'),
    );
  });

  it('does not open with another password, nor after a bit was changed', () => {
    expect(() => createSecureContext({ pfx: Buffer.from(exported), passphrase: 'another' })).toThrow();
    const damaged = Buffer.from(exported);
    damaged[200] = damaged[200]! ^ 1;
    expect(() => createSecureContext({ pfx: damaged, passphrase: password })).toThrow();
  });

  it('opens in node', () => {
    expect(createSecureContext({ pfx: Buffer.from(exported), passphrase: password })).toBeDefined();
  });

  it('does not hold the key in clear', () => {
    const scalar = leaf.privateKey.export({ format: 'jwk' }).d!;
    expect(Buffer.from(exported).includes(Buffer.from(scalar, 'base64url'))).toBe(false);
  });

  it.skipIf(!openssl)('opens in OpenSSL, with the same key and the whole chain (needs openssl)', () => {
    const open = (...more: string[]) =>
      runOpenssl(['pkcs12', '-in', 'x.p12', '-passin', `pass:${password}`, '-nodes', ...more], {
        'x.p12': exported,
      });
    const key = open('-nocerts');
    expect(key.text).toContain(leaf.keyPem.trim());
    expect(key.text).toContain('meter under test');
    const certificates = open('-nokeys').text;
    for (const pem of [leaf.pem, issuing.certificatePem, root.certificatePem])
      expect(certificates).toContain(pem.trim());
    expect(open('-passin', 'pass:another').ok).toBe(false);
  });
});
