import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { claimedSequence } from '../claimed-sequence.ts';
import { openUplink, readSigner, sealUplink, verifyUplink } from '../envelope.ts';
import { isHesError } from '../errors.ts';
import type { DeviceId, TenantId } from '../identity.ts';
import { OUTCOME_SIGNED_BYTES_MAX, PAYLOAD_BYTES_MAX } from '../limits.ts';
import { signPayload } from '../signed.ts';
import { SAMPLE_COMMAND_ID, SAMPLE_SECONDS } from '../testing/command-samples.ts';
import {
  SAMPLE_DEVICE,
  SAMPLE_ELECTRICITY,
  SAMPLE_TENANT,
  SAMPLE_WATER,
  sampleOperator,
  sampleSigner,
} from '../testing/samples.ts';
import { RESULT_CODES, type ResultCode } from './codes.ts';
import type { CommandId } from './id.ts';
import { decodeOutcome, encodeOutcome, type Outcome, signOutcome, verifyOutcome } from './outcome.ts';
import { decodeResult, encodeResult } from './result.ts';

const SEED = 20_261_204;
const about = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE, command: SAMPLE_COMMAND_ID };
const executed: Outcome = { ...about, time: SAMPLE_SECONDS, state: 'executed', code: null };
const { signer, publicKey } = sampleSigner();
const signed = signOutcome({ outcome: executed, signer });
const result = {
  version: 1,
  tenant: SAMPLE_TENANT,
  device: SAMPLE_DEVICE,
  sequence: 7,
  outcome: signed,
  meters: [],
} as const;

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}

describe('a forged outcome', () => {
  const checking = (bytes: Uint8Array, where: Parameters<typeof verifyOutcome>[0]['about'] = about): string =>
    codeOf(() => verifyOutcome({ signed: bytes, about: where, publicKey }));
  const topic = `t/${SAMPLE_TENANT}/${SAMPLE_DEVICE}/up/result`;
  const cases: readonly (readonly [string, string, () => string])[] = [
    [
      'of another tenant',
      'ERR_ENVELOPE_SIGNATURE',
      () => checking(signed, { ...about, tenant: 'resa' as TenantId }),
    ],
    [
      'of another device',
      'ERR_ENVELOPE_SIGNATURE',
      () => checking(signed, { ...about, device: 'f'.repeat(16) as DeviceId }),
    ],
    [
      'of another command',
      'ERR_RESULT_OTHER',
      () => checking(signed, { ...about, command: 'f'.repeat(32) as CommandId }),
    ],
    [
      'by another device’s key',
      'ERR_ENVELOPE_SIGNATURE',
      () => checking(signOutcome({ outcome: executed, signer: sampleSigner().signer })),
    ],
    [
      'whose content names another device than its signature',
      'ERR_RESULT_OTHER',
      () =>
        checking(
          signPayload(
            encodeOutcome({ ...executed, device: 'f'.repeat(16) as DeviceId }),
            Buffer.from(`${topic} outcome`),
            signer,
          ),
        ),
    ],
    [
      'that is the signed message around a result',
      'ERR_ENVELOPE_SIGNATURE',
      () => checking(signPayload(encodeOutcome(executed), Buffer.from(topic), signer)),
    ],
    [
      'of refused, made executed',
      'ERR_ENVELOPE_SIGNATURE',
      () => {
        const refused = signOutcome({ outcome: { ...executed, state: 'failed', code: 'busy' }, signer });
        const bytes = Buffer.from(refused);
        const inner = Buffer.from(encodeOutcome({ ...executed, state: 'failed', code: 'busy' }));
        bytes[bytes.indexOf(inner) + inner.indexOf(Buffer.from('0502', 'hex')) + 1] = 1;
        return checking(bytes);
      },
    ],
    ['cut short', 'ERR_ENVELOPE_SIGNED', () => checking(signed.subarray(0, -1))],
  ];
  it.each(cases)('is refused: %s (%s)', (_, code, attempt) => {
    expect(attempt()).toBe(code);
  });

  it('is no uplink: the router does not take it for a message of the device', () => {
    const binding = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE, kind: 'result' } as const;
    expect(codeOf(() => verifyUplink({ signed, binding, publicKey }))).toBe('ERR_ENVELOPE_SIGNATURE');
  });
});

