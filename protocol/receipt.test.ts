import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCbor } from './cbor/codec.ts';
import { HMAC_256_256 } from './cose/algorithms.ts';
import { macStructure } from './cose/structures.ts';
import { isHesError } from './errors.ts';
import type { DeviceId, TenantId } from './identity.ts';
import { LATER_SECONDS_MAX, RECEIPT_BOUNDS, RECEIPT_BYTES_MAX } from './limits.ts';
import { makeReceipt, REFUSALS, type Receipt, readReceipt, type Verdict } from './receipt.ts';
import { SAMPLE_DEVICE, SAMPLE_TENANT } from './testing/samples.ts';
import { decodeUplinkAnswer, encodeUplinkAnswer, UPLINK_REFUSALS, type UplinkRefusal } from './uplink.ts';

const SEED = 20_260_331;
const key = randomBytes(32);
const about = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE, sequence: 42 };
const receiptOf = (verdict: Verdict): Receipt => ({ ...about, time: 1_774_738_900, ...verdict });
const delivered = receiptOf({ verdict: 'delivered' });
const bytes = makeReceipt(key, delivered);

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}
const reading = (receipt: Uint8Array, expected = about, withKey: Uint8Array = key): string =>
  codeOf(() => readReceipt(withKey, receipt, expected));

/** A receipt whose tag holds and whose content is of our choosing: what only a faulty router could make. */
function forged(content: Uint8Array): Uint8Array {
  const header = Buffer.from('a10105', 'hex');
  const topic = Buffer.from(`t/${SAMPLE_TENANT}/${SAMPLE_DEVICE}/down/receipt`);
  const tag = HMAC_256_256.compute(key, macStructure('MAC0', header, topic, content));
  return Buffer.concat([Uint8Array.of(0xd1), encodeCbor([header, new Map(), content, tag], RECEIPT_BOUNDS)]);
}
const content = (...entries: (readonly [number, number])[]): Uint8Array =>
  encodeCbor(
    new Map<number, number | string | Uint8Array>([
      [1, 1],
      [2, SAMPLE_TENANT],
      [3, Buffer.from(SAMPLE_DEVICE, 'hex')],
      [4, 42],
      ...entries,
    ]),
    RECEIPT_BOUNDS,
  );

