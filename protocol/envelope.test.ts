import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CborItem, type CborValue, decodeCbor, encodeCbor } from './cbor/codec.ts';
import { type Binding, openUplink, readSigner, sealUplink, verifyUplink } from './envelope.ts';
import { isHesError } from './errors.ts';
import type { DeviceId, TenantId } from './identity.ts';
import {
  CERTIFICATE_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
  SEALED_BOUNDS,
  SEALED_BYTES_MAX,
  SIGNED_BOUNDS,
} from './limits.ts';
import { encodeDailyIndex } from './payload.ts';
import { CONSORTIUM } from './tenants.ts';
import {
  SAMPLE_DEVICE,
  SAMPLE_INDEX,
  SAMPLE_TENANT,
  sampleOperator,
  sampleSigner,
} from './testing/samples.ts';
import { UP_KINDS } from './topics.ts';

const SEED = 20_260_330;
const binding: Binding = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE, kind: 'index' };
const { recipient, key } = sampleOperator();
const { signer, publicKey } = sampleSigner();
const payload = encodeDailyIndex(SAMPLE_INDEX);
const { sealed, receiptKey } = sealUplink({ payload, binding, recipient, signer });
const opened = openUplink({ sealed, binding, keys: [key] });

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}
const opening = (bytes: Uint8Array, where: Binding = binding, keys = [key]): string =>
  codeOf(() => openUplink({ sealed: bytes, binding: where, keys }));
const verifying = (bytes: Uint8Array, where: Binding = binding, signedBy = publicKey): string =>
  codeOf(() => verifyUplink({ signed: bytes, binding: where, publicKey: signedBy }));

/** Every way to move a message: to each other tenant, another device, each other kind. */
const MOVED: readonly (readonly [string, Binding])[] = [
  ...CONSORTIUM.filter(({ id }) => id !== SAMPLE_TENANT).map(
    ({ id }) => [`tenant ${id}`, { ...binding, tenant: id }] as const,
  ),
  ['another device', { ...binding, device: '0123456789abcdee' as DeviceId }],
  ...UP_KINDS.filter((kind) => kind !== 'index').map(
    (kind) => [`kind ${kind}`, { ...binding, kind }] as const,
  ),
];

/** The block of memory that Node cuts small buffers from: whatever lives longest in it keeps all of it. */
const sharedBlock = (): Buffer => Buffer.from(Buffer.allocUnsafe(1).buffer);

function timesIn(bytes: Buffer, searched: Uint8Array): number {
  let times = 0;
  for (let at = bytes.indexOf(searched); at >= 0; at = bytes.indexOf(searched, at + 1)) times += 1;
  return times;
}

describe('a verified uplink', () => {
  it('leaves no payload behind in memory that is shared with what lives longer', () => {
    const { signed } = openUplink({ sealed, binding, keys: [key] });
    // A new block may begin meanwhile: then nothing was shown.
    for (let tries = 0; tries < 3; tries += 1) {
      const before = sharedBlock();
      const times = timesIn(before, payload);
      verifyUplink({ signed, binding, publicKey });
      const after = sharedBlock();
      if (after.buffer !== before.buffer) continue;
      expect(timesIn(after, payload)).toBe(times);
      return;
    }
    throw new Error('three blocks in a row ended in the middle');
  });
});

