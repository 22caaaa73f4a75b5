import { describe, expect, it } from 'vitest';
import { makeIssuing, makeRoot, ORES } from '../testing/field.ts';
import { openssl, runOpenssl } from '../testing/openssl.ts';
import { readCertsOnly, writeCertsOnly } from './cms.ts';

const root = makeRoot();
const issuing = makeIssuing(root, ORES);
const both = [root.certificate.der, issuing.certificate.der];
const malformed = expect.objectContaining({ code: 'ERR_TRUST_MALFORMED' }) as Error;

describe('a certs-only message', () => {
  it('is refused cut short at any byte, and with a byte more', () => {
    const whole = writeCertsOnly(both);
    for (let length = 0; length < whole.length; length += 1)
      expect(() => readCertsOnly(whole.subarray(0, length))).toThrow(malformed);
    expect(() => readCertsOnly(Buffer.concat([whole, Buffer.of(0)]))).toThrow(malformed);
  });

  it('is refused with more certificates than anybody needs', () => {
    expect(() => readCertsOnly(writeCertsOnly(Array<Uint8Array>(9).fill(root.certificate.der)))).toThrow(
      malformed,
    );
  });

  it('gives back what was put in, in whatever order that was', () => {
    const written = writeCertsOnly(both);
    expect(written).toEqual(writeCertsOnly(both.toReversed()));
    const texts = (list: readonly Uint8Array[]) => list.map((one) => Buffer.from(one).toString('hex')).sort();
    expect(texts(readCertsOnly(written))).toEqual(texts(both));
  });

  it.skipIf(!openssl)('is read by openssl, and one that openssl wrote is read here (needs openssl)', () => {
    const read = runOpenssl(['pkcs7', '-inform', 'DER', '-in', 'certs.p7', '-print_certs', '-noout'], {
      'certs.p7': writeCertsOnly(both),
    });
    expect(read.ok && read.text).toContain('urn:hes:ores:issuing');
    const written = runOpenssl(['crl2pkcs7', '-nocrl', '-certfile', 'a.pem', '-outform', 'PEM'], {
      'a.pem': issuing.certificatePem,
    });
    const base64 = written.text.replaceAll(/-----[^-]+-----|\s/g, '');
    expect(readCertsOnly(Buffer.from(base64, 'base64')).map((one) => Buffer.from(one))).toEqual([
      Buffer.from(issuing.certificate.der),
    ]);
  });
});
