import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTokenReference, parseTokenReference, type TokenKey, tokenReference } from './reference.ts';

const GOOD =
  'pkcs11:token=hes%20ores;object=sealing;id=%01%ff;type=private?module-path=/usr/lib/p.so&pin-source=file:/etc/pin';
const parse = (text: string) => parseTokenReference(text, 'current.key');

describe('a key file that refers to a token', () => {
  it.each([
    ['another scheme', GOOD.replace('pkcs11', 'https')],
    ['a second line', `${GOOD}\nsecond`],
    ['a part that is not known', GOOD.replace('object', 'serial')],
    ['a PIN in the file', `${GOOD}&pin-value=1234`],
    ['a part twice', GOOD.replace(';type', ';token=other;type')],
    ['no token', GOOD.replace('token=hes%20ores;', '')],
    ['no module', GOOD.replace('module-path=/usr/lib/p.so&', '')],
    ['no PIN file', GOOD.replace('&pin-source=file:/etc/pin', '')],
    ['a module that is sought', GOOD.replace('/usr/lib/p.so', 'p.so')],
    ['a public key', GOOD.replace('private', 'public')],
    ['no name of the key', GOOD.replace('object=sealing;id=%01%ff;', '')],
    ['a wrong escape', GOOD.replace('%20', '%2')],
    ['a wrong id', GOOD.replace('%ff', '%f')],
    ['too much', GOOD + 'x'.repeat(5_000)],
  ])('is refused with %s', (_, text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: 'ERR_HSM_REFERENCE' }));
  });

  it('says where the key is', () => {
    expect(isTokenReference(GOOD)).toBe(true);
    expect(isTokenReference('-----BEGIN PRIVATE KEY-----')).toBe(false);
    expect(parse(`${GOOD}\n`)).toEqual({
      place: { module: '/usr/lib/p.so', token: 'hes ores', pinFile: '/etc/pin' },
      key: { label: 'sealing', id: '01ff' },
    });
  });

  it('is read as it was written', () => {
    const word = fc.string({ minLength: 1, maxLength: 32, unit: 'grapheme' });
    const path = word.map((text) => `/${text}`);
    const id = fc
      .uint8Array({ minLength: 1, maxLength: 64 })
      .map((bytes) => Buffer.from(bytes).toString('hex'));
    const place = fc.record({ module: path, token: word, pinFile: path });
    const key = fc.oneof(fc.record({ label: word, id }), fc.record({ label: word }), fc.record({ id }));
    fc.assert(
      fc.property(fc.record({ place, key }), (reference: TokenKey) => {
        expect(parse(tokenReference(reference))).toEqual(reference);
      }),
      { seed: 20_261_124, numRuns: 300 },
    );
  });
});
