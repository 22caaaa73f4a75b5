import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CborValue, decodeCbor, encodeCbor, wireInteger } from '../cbor/codec.ts';
import { claimedSequence } from '../claimed-sequence.ts';
import { openUplink, sealUplink, verifyUplink } from '../envelope.ts';
import { isHesError } from '../errors.ts';
import type { DeviceId, TenantId } from '../identity.ts';
import { CERTIFICATE_BYTES_MAX, REPORT_BYTES_MAX, REPORT_SIGNED_BYTES_MAX } from '../limits.ts';
import { signPayload } from '../signed.ts';
import { arbitraryMessage } from '../testing/cddl/generate.ts';
import { parseCddl } from '../testing/cddl/parse.ts';
import { validate } from '../testing/cddl/validate.ts';
import { SAMPLE_COMMAND_ID, SAMPLE_SECONDS } from '../testing/command-samples.ts';
import { SAMPLE_DEVICE, SAMPLE_TENANT, sampleOperator, sampleSigner } from '../testing/samples.ts';
import { signOutcome } from './outcome.ts';
import {
  decodeEvent,
  decodeReport,
  encodeEvent,
  encodeReport,
  type KeyReport,
  type Report,
  signReport,
  verifyReport,
} from './report.ts';
import { PLANS, type Plan } from './tariff.ts';

const SEED = 20_261_211;
const BOUNDS = { bytesMax: 4_096, depthMax: 4, itemsMax: 32 };
const source = ['identity', 'payload', 'envelope', 'command', 'report']
  .map((name) => readFileSync(new URL(`../../docs/protocol/${name}.cddl`, import.meta.url), 'utf8'))
  .join('\n');
const rules = parseCddl(source);

const about = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE };
const report: Report = {
  ...about,
  time: SAMPLE_SECONDS,
  airplaneSince: SAMPLE_SECONDS - 60,
  breaker: 'armed',
  creditMode: 'prepaid',
  tariffPlan: 'bi',
};
const { signer, publicKey } = sampleSigner();
const signed = signReport({ report, signer });
const keyReport: Report = { ...about, time: SAMPLE_SECONDS, certificate: Buffer.alloc(500, 7) };
const event = { version: 1, ...about, sequence: 9, report: signed } as const;

function codeOf(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  }
}

describe('a forged report', () => {
  const checking = (bytes: Uint8Array, where = about): string =>
    codeOf(() => verifyReport({ signed: bytes, about: where, publicKey }));
  const topic = `t/${SAMPLE_TENANT}/${SAMPLE_DEVICE}/up/event`;

  it.each<[string, string, () => string]>([
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
      'by another device’s key',
      'ERR_ENVELOPE_SIGNATURE',
      () => checking(signReport({ report, signer: sampleSigner().signer })),
    ],
    [
      'whose content names another device than its signature',
      'ERR_REPORT_OTHER',
      () =>
        checking(
          signPayload(
            encodeReport({ ...report, device: 'f'.repeat(16) as DeviceId }),
            Buffer.from(`${topic} report`),
            signer,
          ),
        ),
    ],
    [
      'that is the signed message around an event',
      'ERR_ENVELOPE_SIGNATURE',
      () => checking(signPayload(encodeReport(report), Buffer.from(topic), signer)),
    ],
    [
      'that is the outcome of a command',
      'ERR_ENVELOPE_SIGNATURE',
      () =>
        checking(
          signOutcome({
            outcome: {
              ...about,
              command: SAMPLE_COMMAND_ID,
              time: SAMPLE_SECONDS,
              state: 'executed',
              code: null,
            },
            signer,
          }),
        ),
    ],
    ['cut short', 'ERR_ENVELOPE_SIGNED', () => checking(signed.subarray(0, -1))],
  ])('is refused: %s (%s)', (_, code, attempt) => {
    expect(attempt()).toBe(code);
  });
});

