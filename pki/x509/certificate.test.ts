import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHesError } from '../../protocol/errors.ts';
import { makeIssuing, makeLeaf, makeRoot, NOW_MS, ORES } from '../testing/field.ts';
import { CERTIFICATE_BYTES_MAX, parseCertificate } from './certificate.ts';
import { makeCrl, parseCrl } from './crl.ts';
import { DerCursor, der, derBits, derOid, derTime, derTrue, derUnsigned, readTimeMs, TAG } from './der.ts';

const issuing = makeIssuing(makeRoot(), ORES);
const leaf = makeLeaf(issuing).der;
const code = (name: string) => expect.objectContaining({ code: name });
const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** The leaf with one stretch of its signed part replaced; lengths around it are written anew. */
function rewritten(change: (elements: Uint8Array[]) => Uint8Array[]): Uint8Array {
  const outer = new DerCursor(leaf).enter(TAG.sequence);
  const tbs = outer.enter(TAG.sequence);
  const elements: Uint8Array[] = [];
  while (!tbs.done) elements.push(tbs.read().whole);
  const algorithm = outer.read().whole;
  return der(TAG.sequence, der(TAG.sequence, ...change(elements)), algorithm, outer.read().whole);
}

/** The leaf with these extensions after (or instead of) its own. */
function withExtensions(change: (extensions: Uint8Array[]) => Uint8Array[]): Uint8Array {
  return rewritten((elements) => {
    const list = new DerCursor(elements.at(-1)!).enter(0xa3).enter(TAG.sequence);
    const extensions: Uint8Array[] = [];
    while (!list.done) extensions.push(list.read().whole);
    return [...elements.slice(0, -1), der(0xa3, der(TAG.sequence, ...change(extensions)))];
  });
}

const extension = (oid: string, critical: boolean, value = der(TAG.sequence)) =>
  der(TAG.sequence, derOid(oid), ...(critical ? [derTrue] : []), der(TAG.octetString, value));

describe('reading DER', () => {
  it.each(['30 81 02 05 00', `30 81 7f ${'00'.repeat(127)}`, `30 82 00 80 ${'00'.repeat(128)}`])(
    'refuses a length that is not the shortest: %.11s…',
    (text) => {
      expect(() => new DerCursor(hex(text)).read()).toThrow(code('ERR_TRUST_MALFORMED'));
    },
  );

  it('reads lengths of one to three octets as they are written', () => {
    for (const length of [0, 127, 128, 255, 256, 65_535, 65_536])
      expect(new DerCursor(der(TAG.octetString, new Uint8Array(length))).read().content).toHaveLength(length);
  });
});

