import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { makeReceipt, type Receipt, readReceipt } from './receipt.ts';
import { SAMPLE_DEVICE, SAMPLE_TENANT } from './testing/samples.ts';
import { decodeUplinkAnswer, encodeUplinkAnswer } from './uplink.ts';

describe('the receipt', () => {
  it('comes back as it went', () => {
    const key = randomBytes(32);
    const receipt: Receipt = {
      tenant: SAMPLE_TENANT,
      device: SAMPLE_DEVICE,
      sequence: 42,
      time: 1_774_738_900,
      verdict: 'later',
      seconds: 300,
    };
    const bytes = makeReceipt(key, receipt);
    expect(readReceipt(key, bytes, receipt)).toEqual(receipt);
    expect(decodeUplinkAnswer(encodeUplinkAnswer({ kind: 'receipt', receipt: bytes }))).toEqual({
      kind: 'receipt',
      receipt: bytes,
    });
  });
});
