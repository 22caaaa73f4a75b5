import 'reflect-metadata';
import { createPrivateKey, createPublicKey, webcrypto, X509Certificate } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { beforeAll, describe, expect, it } from 'vitest';
import { deviceUri } from '../../protocol/identity.ts';
import { DAY_MS, DEVICE, FARYS, makeIssuing, makeLeaf, makeRoot, NOW_MS, ORES } from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { parseCertificate } from './certificate.ts';
import { certify, type Names, newKeyPair, selfSign } from './certify.ts';
import { FIELD_ROOT_URI, issuingUri } from './names.ts';
import { toPem } from './pem.ts';
import { PROFILES, type ProfileName, PURPOSE } from './profiles.ts';

const root = makeRoot();
const issuing = makeIssuing(root, ORES);
const ES256 = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

const USAGE_FLAG = {
  digitalSignature: x509.KeyUsageFlags.digitalSignature,
  keyAgreement: x509.KeyUsageFlags.keyAgreement,
  keyCertSign: x509.KeyUsageFlags.keyCertSign,
  cRLSign: x509.KeyUsageFlags.cRLSign,
} as const;

const LOOPBACK6 = Uint8Array.from({ length: 16 }, (_, at) => (at === 15 ? 1 : 0));
const NAMES: Names = {
  uris: [deviceUri(ORES, DEVICE), deviceUri(FARYS, DEVICE)],
  dns: ['localhost'],
  addresses: [Uint8Array.of(127, 0, 0, 1), LOOPBACK6],
};

/** The same certificate, written by the library that we hold ours against. */
async function byLibrary(name: ProfileName, serial: Uint8Array, spki: Uint8Array): Promise<Uint8Array> {
  const profile = PROFILES[name];
  const { subtle } = webcrypto;
  const importSpki = (bytes: Uint8Array) =>
    subtle.importKey('spki', Buffer.from(bytes), ES256, true, ['verify']);
  const publicKey = await importSpki(spki);
  const signingKey = await subtle.importKey(
    'pkcs8',
    issuing.privateKey.export({ type: 'pkcs8', format: 'der' }),
    ES256,
    false,
    ['sign'],
  );
  const keyId = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
  const usages = profile.keyUsage.reduce((sum, usage) => sum | USAGE_FLAG[usage], 0);
  const isCa = profile.pathLength !== null;
  const subjectKeyId = isCa ? parseCertificate(issuing.certificate.der).subjectKeyId! : undefined;
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: keyId(serial),
    subject: new x509.Name([{ CN: [{ utf8String: DEVICE }] }]),
    issuer: new x509.Name([{ O: [{ utf8String: 'HES' }] }, { CN: [{ utf8String: issuingUri(ORES) }] }]),
    notBefore: new Date(NOW_MS),
    notAfter: new Date(NOW_MS + 30 * DAY_MS),
    publicKey,
    signingKey,
    signingAlgorithm: ES256,
    extensions: [
      isCa
        ? new x509.BasicConstraintsExtension(true, profile.pathLength, true)
        : new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(usages, true),
      ...(profile.purposes.length === 0
        ? []
        : [new x509.ExtendedKeyUsageExtension(profile.purposes.map((purpose) => PURPOSE[purpose]))]),
      ...(subjectKeyId === undefined ? [] : [new x509.SubjectKeyIdentifierExtension(subjectKeyId)]),
      new x509.AuthorityKeyIdentifierExtension(issuing.certificate.subjectKeyId!),
      new x509.SubjectAlternativeNameExtension([
        ...NAMES.uris!.map((value) => ({ type: 'url' as const, value })),
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
    ],
  });
  return new Uint8Array(made.rawData);
}

