import { createCipheriv } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as example from './example.ts';
import { sealed } from './example.ts';
import { GLO_FRAME_BYTES_MAX, SECURITY } from './glo-frame.ts';
import { AUTHENTICATION_KEY_LUXEMBOURG, type P1Keys, parseP1Key } from './glo-keys.ts';
import { type GloSealOptions, sealGlo } from './glo-seal.ts';
import { P1Reader, type P1ReaderOptions, readTelegrams } from './reader.ts';
import { printedValue } from './telegram.ts';

const SEED = 20_261_124;
const keys: P1Keys = {
  encryption: Buffer.from('000102030405060708090A0B0C0D0E0F', 'hex'),
  authentication: AUTHENTICATION_KEY_LUXEMBOURG,
};
const otherKeys: P1Keys = { ...keys, encryption: Buffer.alloc(16, 7) };
const title = Buffer.from('SAG\u0010\u0020\u0030\u0040\u0050', 'latin1');

const plainBytes = (lines: readonly string[]): Buffer => Buffer.from(sealed(lines), 'latin1');
const LUX = plainBytes(example.LUXEMBOURG);
const EMUCS = plainBytes(example.EMUCS_1_7_1);

let counter = 0;
function encrypted(text: Uint8Array = LUX, options: Partial<GloSealOptions> = {}): Buffer {
  counter += 1;
  return sealGlo(text, { keys, title, counter, ...options });
}

const headersOf = (bytes: Uint8Array, options: P1ReaderOptions = { keys }) =>
  readTelegrams(bytes, options).telegrams.map(({ header, encryption }) => `${header} ${encryption}`);

const LUX_VERIFIED = 'Lux5\\253663629_D verified';
const EMUCS_PLAIN = 'FLU5\\253770234_A none';

describe('an encrypted telegram that is not to be believed', () => {
  it('yields nothing when any one byte of it was altered', () => {
    const frame = encrypted();
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: frame.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, by) => {
          const altered = Buffer.from(frame);
          altered[at]! ^= by;
          expect(readTelegrams(altered, { keys }).telegrams).toEqual([]);
        },
      ),
      { seed: SEED, numRuns: 1500 },
    );
  });

  it('yields nothing under another encryption key, and nothing under another authentication key', () => {
    expect(readTelegrams(encrypted(), { keys: otherKeys })).toEqual({
      telegrams: [],
      faults: ['tag-invalid'],
    });
    const otherAuthentication = { ...keys, authentication: Buffer.alloc(16, 1) };
    expect(readTelegrams(encrypted(), { keys: otherAuthentication })).toEqual({
      telegrams: [],
      faults: ['tag-invalid'],
    });
  });

  it('yields nothing without a key, and says that it is encrypted', () => {
    expect(readTelegrams(encrypted())).toEqual({ telegrams: [], faults: ['encrypted'] });
  });

  it('yields nothing where the meter sent no tag, unless that was asked for', () => {
    const untagged = encrypted(LUX, { security: SECURITY.encrypted });
    expect(readTelegrams(untagged, { keys })).toEqual({ telegrams: [], faults: ['untagged'] });
    expect(headersOf(untagged, { keys, acceptUnverified: true })).toEqual(['Lux5\\253663629_D unverified']);
  });

  it('yields nothing where the tag is right and the CRC inside is wrong', () => {
    const wrong = Buffer.from(LUX);
    wrong[60]! ^= 1;
    expect(readTelegrams(encrypted(wrong), { keys })).toEqual({ telegrams: [], faults: ['crc-invalid'] });
  });

  it('yields nothing where what is inside is no text', () => {
    for (const inside of ['00', '0f', '0f0000000177', 'c0010000'])
      expect(readTelegrams(encrypted(Buffer.from(inside, 'hex')), { keys })).toEqual({
        telegrams: [],
        faults: ['not-text'],
      });
  });

  it('is called by its name where a DLMS notification is inside, with a tag and, if asked for, without', () => {
    for (const inside of ['0f00000001000203', '0f800000010c07e80101010000000000ff88800203', '0f0000000109']) {
      const notification = Buffer.from(inside, 'hex');
      const expected = { telegrams: [], faults: ['dlms'] };
      expect(readTelegrams(encrypted(notification), { keys })).toEqual(expected);
      const untagged = encrypted(notification, { security: SECURITY.encrypted });
      expect(readTelegrams(untagged, { keys, acceptUnverified: true })).toEqual(expected);
      expect(readTelegrams(untagged, { keys })).toEqual({ telegrams: [], faults: ['untagged'] });
    }
  });

  it('is taken with a tag over nothing but the text only where nobody knows the authentication key', () => {
    const { encryption } = keys;
    const cipher = createCipheriv('aes-128-gcm', encryption, Buffer.concat([title, Buffer.alloc(4, 1)]), {
      authTagLength: 12,
    });
    const ciphertext = cipher.update(LUX);
    cipher.final();
    const length = 5 + ciphertext.length + 12;
    const frame = Buffer.concat([
      Buffer.from([0xdb, 8, ...title, 0x82, length >> 8, length & 0xff, 0x30, 1, 1, 1, 1]),
      ciphertext,
      cipher.getAuthTag(),
    ]);
    expect(headersOf(frame, { keys: { ...keys, authenticationUnknown: true } })).toEqual([LUX_VERIFIED]);
    expect(readTelegrams(frame, { keys })).toEqual({ telegrams: [], faults: ['tag-invalid'] });
    frame[60]! ^= 1;
    expect(headersOf(frame, { keys: { ...keys, authenticationUnknown: true } })).toEqual([]);
  });

  it('is taken without a right tag only when asked for, and is then marked', () => {
    const frame = encrypted();
    frame[frame.length - 1]! ^= 1;
    expect(headersOf(frame)).toEqual([]);
    expect(headersOf(frame, { keys, acceptUnverified: true })).toEqual(['Lux5\\253663629_D unverified']);
  });

  it('stays marked as verified where the tag is right, although it need not be', () => {
    expect(headersOf(encrypted(), { keys, acceptUnverified: true })).toEqual([LUX_VERIFIED]);
  });

  it('yields nothing without tag and without CRC, whatever was asked for', () => {
    const bare = Buffer.from(example.bare(example.DSMR_2_2), 'latin1');
    const frame = encrypted(bare, { security: SECURITY.encrypted });
    expect(readTelegrams(frame, { keys, acceptUnverified: true })).toEqual({
      telegrams: [],
      faults: ['untagged'],
    });
  });

  it('yields nothing under a wrong key when the tag is not asked for', () => {
    const { telegrams, faults } = readTelegrams(encrypted(), { keys: otherKeys, acceptUnverified: true });
    expect(telegrams).toEqual([]);
    expect(faults).toContain('not-text');
  });
});