describe('an outcome', () => {
  it('is refused where state and code do not belong together', () => {
    const wrong = [
      { state: 'executed', code: 'busy' },
      { state: 'refused', code: null },
      { state: 'refused', code: 'busy' },
      { state: 'failed', code: 'expired' },
      { state: 'failed', code: 'bored' },
      { state: 'lost', code: null },
    ];
    for (const change of wrong)
      expect(codeOf(() => encodeOutcome({ ...executed, ...change } as Outcome))).toBe('ERR_RESULT_SCHEMA');
    // Written by hand: refused with the code of a failure.
    const bytes = Buffer.from(encodeOutcome({ ...executed, state: 'failed', code: 'busy' }));
    bytes[bytes.indexOf(Buffer.from('0502', 'hex')) + 1] = 1;
    expect(codeOf(() => decodeOutcome(bytes))).toBe('ERR_RESULT_SCHEMA');
  });

  it('is met with an error of ours, whatever the bytes are', () => {
    const bytes = Buffer.from(encodeOutcome(executed));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const edited = Buffer.from(bytes);
        edited[at]! ^= mask;
        const code = codeOf(() => expect(Buffer.from(encodeOutcome(decodeOutcome(edited)))).toEqual(edited));
        expect(code).toMatch(/^none$|^ERR_RESULT_/);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
    expect(codeOf(() => decodeOutcome(Buffer.concat([bytes, bytes])))).toBe('ERR_RESULT_CBOR');
    expect(
      codeOf(() => decodeOutcome(Buffer.concat([Buffer.from('a60102', 'hex'), bytes.subarray(3)]))),
    ).toBe('ERR_RESULT_VERSION');
  });

  it('comes to the desk as the device signed it, for every state and code', () => {
    const outcomes: Outcome[] = [
      executed,
      ...Object.entries(RESULT_CODES).map(([code, { state }]) => ({
        ...executed,
        state,
        code: code as ResultCode,
      })),
    ];
    for (const outcome of outcomes)
      expect(verifyOutcome({ signed: signOutcome({ outcome, signer }), about, publicKey })).toEqual(outcome);
    expect(Buffer.from(readSigner(signed))).toEqual(Buffer.from(signer.certificate));
  });
});

describe('a result', () => {
  it('is refused without an outcome, with too long a one, or larger than a payload', () => {
    for (const outcome of [new Uint8Array(0), new Uint8Array(OUTCOME_SIGNED_BYTES_MAX + 1)])
      expect(codeOf(() => encodeResult({ ...result, outcome }))).toBe('ERR_RESULT_SCHEMA');
    expect(codeOf(() => decodeResult(new Uint8Array(PAYLOAD_BYTES_MAX + 1)))).toBe('ERR_RESULT_CBOR');
    const bytes = encodeResult(result);
    for (let length = 0; length < bytes.length; length += 1)
      expect(codeOf(() => decodeResult(bytes.subarray(0, length)))).toBe('ERR_RESULT_CBOR');
    expect(codeOf(() => decodeResult(Buffer.concat([Buffer.from('a50102', 'hex'), bytes.subarray(3)])))).toBe(
      'ERR_RESULT_VERSION',
    );
  });

  it('takes the road of an uplink, and names its sequence to a receipt', () => {
    const { recipient, key } = sampleOperator();
    const binding = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE, kind: 'result' } as const;
    const whole = { ...result, meters: [SAMPLE_ELECTRICITY, SAMPLE_WATER] };
    const { sealed } = sealUplink({ payload: encodeResult(whole), binding, recipient, signer });
    const opened = openUplink({ sealed, binding, keys: [key] });
    const payload = verifyUplink({ signed: opened.signed, binding, publicKey });
    const read = decodeResult(payload);
    expect(read.meters).toEqual(whole.meters);
    expect(verifyOutcome({ signed: read.outcome, about, publicKey })).toEqual(executed);
    expect(claimedSequence(opened.signed)).toBe(7);
    expect(codeOf(() => openUplink({ sealed, binding: { ...binding, kind: 'index' }, keys: [key] }))).toBe(
      'ERR_ENVELOPE_OPEN',
    );
  });

  it('says nothing of a reading in what goes to the desk', () => {
    const outcome = Buffer.from(signed);
    expect(outcome.includes(SAMPLE_ELECTRICITY.serial)).toBe(false);
    expect(encodeOutcome(executed).length).toBeLessThan(64);
  });
});