describe('an issued certificate', () => {
  beforeAll(() => x509.cryptoProvider.set(webcrypto as Crypto));

  it.each(Object.keys(PROFILES) as ProfileName[])(
    'of the profile %s says byte for byte what @peculiar/x509 would have said',
    async (name) => {
      const serial = Buffer.from('4123456789abcdef0123456789abcdef', 'hex');
      // A CA's key identifier comes from its key, so the one key that both are given is the issuer's.
      const { spki } = issuing.certificate;
      const ours = certify(issuing, {
        profile: PROFILES[name],
        subject: { commonName: DEVICE },
        names: NAMES,
        spki,
        serial,
        notBeforeMs: NOW_MS,
        notAfterMs: NOW_MS + 30 * DAY_MS,
      });
      const theirs = await byLibrary(name, serial, spki);
      expect(Buffer.from(parseCertificate(ours).tbs).toString('hex')).toBe(
        Buffer.from(parseCertificate(theirs).tbs).toString('hex'),
      );
    },
  );

  it('is read alike by node', () => {
    const leaf = makeLeaf(issuing, { names: { uris: NAMES.uris! } });
    const node = new X509Certificate(leaf.der);
    const ours = parseCertificate(leaf.der);
    expect(node.serialNumber.toLowerCase()).toBe(ours.serial);
    expect(node.validFromDate.getTime()).toBe(ours.notBeforeMs);
    expect(node.validToDate.getTime()).toBe(ours.notAfterMs);
    expect(node.subject).toBe(`CN=${ours.commonName}`);
    expect(node.subjectAltName).toBe(ours.alternativeNames.uris.map((uri) => `URI:${uri}`).join(', '));
    expect(node.ca).toBe(false);
    expect(node.checkPrivateKey(leaf.privateKey)).toBe(true);
    expect(node.checkIssued(new X509Certificate(issuing.certificate.der))).toBe(true);
  });

  it('never outlives its issuer', () => {
    const leaf = makeLeaf(issuing, { notAfterMs: issuing.certificate.notAfterMs + DAY_MS });
    expect(parseCertificate(leaf.der).notAfterMs).toBe(issuing.certificate.notAfterMs);
  });

  it('has a fresh positive serial of 16 bytes', () => {
    const serials = Array.from({ length: 200 }, () => parseCertificate(makeLeaf(issuing).der).serial);
    expect(new Set(serials).size).toBe(200);
    expect(serials.every((serial) => /^[4-7][0-9a-f]{31}$/.test(serial))).toBe(true);
  });

  it('ends after 2049 in the other form of time', () => {
    const endMs = Date.UTC(2050, 0, 1);
    const made = selfSign({
      profile: PROFILES.root,
      subject: { commonName: FIELD_ROOT_URI },
      names: {},
      notBeforeMs: Date.UTC(2049, 11, 31, 23, 59, 59),
      notAfterMs: endMs,
    });
    expect(new X509Certificate(made.certificate.der).validToDate.getTime()).toBe(endMs);
    expect(made.certificate.notAfterMs).toBe(endMs);
  });

  it.skipIf(!openssl)(
    'passes openssl in strict mode for its own purpose and no other (needs openssl)',
    () => {
      const day = String(NOW_MS / 1000);
      const files = (pem: string) => ({
        'root.pem': root.certificatePem,
        'ca.pem': issuing.certificatePem,
        'leaf.pem': pem,
      });
      const verify = (pem: string, ...more: string[]) =>
        runOpenssl(
          [
            'verify',
            '-x509_strict',
            '-attime',
            day,
            ...more,
            '-CAfile',
            'root.pem',
            '-untrusted',
            'ca.pem',
            'leaf.pem',
          ],
          files(pem),
        );
      for (const profile of [
        PROFILES.deviceTls,
        PROFILES.deviceSign,
        PROFILES.deviceAgree,
        PROFILES.sealing,
      ]) {
        const { pem } = makeLeaf(issuing, { profile });
        expect(verify(pem)).toMatchObject({ ok: true });
        expect(verify(pem, '-purpose', 'sslclient').ok, profile.name).toBe(profile === PROFILES.deviceTls);
        expect(verify(pem, '-purpose', 'sslserver').ok, profile.name).toBe(false);
      }
      // A tenant's CA cannot make a front, not even against the rules of this table.
      expect(
        verify(makeLeaf(issuing, { profile: PROFILES.frontServer }).pem, '-purpose', 'sslserver').ok,
      ).toBe(false);
    },
  );
});

describe('a key pair', () => {
  it('is one, also when the scalar is short', () => {
    for (let time = 0; time < 600; time += 1) {
      const { privateKeyPem, spki } = newKeyPair();
      const derived = createPublicKey(createPrivateKey(privateKeyPem)).export({
        type: 'spki',
        format: 'der',
      });
      expect(derived.equals(spki)).toBe(true);
    }
  });

  it('is written as node would write it', () => {
    const { privateKeyPem } = newKeyPair();
    expect(createPrivateKey(privateKeyPem).export({ type: 'pkcs8', format: 'pem' })).toBe(privateKeyPem);
    expect(toPem('CERTIFICATE', issuing.certificate.der)).toBe(
      new X509Certificate(issuing.certificate.der).toString(),
    );
  });
});