describe('a receipt', () => {
  it('is not taken with the key of another reading', () => {
    expect(reading(bytes, about, randomBytes(32))).toBe('ERR_RECEIPT_MAC');
  });

  it('is not taken for another tenant or device, whose topic its tag covers', () => {
    expect(reading(bytes, { ...about, tenant: 'resa' as TenantId })).toBe('ERR_RECEIPT_MAC');
    expect(reading(bytes, { ...about, device: '0123456789abcdee' as DeviceId })).toBe('ERR_RECEIPT_MAC');
  });

  it('is not taken for another sequence, even under the same key', () => {
    expect(reading(bytes, { ...about, sequence: 43 })).toBe('ERR_RECEIPT_OTHER');
  });

  it('is not taken with a bit flipped, anywhere', () => {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(reading(flipped), `bit ${bit}`).toMatch(/^ERR_RECEIPT_(SHAPE|MAC)$/);
    }
  });

  it('is not taken cut short, nor with bytes behind it, nor when it is larger than one can be', () => {
    for (let length = 0; length < bytes.length; length += 1)
      expect(reading(bytes.subarray(0, length))).toBe('ERR_RECEIPT_SHAPE');
    expect(reading(Buffer.concat([bytes, bytes]))).toBe('ERR_RECEIPT_SHAPE');
    expect(reading(new Uint8Array(RECEIPT_BYTES_MAX + 1))).toBe('ERR_RECEIPT_SHAPE');
  });

  it.each([
    ['refused without a reason', content([5, 2], [6, 0])],
    ['refused with seconds', content([5, 2], [6, 0], [8, 60])],
    ['later without seconds', content([5, 3], [6, 0])],
    ['later by more than a week', content([5, 3], [6, 0], [8, LATER_SECONDS_MAX + 1])],
    ['delivered with a reason', content([5, 0], [6, 0], [7, 1])],
    ['a verdict that nobody knows', content([5, 4], [6, 0])],
    ['a reason that nobody knows', content([5, 2], [6, 0], [7, 99])],
    ['a member that nobody knows', content([5, 0], [6, 0], [9, 0])],
    ['no time', content([5, 0])],
    ['not CBOR', Uint8Array.of(0xff)],
  ])('is not taken when its tag holds and it says: %s', (_, said) => {
    expect(reading(forged(said))).toBe('ERR_RECEIPT_CONTENT');
  });

  it('is not made with what it could not say', () => {
    expect(codeOf(() => makeReceipt(key, { ...delivered, sequence: 0 }))).toBe('ERR_RECEIPT_CONTENT');
    expect(codeOf(() => makeReceipt(key, receiptOf({ verdict: 'later', seconds: 0 })))).toBe(
      'ERR_RECEIPT_CONTENT',
    );
  });

  const verdicts: readonly Verdict[] = [
    { verdict: 'delivered' },
    { verdict: 'duplicate' },
    { verdict: 'later', seconds: 1 },
    { verdict: 'later', seconds: LATER_SECONDS_MAX },
    ...REFUSALS.map((code) => ({ verdict: 'refused', code }) as const),
  ];
  it.each(verdicts)('says $verdict $code $seconds, and is read as that', (verdict) => {
    const receipt = { ...receiptOf(verdict), sequence: Number.MAX_SAFE_INTEGER };
    const made = makeReceipt(key, receipt);
    expect(readReceipt(key, made, receipt)).toEqual(receipt);
    expect(made.length).toBeLessThanOrEqual(RECEIPT_BYTES_MAX);
  });

  it('fits its bound for the longest tenant name', () => {
    const tenant = `t${'x'.repeat(31)}` as TenantId;
    const receipt = { ...receiptOf({ verdict: 'refused', code: 'too-old' }), tenant, sequence: 2 ** 53 - 1 };
    expect(readReceipt(key, makeReceipt(key, receipt), receipt)).toEqual(receipt);
  });
});

describe('an answer to an uplink', () => {
  it.each([
    ['nothing', ''],
    ['an array of three', '83000102'],
    ['another kind', '820200'],
    ['a reason that nobody knows', '820118ff'],
    ['an empty receipt', '820040'],
    ['bytes behind it', '82010100'],
  ])('is refused: %s', (_, hex) => {
    expect(codeOf(() => decodeUplinkAnswer(Buffer.from(hex, 'hex')))).toBe('ERR_ANSWER');
  });

  it('is refused with a receipt larger than one can be', () => {
    const receipt = new Uint8Array(RECEIPT_BYTES_MAX + 1);
    expect(codeOf(() => encodeUplinkAnswer({ kind: 'receipt', receipt }))).toBe('ERR_ANSWER');
  });

  it('is met with a value or an error of ours, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (any) => {
        expect(codeOf(() => decodeUplinkAnswer(any))).toMatch(/^none$|^ERR_ANSWER$/);
        expect(reading(any)).toBe('ERR_RECEIPT_SHAPE');
      }),
      { seed: SEED, numRuns: 2_000 },
    );
  });

  it('comes back as it went', () => {
    expect(decodeUplinkAnswer(encodeUplinkAnswer({ kind: 'receipt', receipt: bytes }))).toEqual({
      kind: 'receipt',
      receipt: bytes,
    });
    for (const reason of Object.keys(UPLINK_REFUSALS) as UplinkRefusal[])
      expect(decodeUplinkAnswer(encodeUplinkAnswer({ kind: 'refused', reason }))).toEqual({
        kind: 'refused',
        reason,
      });
  });
});