describe('a sealed uplink', () => {
  it.each(MOVED)('does not open when it is moved to %s', (_, where) => {
    expect(opening(sealed, where)).toBe('ERR_ENVELOPE_OPEN');
  });

  it.each(MOVED)('has a signature that does not hold when an operator re-seals it for %s', (_, where) => {
    expect(verifying(opened.signed, where)).toBe('ERR_ENVELOPE_SIGNATURE');
  });

  it('does not open with a bit flipped, anywhere, and says which layer refused', () => {
    const codes = new Set<string>();
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      // Every bit around the ciphertext, and each ninth of the ciphertext, which its tag covers as a whole.
      if (bit > 60 * 8 && bit < (sealed.length - 130) * 8 && bit % 9 !== 0) continue;
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const code = opening(flipped);
      expect(code, `bit ${bit}`).toMatch(/^ERR_ENVELOPE_(SHAPE|SUITE|KID|AGREEMENT|OPEN)$/);
      codes.add(code);
    }
    expect([...codes].sort()).toEqual([
      'ERR_ENVELOPE_AGREEMENT',
      'ERR_ENVELOPE_KID',
      'ERR_ENVELOPE_OPEN',
      'ERR_ENVELOPE_SHAPE',
      'ERR_ENVELOPE_SUITE',
    ]);
  });

  it('has no signature that holds with a bit flipped, anywhere', () => {
    const { signed } = opened;
    for (let bit = 0; bit < signed.length * 8; bit += bit < 64 || bit > (signed.length - 70) * 8 ? 1 : 37) {
      const flipped = Buffer.from(signed);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(verifying(flipped), `bit ${bit}`).toMatch(/^ERR_ENVELOPE_(SIGNED|SIGNATURE)$/);
    }
  });

  it('does not open cut short, wherever, nor with bytes behind it', () => {
    for (let length = 0; length < sealed.length; length += length < 80 ? 1 : 7)
      expect(opening(sealed.subarray(0, length))).toBe('ERR_ENVELOPE_SHAPE');
    expect(opening(Buffer.concat([sealed, Uint8Array.of(0)]))).toBe('ERR_ENVELOPE_SHAPE');
    expect(verifying(opened.signed.subarray(0, -1))).toBe('ERR_ENVELOPE_SIGNED');
    expect(verifying(Buffer.concat([opened.signed, Uint8Array.of(0)]))).toBe('ERR_ENVELOPE_SIGNED');
  });

  it('does not open with a key of the same name that is another key', () => {
    expect(opening(sealed, binding, [sampleOperator().key])).toBe('ERR_ENVELOPE_OPEN');
  });

  it('does not open where its key is not held, or none is', () => {
    expect(opening(sealed, binding, [sampleOperator('8877665544332211').key])).toBe('ERR_ENVELOPE_KID');
    expect(opening(sealed, binding, [])).toBe('ERR_ENVELOPE_KID');
  });

  it('does not open with a key that is not of its suite', () => {
    const { privateKey } = generateKeyPairSync('x25519');
    expect(opening(sealed, binding, [{ kid: key.kid, privateKey }])).toBe('ERR_ENVELOPE_AGREEMENT');
  });

  it('has no signature that holds under the key of another device', () => {
    expect(verifying(opened.signed, binding, sampleSigner().publicKey)).toBe('ERR_ENVELOPE_SIGNATURE');
  });

  it('does not open with the mirrored ephemeral key, which gives the same shared secret', () => {
    const mirrored = Buffer.from(sealed);
    const y = mirrored.subarray(-33, -1);
    const prime = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
    const flipped = prime - BigInt(`0x${y.toString('hex')}`);
    y.set(Buffer.from(flipped.toString(16).padStart(64, '0'), 'hex'));
    expect(opening(mirrored)).toBe('ERR_ENVELOPE_OPEN');
  });

  it('is refused when it is larger than a device may publish, unread', () => {
    expect(opening(new Uint8Array(SEALED_BYTES_MAX + 1))).toBe('ERR_ENVELOPE_SIZE');
  });

  it('is met with an error of ours, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(opening(bytes)).toMatch(/^ERR_ENVELOPE_/);
        expect(codeOf(() => readSigner(bytes))).toBe('ERR_ENVELOPE_SIGNED');
        expect(verifying(bytes)).toBe('ERR_ENVELOPE_SIGNED');
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it('opens, and gives both sides the same receipt key and the payload as it was', () => {
    expect(Buffer.from(opened.receiptKey)).toEqual(Buffer.from(receiptKey));
    expect(Buffer.from(readSigner(opened.signed))).toEqual(Buffer.from(signer.certificate));
    const clear = verifyUplink({ signed: opened.signed, binding, publicKey });
    expect(Buffer.from(clear)).toEqual(Buffer.from(payload));
  });

  it('opens with the older of two keys while one is rolled over', () => {
    expect(opening(sealed, binding, [sampleOperator('ffffffffffffffff').key, key])).toBe('none');
  });

  it('is another one each time', () => {
    const again = sealUplink({ payload, binding, recipient, signer });
    expect(again.sealed).not.toEqual(sealed);
    expect(again.receiptKey).not.toEqual(receiptKey);
  });

  it('shows who signed only to the operator', () => {
    expect(Buffer.from(sealed).includes(Buffer.from(signer.certificate).subarray(0, 32))).toBe(false);
    expect(Buffer.from(sealed).includes(Buffer.from(SAMPLE_DEVICE, 'hex'))).toBe(false);
  });
});

/** The outer layer as generic CBOR, one part changed. */
function rebuilt(change: (message: CborValue[], recipient: CborValue[]) => void): Uint8Array {
  const message = decodeCbor(sealed.subarray(2), SEALED_BOUNDS) as CborValue[];
  change(message, (message[3] as CborValue[][])[0]!);
  return Buffer.concat([sealed.subarray(0, 2), encodeCbor(message, SEALED_BOUNDS)]);
}

