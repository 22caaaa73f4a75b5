import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { openEncrypt, openMac, openSign, openSign1 } from '../testing/cose-open.ts';
import { hkdfExpand, hkdfExtract, hmacSha256 } from './hkdf.ts';
import { kdfContext, signStructure } from './structures.ts';

/** The examples of RFC 9052 appendix C that use what this protocol is made of, and those of the RFCs below it. */

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');
const CONTENT = Buffer.from('This is the content.');
const NO_AAD = new Uint8Array(0);

/** RFC 9052 §C.7.2. */
const jwk = (x: string, y: string, d: string): KeyObject =>
  createPrivateKey({ key: { kty: 'EC', crv: 'P-256', x, y, d }, format: 'jwk' });
const ELEVEN = jwk(
  'usWxHK2PmfnHKwXPS54m0kTcGJ90UiglWiGahtagnv8',
  'IBOL-C3BttVivg-lSreASjpkttcsz-1rb7btKLv8EX4',
  'V8kgd2ZBRuh2dgyVINBUqpPDr7BOMGcF22CQMIUHtNM',
);
const MERIADOC = jwk(
  'Ze2loSV3wrroKUN_4zhwGhCqo3Xhu1td4QjeQ5wIVR0',
  'HlLtdXARY_f55A3fnzQbPcm6hgr34Mp8p-nuzQCE0Zw',
  'r_kHyZ-a06rmxM3yESK84r1otSg-aQcVStkRhA-iCM8',
);
const PEREGRIN_POINT = hex(`04
  98f50a4ff6c05861c8860d13a638ea56c3f5ad7590bbfbf054e1c7b4d91d6280
  f01400b089867804b8e9fc96c3932161f1934f4223069170d924b7e03bf822bb`);
const OUR_SECRET = Buffer.from('hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg', 'base64url');
const MERIADOC_KID = Buffer.from('meriadoc.brandybuck@buckland.example').toString('hex');
const PEREGRIN_KID = Buffer.from('peregrin.took@tuckborough.example').toString('hex');

const SIGN1 = hex(`d2 84 43a10126 a1044231 31 54${CONTENT.toString('hex')} 5840
  8eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e
  2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36`);

const BILBO = createPublicKey({
  key: {
    kty: 'EC',
    crv: 'P-521',
    x: 'AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt',
    y: 'AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1',
  },
  format: 'jwk',
});
const ELEVENS_SIGNATURE = `83 43a10126 a1044231 31 5840
  e2aeafd40d69d19dfe6e52077c5d7ff4e408282cbefb5d06cbf414af2e19d982
  ac45ac98b8544c908b4507de1e90b717c3d34816fe926a2b98f53afd2fa0f30a`;
const BILBOS_SIGNATURE = `83 44a1013823
  a104581e${Buffer.from('bilbo.baggins@hobbiton.example').toString('hex')} 5884
  00a2d28a7c2bdb1587877420f65adf7d0b9a06635dd1de64bb62974c863f0b160dd2163734034e6ac003b01e8705524c
  5c4ca479a952f0247ee8cb0b4fb7397ba08d009e0c8bf482270cc5771aa143966e5a469a09f613488030c5b07ec6d722
  e3835adb5b2d8c44e95ffb13877dd2582866883535de3bb03d01753f83ab87bb4f7a0297`;
const SIGN_ONE = hex(`d862 84 40 a0 54${CONTENT.toString('hex')} 81 ${ELEVENS_SIGNATURE}`);
const SIGN_TWO = hex(
  `d862 84 40 a0 54${CONTENT.toString('hex')} 82 ${ELEVENS_SIGNATURE} ${BILBOS_SIGNATURE}`,
);

const ENCRYPT_ECDH = hex(`d860 84 43a10101 a1054cc9cf4df2fe6c632bf7886413 5824
  7adbe2709ca818fb415f1e5df66f4e1a51053ba6d65a1a0c52a357da7a644b8070a151b0
  81 83 44a1013818 a2 20 a4 0102 2001 215820
  98f50a4ff6c05861c8860d13a638ea56c3f5ad7590bbfbf054e1c7b4d91d6280 22f5 04 5824${MERIADOC_KID} 40`);

const ENCRYPT_DIRECT_KDF = hex(`d860 84 43a1010a a1054d89f52f65a1c580933b5261a76c 581c
  753548a19b1307084ca7b2056924ed95f2e3b17006dfe931b687b847
  81 83 43a10129 a2 3350 61616262636364646565666667676868 04 4a 6f75722d736563726574 40`);

const MAC_ECDH_SS = hex(`d861 85 43a10105 a0 54${CONTENT.toString('hex')} 5820
  81a03448acd3d305376eaa11fb3fe416a955be2cbe7ec96f012c994bc3f16a41
  81 83 44a101381a a3 04 5824${MERIADOC_KID} 22 5821${PEREGRIN_KID} 35 5840
  4d8553e7e74f3c6a3a9dd3ef286a8195cbf8a23d19558ccfec7d34b824f42d92
  bd06bd2c7f0271f0214e141fb779ae2856abf585a58368b017e7f2a9e5ce4db5 40`);

const DIRECT_KDF_KEYS = {
  shared: OUR_SECRET,
  partyU: { identity: Buffer.from('lighting-client') },
  partyV: { identity: Buffer.from('lighting-server') },
  purpose: Buffer.from('Encryption Example 02'),
};