describe('an encrypted telegram', () => {
  it.each([1, 2, 3, 4] as const)('is read with %i bytes of length behind the first', (lengthBytes) => {
    const text = lengthBytes === 1 ? plainBytes(example.HEAT) : LUX;
    expect(headersOf(encrypted(text, { lengthBytes }))).toHaveLength(1);
  });

  it('is read with its length in one byte', () => {
    const short = Buffer.from(sealed(['/ABC5', '', '1-3:0.2.8(50)', '1-0:1.8.0(1*kWh)']), 'latin1');
    expect(headersOf(encrypted(short, { lengthBytes: 0 }))).toEqual(['ABC5 verified']);
  });

  it.each([0x31, 0x70])('is read with security byte %i (suite 1, broadcast key)', (security) => {
    expect(headersOf(encrypted(LUX, { security }))).toEqual([LUX_VERIFIED]);
  });

  it('is read whatever byte its counter, title and ciphertext hold', () => {
    for (let index = 0; index < 300; index += 1)
      expect(headersOf(encrypted(LUX, { counter: 0x2f_db_08_00 + index }))).toEqual([LUX_VERIFIED]);
  });
});

describe('a stream of encrypted and plain telegrams and noise', () => {
  it('is read as what it is, in order', () => {
    const noise = Buffer.from('db08\u0000xyz/\u00db!', 'latin1');
    const stream = Buffer.concat([noise, encrypted(), EMUCS, encrypted(), noise, EMUCS]);
    expect(headersOf(stream)).toEqual([LUX_VERIFIED, EMUCS_PLAIN, LUX_VERIFIED, EMUCS_PLAIN]);
  });

  it('loses no telegram behind a frame that was cut anywhere', () => {
    const whole = encrypted();
    for (let cut = 1; cut < whole.length; cut += 1) {
      const begun = whole.subarray(0, cut);
      const found = headersOf(Buffer.concat([begun, encrypted(), EMUCS, encrypted()]));
      expect(found).toEqual([LUX_VERIFIED, EMUCS_PLAIN, LUX_VERIFIED]);
      expect(headersOf(Buffer.concat([begun, EMUCS]))).toEqual([EMUCS_PLAIN]);
    }
  });

  it('keeps the plain telegrams between frames that no key opens, and counts no ciphertext as noise', () => {
    const telegrams: string[] = [];
    const reader = new P1Reader({ telegram: ({ header }) => telegrams.push(header) }, { keys: otherKeys });
    for (let index = 0; index < 50; index += 1) reader.feed(Buffer.concat([encrypted(), EMUCS]));
    expect(telegrams).toHaveLength(50);
    expect(reader.faults).toEqual({ 'tag-invalid': 50 });
    expect(reader.noiseBytes).toBeLessThan(50);
  });

  it('never closes a plain telegram over a frame that was taken out of its middle', () => {
    const old = Buffer.from(example.bare(example.DSMR_2_2), 'latin1');
    for (const at of [200, 203, 215, 260]) {
      const stream = Buffer.concat([old.subarray(0, at), encrypted(), old.subarray(at)]);
      expect(headersOf(stream)).toEqual([LUX_VERIFIED]);
    }
  });

  it('is not held up by a length field that noise made up', () => {
    const head = Buffer.concat([Buffer.from([0xdb, 8]), title]);
    const endless = Buffer.concat([head, Buffer.from([0x84, 0x7f, 0xff, 0xff, 0xff, 0x30])]);
    expect(headersOf(Buffer.concat([endless, EMUCS, encrypted()]))).toEqual([EMUCS_PLAIN, LUX_VERIFIED]);
    const long = Buffer.concat([head, Buffer.from([0x82, 0x30, 0x00, 0x30])]);
    const many = Array.from({ length: 12 }, () => EMUCS);
    expect(headersOf(Buffer.concat([long, ...many]))).toHaveLength(12);
  });

  it('gives what is left when the stream ends in a frame', () => {
    const begun = encrypted().subarray(0, 100);
    expect(readTelegrams(Buffer.concat([begun, EMUCS.subarray(0, 40)]), { keys }).faults[0]).toBe('cut');
    const { telegrams } = readTelegrams(Buffer.concat([begun.subarray(0, 20), plainBytes(example.HEAT)]), {
      keys,
    });
    expect(telegrams).toHaveLength(1);
  });

  it('says the same in blocks of any size, and holds no more than a frame and a telegram', () => {
    const piece = fc.oneof(
      fc.constantFrom(EMUCS, LUX),
      fc.constant(0).map(() => encrypted()),
      fc.constant(0).map(() => encrypted(LUX, { keys: otherKeys })),
      fc.integer({ min: 1, max: 600 }).map((length) => encrypted().subarray(0, length)),
      fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
      fc
        .array(fc.constantFrom(0xdb, 8, 0x30, 0x82, 1, 0x2f, 0x41, 0x0a), { maxLength: 60 })
        .map((bytes) => Buffer.from(bytes)),
    );
    const sizes = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), sizes, (pieces, blockSizes) => {
        const stream = Buffer.concat(pieces);
        const whole = listen(stream, [stream.length]);
        expect(listen(stream, blockSizes)).toEqual(whole);
        expect(listen(stream, [1])).toEqual(whole);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});

function listen(stream: Buffer, sizes: readonly number[]): { events: string[]; noiseBytes: number } {
  const events: string[] = [];
  const reader = new P1Reader(
    {
      telegram: ({ header, encryption }) => events.push(`${header} ${encryption}`),
      fault: (fault) => events.push(fault),
    },
    { keys },
  );
  for (let at = 0, turn = 0; at < stream.length; turn += 1) {
    const size = sizes[turn % sizes.length]!;
    reader.feed(stream.subarray(at, at + size));
    expect(reader.heldBytes).toBeLessThanOrEqual(2 * GLO_FRAME_BYTES_MAX);
    at += size;
  }
  reader.flush();
  return { events, noiseBytes: reader.noiseBytes };
}

describe('a key', () => {
  it.each(['', '00', `${'0'.repeat(31)}g`, '0'.repeat(33)])('is refused when it is none: %j', (text) => {
    expect(() => parseP1Key(text, 'encryption')).toThrow(expect.objectContaining({ code: 'ERR_P1_KEY' }));
  });

  it('is read in groups and in any case', () => {
    expect(parseP1Key('00112233 44556677\n8899aabb ccDDEEff', 'authentication')).toEqual(
      Buffer.from(AUTHENTICATION_KEY_LUXEMBOURG),
    );
  });
});

const PUBLISHED = new URL('../../../../shared/telegrams/dsmrparser-encrypted-sagemcom.bin', import.meta.url);

describe.skipIf(!existsSync(PUBLISHED))('the published encrypted telegram (../shared/telegrams)', () => {
  const bytes = existsSync(PUBLISHED) ? readFileSync(PUBLISHED) : Buffer.alloc(0);
  const published = { encryption: Buffer.alloc(16, 0xaa), authentication: Buffer.alloc(16, 0xbb) };

  it('opens with its keys, exactly', () => {
    const { telegrams, faults } = readTelegrams(bytes, { keys: published });
    expect(faults).toEqual([]);
    expect(telegrams).toMatchObject([{ crc: 'valid', encryption: 'verified', version: '50' }]);
    const registers = telegrams[0]!.registers.map(
      (one) => `${one.obis} ${printedValue(one)} ${one.printedUnit}`,
    );
    expect(registers).toContain('1-0:1.8.0 6545766 Wh');
    expect(registers).toContain('1-0:2.8.0 58 Wh');
  });

  it('does not open with another authentication key', () => {
    const wrong = { ...published, authentication: AUTHENTICATION_KEY_LUXEMBOURG };
    expect(readTelegrams(bytes, { keys: wrong })).toEqual({ telegrams: [], faults: ['tag-invalid'] });
  });
});