describe('reading a certificate', () => {
  it.each([
    { name: 'no bytes', bytes: new Uint8Array() },
    { name: 'an indefinite length', bytes: hex('3080 0000') },
    { name: 'a length that is not the shortest', bytes: hex('3081 02 0500') },
    { name: 'a length of five octets', bytes: hex('3085 0000000002 0500') },
    { name: 'a tag of more than an octet', bytes: hex('3f2000') },
    { name: 'more than it claims', bytes: Buffer.concat([leaf, hex('00')]) },
    { name: 'more bytes than any of ours', bytes: der(TAG.sequence, new Uint8Array(CERTIFICATE_BYTES_MAX)) },
    { name: 'version 1', bytes: rewritten(([, ...rest]) => rest) },
    { name: 'version 2', bytes: rewritten(([, ...rest]) => [hex('a003020101'), ...rest]) },
    {
      name: 'a negative serial',
      bytes: rewritten(([version, , ...rest]) => [version!, hex('0201ff'), ...rest]),
    },
    {
      name: 'a serial of 22 bytes',
      bytes: rewritten(([version, , ...rest]) => [version!, derUnsigned(Buffer.alloc(22, 1)), ...rest]),
    },
    {
      name: 'two signature algorithms that differ',
      bytes: rewritten(([version, serial, , ...rest]) => [
        version!,
        serial!,
        hex('300a06082a8648ce3d040303'),
        ...rest,
      ]),
    },
    {
      name: 'two common names',
      bytes: rewritten((elements) => {
        const name = new DerCursor(elements[5]!).read().content;
        return elements.with(5, der(TAG.sequence, name, name));
      }),
    },
    {
      name: 'a key on another curve',
      bytes: rewritten((elements) =>
        elements.with(6, der(TAG.sequence, hex('301006072a8648ce3d020106052b81040022'), derBits(hex('04')))),
      ),
    },
    {
      name: 'a compressed key',
      bytes: rewritten((elements) =>
        elements.with(
          6,
          Buffer.concat([
            hex('3039301306072a8648ce3d020106082a8648ce3d030107032200 02'),
            Buffer.alloc(32, 1),
          ]),
        ),
      ),
    },
    {
      name: 'a unique identifier of its issuer',
      bytes: rewritten((elements) => elements.toSpliced(7, 0, hex('810200ff'))),
    },
    { name: 'no extensions', bytes: rewritten((elements) => elements.slice(0, -1)) },
    {
      name: 'an unknown critical extension',
      bytes: withExtensions((own) => [...own, extension('1.2.3.4', true)]),
    },
    { name: 'an extension twice', bytes: withExtensions((own) => [...own, own[0]!]) },
    {
      name: 'more extensions than any of ours',
      bytes: withExtensions((own) => [
        ...own,
        ...Array.from({ length: 16 }, (_, at) => extension(`1.2.3.${at}`, false)),
      ]),
    },
    {
      name: 'a name that is an e-mail address',
      bytes: withExtensions((own) => [
        ...own.slice(0, -1),
        extension('2.5.29.17', false, der(TAG.sequence, der(0x81, Buffer.from('a@b')))),
      ]),
    },
    {
      name: 'a URI with a NUL in it',
      bytes: withExtensions((own) => [
        ...own.slice(0, -1),
        extension('2.5.29.17', false, der(TAG.sequence, der(0x86, Buffer.from('urn:hes\0x')))),
      ]),
    },
    {
      name: 'CA:FALSE spelt out',
      bytes: withExtensions(([, ...own]) => [
        extension('2.5.29.19', true, der(TAG.sequence, hex('010100'))),
        ...own,
      ]),
    },
    {
      name: 'a TRUE that is not ff',
      bytes: withExtensions(([, ...own]) => [
        extension('2.5.29.19', true, der(TAG.sequence, hex('010101'))),
        ...own,
      ]),
    },
  ])('refuses $name', ({ bytes }) => {
    expect(() => parseCertificate(bytes)).toThrow(code('ERR_TRUST_MALFORMED'));
  });

  it('takes an unknown extension that is not critical', () => {
    const bytes = withExtensions((own) => [...own, extension('1.2.3.4', false)]);
    expect(parseCertificate(bytes).commonName).toBe(parseCertificate(leaf).commonName);
  });

  it.each([
    '260230000000Z',
    '261301000000Z',
    '260101240000Z',
    '260101006000Z',
    '2601010000Z',
    '260101000000+0100',
  ])('refuses the time %s', (text) => {
    const time = new DerCursor(der(TAG.utcTime, Buffer.from(text))).read();
    expect(() => readTimeMs(time)).toThrow(code('ERR_TRUST_MALFORMED'));
  });

  it('reads the times that it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
        expect(readTimeMs(new DerCursor(derTime(seconds * 1000)).read())).toBe(seconds * 1000);
      }),
      { seed: 20_260_328 },
    );
  });

  const list = makeCrl(issuing, {
    number: 7n,
    thisUpdateMs: NOW_MS,
    nextUpdateMs: NOW_MS + 1_000,
    entries: [{ serial: '4f', atMs: NOW_MS, reason: 'superseded' }],
  });

  it.each([
    { what: 'certificate', bytes: leaf, parse: (bytes: Uint8Array): unknown => parseCertificate(bytes) },
    { what: 'revocation list', bytes: list, parse: (bytes: Uint8Array): unknown => parseCrl(bytes) },
  ])('throws nothing but its own error for any damaged $what', ({ bytes, parse }) => {
    const refusesCleanly = (damaged: Uint8Array) => {
      try {
        parse(damaged);
      } catch (error) {
        if (!isHesError(error, 'ERR_TRUST_MALFORMED')) throw error;
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), refusesCleanly), { seed: 1, numRuns: 2_000 });
    const edits = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(edits, fc.nat(bytes.length), (changes, end) => {
        const damaged = Uint8Array.from(bytes);
        for (const [at, byte] of changes) damaged[at] = byte;
        refusesCleanly(damaged);
        refusesCleanly(damaged.subarray(0, end));
      }),
      { seed: 2, numRuns: 5_000 },
    );
  });
});