describe('RFC 9052 appendix C', () => {
  it('C.1.1: refuses the COSE_Sign with another payload, external data or key', () => {
    const altered = Buffer.from(SIGN_ONE);
    altered[10]! ^= 1;
    expect(() => openSign(altered, [createPublicKey(ELEVEN)], NO_AAD)).toThrow('does not hold');
    expect(() => openSign(SIGN_ONE, [createPublicKey(ELEVEN)], Uint8Array.of(1))).toThrow('does not hold');
    expect(() => openSign(SIGN_ONE, [createPublicKey(MERIADOC)], NO_AAD)).toThrow('does not hold');
  });

  it('C.1.1: verifies the COSE_Sign of one signer', () => {
    expect(openSign(SIGN_ONE, [createPublicKey(ELEVEN)], NO_AAD)).toEqual(CONTENT);
  });

  it('C.1.2: verifies the COSE_Sign of two signers, each under its own key and no other', () => {
    expect(openSign(SIGN_TWO, [createPublicKey(ELEVEN), BILBO], NO_AAD)).toEqual(CONTENT);
    expect(() => openSign(SIGN_TWO, [BILBO, createPublicKey(ELEVEN)], NO_AAD)).toThrow('does not hold');
    expect(() => openSign(SIGN_TWO, [createPublicKey(ELEVEN)], NO_AAD)).toThrow('does not hold');
  });

  it('C.2.1: refuses the COSE_Sign1 with another payload, external data or key', () => {
    const altered = Buffer.from(SIGN1);
    altered[20]! ^= 1;
    expect(() => openSign1(altered, createPublicKey(ELEVEN), NO_AAD)).toThrow();
    expect(() => openSign1(SIGN1, createPublicKey(ELEVEN), Uint8Array.of(1))).toThrow();
    expect(() => openSign1(SIGN1, createPublicKey(MERIADOC), NO_AAD)).toThrow();
  });

  it('C.2.1: verifies the single signer example', () => {
    expect(openSign1(SIGN1, createPublicKey(ELEVEN), NO_AAD)).toEqual(CONTENT);
  });

  it('C.3.1: opens the direct ECDH example', () => {
    expect(openEncrypt(ENCRYPT_ECDH, { privateKey: MERIADOC }, NO_AAD)).toEqual(CONTENT);
  });

  it('C.3.1: does not open it for another key', () => {
    expect(() => openEncrypt(ENCRYPT_ECDH, { privateKey: ELEVEN }, NO_AAD)).toThrow();
  });

  it('C.3.2: opens the direct plus key derivation example, which names both parties and a purpose', () => {
    expect(openEncrypt(ENCRYPT_DIRECT_KDF, DIRECT_KDF_KEYS, NO_AAD)).toEqual(CONTENT);
  });

  it('C.3.2: does not open it for other parties or another purpose', () => {
    const moved = [
      { partyU: DIRECT_KDF_KEYS.partyV },
      { partyV: DIRECT_KDF_KEYS.partyU },
      { purpose: Buffer.from('Encryption Example 03') },
    ];
    for (const change of moved)
      expect(() => openEncrypt(ENCRYPT_DIRECT_KDF, { ...DIRECT_KDF_KEYS, ...change }, NO_AAD)).toThrow();
  });

  it('C.5.2: verifies the ECDH direct MAC example', () => {
    const staticPoints = new Map([['peregrin.took@tuckborough.example', PEREGRIN_POINT]]);
    expect(openMac(MAC_ECDH_SS, { privateKey: MERIADOC, staticPoints }, NO_AAD)).toEqual(CONTENT);
  });
});

describe('RFC 9052 §4.4', () => {
  it('builds what a signer of a COSE_Sign signs, as the working group’s vector of external data has it', () => {
    const aad = hex('11aa22bb33cc44dd55006699');
    expect(Buffer.from(signStructure(NO_AAD, hex('a10126'), aad, CONTENT)).toString('hex')).toBe(
      `85695369676e61747572654043a101264c11aa22bb33cc44dd5500669954${CONTENT.toString('hex')}`,
    );
  });
});

describe('RFC 9053 §5.2', () => {
  it('builds the context of the direct ECDH example', () => {
    const context = kdfContext({
      alg: 1,
      keyBits: 128,
      partyU: {},
      partyV: {},
      recipientHeader: hex('a1013818'),
    });
    expect(context.toString('hex')).toBe('840183f6f6f683f6f6f682188044a1013818');
  });
});

describe('HMAC and HKDF', () => {
  it('RFC 4231: test cases 1, 2 and 3', () => {
    const cases = [
      [
        '0b'.repeat(20),
        '4869205468657265',
        'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
      ],
      [
        '4a656665',
        '7768617420646f2079612077616e7420666f72206e6f7468696e673f',
        '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
      ],
      ['aa'.repeat(20), 'dd'.repeat(50), '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe'],
    ] as const;
    for (const [key, data, tag] of cases) expect(hmacSha256(hex(key), hex(data)).toString('hex')).toBe(tag);
  });

  it('RFC 5869: test cases 1 and 3, of more than one block', () => {
    const one = hkdfExtract(hex('0b'.repeat(22)), hex('000102030405060708090a0b0c'));
    expect(hkdfExpand(one, hex('f0f1f2f3f4f5f6f7f8f9'), 42).toString('hex')).toBe(
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    );
    expect(hkdfExpand(hkdfExtract(hex('0b'.repeat(22))), NO_AAD, 42).toString('hex')).toBe(
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    );
  });

  it('refuses a key of more than a block, and more than HKDF can give', () => {
    expect(() => hmacSha256(new Uint8Array(65), NO_AAD)).toThrow(RangeError);
    expect(() => hkdfExpand(new Uint8Array(32), NO_AAD, 255 * 32 + 1)).toThrow(RangeError);
  });
});