describe('a report', () => {
  it('is refused with what its table does not have', () => {
    for (const change of [
      { breaker: 'ajar' },
      { creditMode: 'postpaid' },
      { tariffPlan: 'tri' },
      { time: -1 },
      { airplaneSince: 0.5 },
      { creditMode: null },
      { tariffPlan: null },
      { certificate: new Uint8Array(0) },
      { certificate: new Uint8Array(2_049) },
      { certificate: Buffer.alloc(500, 7) },
    ])
      expect(codeOf(() => encodeReport({ ...report, ...change } as unknown as Report))).toBe(
        'ERR_REPORT_SCHEMA',
      );
  });

  it('is refused in another version, too long, or cut anywhere', () => {
    const bytes = Buffer.from(encodeReport(report));
    expect(codeOf(() => decodeReport(Buffer.concat([Buffer.from('a80102', 'hex'), bytes.subarray(3)])))).toBe(
      'ERR_REPORT_VERSION',
    );
    expect(codeOf(() => decodeReport(new Uint8Array(REPORT_BYTES_MAX + 1)))).toBe('ERR_REPORT_CBOR');
    for (let length = 0; length < bytes.length; length += 1)
      expect(codeOf(() => decodeReport(bytes.subarray(0, length)))).toBe('ERR_REPORT_CBOR');
  });

  it('is met with an error of ours, whatever the bytes are', () => {
    const bytes = Buffer.from(encodeReport(report));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, mask) => {
        const edited = Buffer.from(bytes);
        edited[at]! ^= mask;
        const code = codeOf(() => expect(Buffer.from(encodeReport(decodeReport(edited)))).toEqual(edited));
        expect(code).toMatch(/^none$|^ERR_REPORT_/);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  it('comes to the desk as the device signed it, whatever it says', () => {
    for (const breaker of ['open', 'closed', 'armed', null] as const)
      for (const creditMode of ['credit', 'prepaid'] as const)
        for (const tariffPlan of Object.keys(PLANS) as Plan[])
          for (const airplaneSince of [null, 0]) {
            const said: Report = { ...report, breaker, creditMode, tariffPlan, airplaneSince };
            expect(verifyReport({ signed: signReport({ report: said, signer }), about, publicKey })).toEqual(
              said,
            );
            validate(rules, 'report', encodeReport(said));
          }
  });

  it('of a new key comes to the desk as the device signed it, up to the longest certificate', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: CERTIFICATE_BYTES_MAX }), (certificate) => {
        const said: Report = { ...about, time: SAMPLE_SECONDS, certificate };
        const bytes = signReport({ report: said, signer });
        expect(bytes.length).toBeLessThanOrEqual(REPORT_SIGNED_BYTES_MAX);
        const { certificate: read, ...rest } = verifyReport({
          signed: bytes,
          about,
          publicKey,
        }) as KeyReport;
        expect(rest).toEqual({ ...about, time: SAMPLE_SECONDS });
        expect(Buffer.from(read)).toEqual(Buffer.from(certificate));
        validate(rules, 'key-report', encodeReport(said));
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  it('says a state or a key, and never both', () => {
    const both = encodeCbor(
      new Map<number, CborValue>([
        ...(decodeCbor(encodeReport(report), BOUNDS) as Map<number, CborValue>),
        [4, wireInteger(SAMPLE_SECONDS)],
        [5, wireInteger(SAMPLE_SECONDS - 60)],
        [9, Buffer.alloc(500, 7)],
      ]),
      BOUNDS,
    );
    expect(codeOf(() => decodeReport(both))).toBe('ERR_REPORT_SCHEMA');
    expect(() => validate(rules, 'report', both)).toThrow();
  });
});

describe('an event', () => {
  it('is refused without a report, or with too long a one', () => {
    for (const bytes of [new Uint8Array(0), new Uint8Array(REPORT_SIGNED_BYTES_MAX + 1)])
      expect(codeOf(() => encodeEvent({ ...event, report: bytes }))).toBe('ERR_REPORT_SCHEMA');
    expect(codeOf(() => decodeEvent(new Uint8Array(16_384)))).toBe('ERR_REPORT_CBOR');
  });

  it('takes the road of an uplink, and names its sequence to a receipt', () => {
    const { recipient, key } = sampleOperator();
    const binding = { ...about, kind: 'event' } as const;
    const { sealed } = sealUplink({ payload: encodeEvent(event), binding, recipient, signer });
    const opened = openUplink({ sealed, binding, keys: [key] });
    const read = decodeEvent(verifyUplink({ signed: opened.signed, binding, publicKey }));
    expect(verifyReport({ signed: read.report, about, publicKey })).toEqual(report);
    expect(claimedSequence(opened.signed)).toBe(9);
    expect(codeOf(() => openUplink({ sealed, binding: { ...binding, kind: 'result' }, keys: [key] }))).toBe(
      'ERR_ENVELOPE_OPEN',
    );
  });
});

describe('docs/protocol/report.cddl', () => {
  it('is what the code writes', () => {
    validate(rules, 'signed-report', signed);
    validate(rules, 'signed-report', signReport({ report: keyReport, signer }));
    validate(rules, 'report-event', encodeEvent(event));
  });

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['report', (bytes) => encodeReport(decodeReport(bytes))],
    ['report-event', (bytes) => encodeEvent(decodeEvent(bytes))],
  ])('allows nothing that the code does not read and write back: %s', (name, again) => {
    fc.assert(
      fc.property(arbitraryMessage(rules, name), (bytes) => {
        expect(Buffer.from(again(bytes))).toEqual(Buffer.from(bytes));
      }),
      { seed: SEED, numRuns: 200 },
    );
  });

  it.each([
    ['a breaker more', 'armed: 2', 'armed: 2, ajar: 3'],
    ['a mode less', ', prepaid: 1', ''],
    ['a member more', '8 => plan,', '8 => plan,\n  10 => uint,'],
    ['no plan', '8 => plan,', '? 8 => plan,'],
  ])('is found out where it drifts: %s', (_, from, to) => {
    expect(source).toContain(from);
    const drifted = parseCddl(source.replace(from, to));
    expect(() => {
      validate(drifted, 'report', encodeReport(report));
      fc.assert(
        fc.property(arbitraryMessage(drifted, 'report'), (bytes) => void decodeReport(bytes)),
        { seed: SEED, numRuns: 500, endOnFailure: true },
      );
    }).toThrow();
  });
});
