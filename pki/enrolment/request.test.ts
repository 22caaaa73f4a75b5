import 'reflect-metadata';
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { FARYS, FLUVIUS, ORES } from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { GUESTS_MAX } from '../verify/device-certificate.ts';
import { newKeyPair } from '../x509/certify.ts';
import { readPem, toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import {
  documentText,
  type EnrolmentRequest,
  parseEnrolmentRequest,
  REQUEST_BYTES_MAX,
  requestedUris,
} from './request.ts';
import { checkEnrolmentRequest, readCertificateRequest } from './request-check.ts';
import {
  askedExtensions,
  newEnrolmentKeys,
  writeCertificateRequest,
  writeEnrolmentRequest,
} from './request-write.ts';

const code = (name: string) => expect.objectContaining({ code: name });
const keys = newEnrolmentKeys();
const request = await writeEnrolmentRequest(keys, { home: ORES, guests: [FARYS], root: null });
const other = await writeEnrolmentRequest(newEnrolmentKeys(), { home: ORES, guests: [FARYS], root: null });
const with_ = (changes: Partial<EnrolmentRequest>): EnrolmentRequest => ({ ...request, ...changes });

/** A request by the library for a key of any kind, with the right names. */
async function foreign(
  pair: { readonly privateKey: KeyObject; readonly publicKey: KeyObject },
  algorithm: Parameters<KeyObject['toCryptoKey']>[0],
): Promise<string> {
  const made = await x509.Pkcs10CertificateRequestGenerator.create(
    {
      name: new x509.Name([{ CN: [{ utf8String: request.request }] }]),
      keys: {
        privateKey: pair.privateKey.toCryptoKey(algorithm, false, ['sign']),
        publicKey: pair.publicKey.toCryptoKey(algorithm, true, ['verify']),
      },
      signingAlgorithm: algorithm as never,
      extensions: askedExtensions({
        profile: PROFILES.deviceTls,
        commonName: request.request,
        uris: requestedUris(request, request.request),
      }),
    },
    webcrypto as unknown as Crypto,
  );
  return toPem('CERTIFICATE REQUEST', new Uint8Array(made.rawData));
}

describe('an enrolment request', () => {
  it('is refused when a part was put in the place of another, or comes from another device', () => {
    for (const changed of [
      with_({ tls: request.sign, sign: request.tls }),
      with_({ agree: other.agree }),
      with_({ request: other.request }),
      with_({ home: FARYS, guests: [ORES] }),
      with_({ guests: [] }),
      with_({ guests: [FARYS, FLUVIUS] }),
    ])
      expect(() => checkEnrolmentRequest(changed)).toThrow(code('ERR_ENROL_REQUEST'));
    expect(() => checkEnrolmentRequest(with_({ sign: request.tls }))).toThrow(code('ERR_ENROL_KEY'));
    expect(checkEnrolmentRequest(request).spkis.tls).toEqual(keys.tls.spki);
  });

  it('is refused when one key is asked to serve two uses', async () => {
    const pair = newKeyPair();
    const same = await writeEnrolmentRequest(
      { ...keys, tls: pair, sign: pair },
      { home: ORES, guests: [], root: null },
    );
    expect(() => checkEnrolmentRequest(same)).toThrow(code('ERR_ENROL_KEY'));
  });

  it('is refused when its own key did not sign a part', async () => {
    const der = readPem('CERTIFICATE REQUEST', request.tls)[0]!;
    const otherKey = Buffer.from(newKeyPair().spki).subarray(-64);
    const at = Buffer.from(der).indexOf(Buffer.from(keys.tls.spki).subarray(-64));
    const swapped = Buffer.from(der);
    otherKey.copy(swapped, at);
    const tls = toPem('CERTIFICATE REQUEST', swapped);
    expect(() => checkEnrolmentRequest(with_({ tls }))).toThrow(code('ERR_ENROL_KEY'));
    // Not on the curve at all.
    swapped.fill(1, at, at + 64);
    const off = toPem('CERTIFICATE REQUEST', swapped);
    expect(() => checkEnrolmentRequest(with_({ tls: off }))).toThrow(code('ERR_ENROL_KEY'));
  });

  it('is refused when a part asks for the use of a CA, or for another name', async () => {
    const asked = { commonName: request.request, uris: requestedUris(request, request.request) };
    for (const wrong of [
      { ...asked, profile: PROFILES.issuing },
      { ...asked, profile: PROFILES.deviceSign },
      { ...asked, profile: PROFILES.deviceTls, commonName: 'localhost' },
      { ...asked, profile: PROFILES.deviceTls, uris: [...asked.uris, 'urn:hes:fluvius:issuing'] },
    ]) {
      const tls = await writeCertificateRequest(keys.tls, wrong);
      expect(() => checkEnrolmentRequest(with_({ tls }))).toThrow(code('ERR_ENROL_REQUEST'));
    }
  });

  it('is refused when a key is of another curve or another kind', async () => {
    const p384 = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const tries = [
      await foreign(p384, { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-256' } as never),
      await foreign(p384, { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' } as never),
      await foreign(rsa, { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } as never),
    ];
    for (const tls of tries)
      expect(() => checkEnrolmentRequest(with_({ tls }))).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^ERR_ENROL_(KEY|REQUEST)$/) }),
      );
  });

  it('is refused when the document is damaged, too long, newer, or holds what does not belong in it', () => {
    const texts = [
      '',
      'null',
      '[]',
      documentText(request).slice(0, 500),
      documentText({ ...request, version: 2 }),
      documentText({ ...request, keys: {} }),
      documentText({ ...request, home: 'Ores' }),
      documentText({ ...request, guests: Array.from({ length: GUESTS_MAX + 1 }, (_, at) => `t${at}`) }),
      ' '.repeat(REQUEST_BYTES_MAX) + documentText(request),
    ];
    for (const text of texts) expect(() => parseEnrolmentRequest(text)).toThrow(code('ERR_ENROL_REQUEST'));
  });

  it('says where it is wrong and never quotes it: a pending file taken for a request holds keys', () => {
    const secret = keys.agree.privateKeyPem;
    for (const document of [{ ...request, [secret]: 1 }, { ...request, tls: { secret } }, { keys: secret }])
      try {
        parseEnrolmentRequest(documentText(document));
        expect.unreachable();
      } catch (error) {
        expect(isHesError(error, 'ERR_ENROL_REQUEST')).toBe(true);
        expect(JSON.stringify([String(error), (error as Error).cause])).not.toContain(secret.slice(40, 60));
      }
  });

  it('may name as many guests as a certificate can', async () => {
    const guests = Array.from({ length: GUESTS_MAX }, (_, at) => `${'t'.repeat(30)}${at % 10}${at % 7}`);
    const most = await writeEnrolmentRequest(newEnrolmentKeys(), {
      home: ORES,
      guests: guests as TenantId[],
      root: 'ab'.repeat(32),
    });
    const read = parseEnrolmentRequest(documentText(most));
    expect(read).toEqual(most);
    expect(checkEnrolmentRequest(read).request.guests).toEqual(guests);
  });

  it('comes from any bytes as a request or as an error of ours', () => {
    const der = readPem('CERTIFICATE REQUEST', request.agree)[0]!;
    const refusesCleanly = (bytes: Uint8Array) => {
      try {
        readCertificateRequest(toPem('CERTIFICATE REQUEST', bytes));
      } catch (error) {
        return isHesError(error) && error.code.startsWith('ERR_ENROL_');
      }
      return Buffer.compare(bytes, der) === 0;
    };
    fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 600 }), refusesCleanly), {
      seed: 1,
      numRuns: 500,
    });
    const edits = fc.array(fc.tuple(fc.nat(der.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(edits, fc.integer({ min: 1, max: der.length }), (changes, end) => {
        const bytes = Uint8Array.from(der);
        for (const [at, value] of changes) bytes[at] = value;
        return refusesCleanly(bytes) && refusesCleanly(bytes.subarray(0, end));
      }),
      { seed: 2, numRuns: 1_000 },
    );
    const nested = Buffer.alloc(4_096, Buffer.of(0x30, 0x80));
    const tooLong = Buffer.concat([der, Buffer.alloc(4_096)]);
    for (const bytes of [nested, tooLong, Buffer.concat([der, Buffer.of(0)])])
      expect(refusesCleanly(bytes)).toBe(true);
  });

  it('takes no two requests in one text, nor text that is none', () => {
    for (const pem of [request.tls + request.sign, '', 'x', request.tls.replace('-----END', '----END')])
      expect(() => readCertificateRequest(pem)).toThrow(code('ERR_ENROL_REQUEST'));
  });

  it.skipIf(!openssl)('is signed by its keys as openssl sees it, and says what for (needs openssl)', () => {
    for (const [name, usage] of [
      ['tls', 'Digital Signature'],
      ['sign', 'Digital Signature'],
      ['agree', 'Key Agreement'],
    ] as const) {
      // Some releases end with 0 whatever they found: what counts is what they say.
      const verify = (input: string) =>
        spawnSync('openssl', ['req', '-verify', '-noout', '-text'], { input, encoding: 'utf8' });
      const { stdout, stderr } = verify(request[name]);
      expect(stderr, name).toMatch(/verify OK/);
      expect(stdout).toContain(usage);
      expect(stdout).toContain(`URI:urn:hes:ores:enrolment:${request.request}`);
      const der = Buffer.from(readPem('CERTIFICATE REQUEST', request[name])[0]!);
      der[der.length - 1]! ^= 1;
      expect(verify(toPem('CERTIFICATE REQUEST', der)).stderr, name).toMatch(/verify failure/);
    }
  });

  it.skipIf(!openssl)('is read where openssl wrote it (needs openssl)', () => {
    const made = runOpenssl(
      [
        ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
        ...['-keyout', 'k.pem', '-subj', '/CN=abc', '-addext', 'keyUsage=critical,keyAgreement'],
      ],
      {},
    );
    const read = readCertificateRequest(made.text);
    expect(read.commonName).toBe('abc');
    expect(read.extensions).toHaveLength(1);
  });
});