const headers = (item: CborValue | undefined): Map<number, CborValue> => item as Map<number, CborValue>;
const FOREIGN: readonly (readonly [string, Uint8Array, string])[] = [
  ['another tag', Buffer.concat([Uint8Array.of(0xd8, 97), sealed.subarray(2)]), 'ERR_ENVELOPE_SHAPE'],
  ['no tag', sealed.subarray(2), 'ERR_ENVELOPE_SHAPE'],
  [
    'an algorithm for the content that is none of ours',
    rebuilt((message) => {
      message[0] = Buffer.from('a10103', 'hex');
    }),
    'ERR_ENVELOPE_SUITE',
  ],
  [
    'an algorithm for the key that is none of ours',
    rebuilt((_, recipient) => {
      recipient[0] = Buffer.from('a101381a', 'hex');
    }),
    'ERR_ENVELOPE_SUITE',
  ],
  [
    'no protected header',
    rebuilt((message) => {
      message[0] = new Uint8Array(0);
    }),
    'ERR_ENVELOPE_SUITE',
  ],
  [
    'a header beside ours',
    rebuilt((message) => {
      headers(message[1]).set(6, 0);
    }),
    'ERR_ENVELOPE_SHAPE',
  ],
  [
    'a short IV',
    rebuilt((message) => {
      headers(message[1]).set(5, new Uint8Array(11));
    }),
    'ERR_ENVELOPE_SHAPE',
  ],
  [
    'an empty IV',
    rebuilt((message) => {
      headers(message[1]).set(5, new Uint8Array(0));
    }),
    'ERR_ENVELOPE_SHAPE',
  ],
  [
    'a ciphertext shorter than its tag',
    rebuilt((message) => {
      message[2] = new Uint8Array(15);
    }),
    'ERR_ENVELOPE_OPEN',
  ],
  [
    'no recipient',
    rebuilt((message) => {
      message[3] = [];
    }),
    'ERR_ENVELOPE_SHAPE',
  ],
  [
    'two recipients',
    rebuilt((message, recipient) => {
      message[3] = [recipient, recipient];
    }),
    'ERR_ENVELOPE_SHAPE',
  ],
  [
    'a wrapped key',
    rebuilt((_, recipient) => {
      recipient[2] = new Uint8Array(24);
    }),
    'ERR_ENVELOPE_SHAPE',
  ],
  [
    'a short kid',
    rebuilt((_, recipient) => {
      headers(recipient[1]).set(4, new Uint8Array(7));
    }),
    'ERR_ENVELOPE_SHAPE',
  ],
  [
    'an ephemeral key that is not on the curve',
    rebuilt((_, recipient) => {
      headers(headers(recipient[1]).get(-1)).set(-3, new Uint8Array(32));
    }),
    'ERR_ENVELOPE_AGREEMENT',
  ],
  [
    'a compressed ephemeral key',
    rebuilt((_, recipient) => {
      headers(headers(recipient[1]).get(-1)).set(-3, true);
    }),
    'ERR_ENVELOPE_SHAPE',
  ],
];

describe('what is COSE and not this protocol', () => {
  it.each(FOREIGN)('is refused: %s', (_, bytes, code) => {
    expect(opening(bytes)).toBe(code);
  });

  it('is rebuilt to the same bytes where nothing is changed', () => {
    expect(Buffer.from(rebuilt(() => undefined))).toEqual(Buffer.from(sealed));
  });

  it('is refused inside too: an unprotected header, another algorithm, a chain of certificates', () => {
    const inner = (change: (message: CborValue[]) => void): Uint8Array => {
      const message = decodeCbor(opened.signed.subarray(1), SIGNED_BOUNDS) as CborValue[];
      change(message);
      return Buffer.concat([opened.signed.subarray(0, 1), encodeCbor(message, SIGNED_BOUNDS)]);
    };
    const header = (entries: readonly (readonly [number, CborValue])[]): Uint8Array =>
      inner((message) => {
        message[0] = encodeCbor(new Map(entries), SIGNED_BOUNDS);
      });
    const certificate = Buffer.from(signer.certificate);
    const wrong: readonly Uint8Array[] = [
      inner((message) => {
        message[1] = new Map([[4, new Uint8Array(2)]]);
      }),
      header([
        [1, -8],
        [33, certificate],
      ]),
      header([
        [1, -7],
        [33, [certificate, certificate]],
      ]),
      header([[1, -7]]),
    ];
    for (const bytes of wrong) expect(codeOf(() => readSigner(bytes))).toBe('ERR_ENVELOPE_SIGNED');
  });
});

