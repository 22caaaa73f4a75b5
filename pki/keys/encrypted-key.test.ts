import { createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { newKeyPair } from '../x509/certify.ts';
import { checkPassphrase, encryptKey, isEncryptedKey, openKey } from './encrypted-key.ts';

const { privateKeyPem } = newKeyPair();
const passphrase = 'correct hörse battery';
const encrypted = encryptKey(privateKeyPem, passphrase);
const code = (name: string) => expect.objectContaining({ code: name });

describe('a key at rest', () => {
  it('does not open without its passphrase, with another, or with a bit changed', () => {
    expect(() => openKey(encrypted, undefined, 'a key')).toThrow(code('ERR_PKI_PASSPHRASE'));
    expect(() => openKey(encrypted, 'correct horse battery', 'a key')).toThrow(code('ERR_PKI_PASSPHRASE'));
    const lines = encrypted.split('\n');
    lines[2] = `${lines[2]!.slice(0, -1)}${lines[2]!.endsWith('A') ? 'B' : 'A'}`;
    expect(() => openKey(lines.join('\n'), passphrase, 'a key')).toThrow(code('ERR_PKI_PASSPHRASE'));
  });

  it('is the same key when it opens, and salted each time', () => {
    expect(isEncryptedKey(encrypted)).toBe(true);
    expect(openKey(encrypted, passphrase, '').equals(createPrivateKey(privateKeyPem))).toBe(true);
    expect(encryptKey(privateKeyPem, passphrase)).not.toBe(encrypted);
  });

  it.skipIf(!openssl)('is scrypt and AES-256 to OpenSSL, which opens it (needs openssl)', () => {
    const files = { key: encrypted };
    const opened = runOpenssl(['pkey', '-in', 'key', '-passin', `pass:${passphrase}`], files);
    expect(opened.text).toContain(privateKeyPem.trim());
    const parsed = runOpenssl(['asn1parse', '-in', 'key'], files).text;
    expect(parsed).toMatch(/scrypt/);
    expect(parsed).toMatch(/aes-256-cbc/);
  });

  it.each(['short', 'aaaaaaaaaaaaaaaaaaaaaaaa', 'abcabcabcabcabc'])(
    'is not given the passphrase %s',
    (text) => {
      expect(() => checkPassphrase(text, 'a key')).toThrow(code('ERR_PKI_WEAK'));
    },
  );

  it('is given six words', () => {
    expect(() => checkPassphrase('veldt gravy onion sleet carp mural', 'a key')).not.toThrow();
  });
});