/** Made once: a message of a throw-away operator's key, which opens nothing else. */
const RECORDED = {
  kid: 'a1a2a3a4a5a6a7a8',
  key:
    'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg2k5j/9U0/0vbBhYTO9odRSwEARp65HOKkLIm/gFIvE' +
    'ahRANCAARIyp2O8AzbIdux/CX33WJ+jhsK2W/IIPvgieYBD6CMLY3F16sp1xEjJj/8nbAl7KFWjmfrYXhogelghfcd' +
    'fC+O',
  sealed:
    '2GCEQ6EBAaEFTDNF2jaIWJTF/CQSC1h2T5xl6EcOSiDukzwnMcEjKlqepHn7dPun3YlaDOBSgA3JTds4qxcX9eGuvT' +
    'DkmiMWnDSAatEI2N1XziQXNDXmUHYJ5t0BQjqC2CSIoLQNvT096sZl9a6UQiG6xBrET06hxBZCp2BwfO0MsgPRVGjg' +
    'd9I39dgFuYGDRKEBOBiiBEihoqOkpaanqCCkAQIgASFYIHb4plAH8K6f8BSTUnTik+PYeuvl6PU9T/JA/DBu0e6mIl' +
    'ggrFPcp0I59chz9fXtLCV7YAAlsnSRJ6fippVux20IgllA',
  receiptKey: 'e73640d4a6af23a30a43eec9dd176f6d55d328b05dd91f3e4e5c2772ab29a1f7',
} as const;

describe('sealing', () => {
  const seal = (change: Partial<Parameters<typeof sealUplink>[0]>): string =>
    codeOf(() => sealUplink({ payload, binding, recipient, signer, ...change }));

  it('refuses a payload or a certificate that its operator would never take', () => {
    expect(seal({ payload: new Uint8Array(PAYLOAD_BYTES_MAX + 1) })).toBe('ERR_ENVELOPE_SIZE');
    const certificate = new Uint8Array(CERTIFICATE_BYTES_MAX + 1);
    expect(seal({ signer: { ...signer, certificate } })).toBe('ERR_ENVELOPE_SIZE');
    expect(seal({ signer: { ...signer, certificate: new Uint8Array(0) } })).toBe('ERR_ENVELOPE_SIZE');
  });

  it('refuses a recipient that is no key, no point of the curve, or of a suite that nobody knows', () => {
    expect(seal({ recipient: { ...recipient, publicKey: new Uint8Array(65) } })).toBe(
      'ERR_ENVELOPE_RECIPIENT',
    );
    const off = Buffer.from(recipient.publicKey);
    off[64]! ^= 1;
    expect(seal({ recipient: { ...recipient, publicKey: off } })).toBe('ERR_ENVELOPE_RECIPIENT');
    expect(seal({ recipient: { ...recipient, kid: new Uint8Array(7) } })).toBe('ERR_ENVELOPE_RECIPIENT');
    expect(seal({ recipient: { ...recipient, suite: 'rot13' } })).toBe('ERR_ENVELOPE_RECIPIENT');
  });

  it('stays within what may be published for the largest payload and certificate', () => {
    const certificate = new Uint8Array(CERTIFICATE_BYTES_MAX);
    const largest = sealUplink({
      payload: new Uint8Array(PAYLOAD_BYTES_MAX),
      binding,
      recipient,
      signer: { ...signer, certificate },
    });
    expect(largest.sealed.length).toBeLessThanOrEqual(SEALED_BYTES_MAX);
    expect(opening(largest.sealed)).toBe('none');
  });

  it('opens what was sealed before: the bytes on the wire are a promise', () => {
    // Made once with this code. A change that no longer opens it breaks every outbox in the field.
    const old = RECORDED;
    const privateKey = createPrivateKey({
      key: Buffer.from(old.key, 'base64'),
      format: 'der',
      type: 'pkcs8',
    });
    const kid = Buffer.from(old.kid, 'hex');
    const where: Binding = {
      tenant: 'sibelga' as TenantId,
      device: 'fedcba9876543210' as DeviceId,
      kind: 'index',
    };
    const found = openUplink({
      sealed: Buffer.from(old.sealed, 'base64'),
      binding: where,
      keys: [{ kid, privateKey }],
    });
    expect(Buffer.from(found.receiptKey).toString('hex')).toBe(old.receiptKey);
    const item: CborItem = decodeCbor(found.signed.subarray(1), SIGNED_BOUNDS);
    expect(Buffer.from((item as Uint8Array[])[2]!).toString()).toBe('recorded');
  });
});
