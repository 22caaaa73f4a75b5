import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openUplink, readSigner, sealUplink } from './envelope.ts';
import { PAYLOAD_BYTES_MAX, SEALED_BYTES_MAX } from './limits.ts';
import { readOuter } from './outer.ts';
import { decodeDailyIndex, encodeDailyIndex } from './payload.ts';
import { makeReceipt, REFUSALS, readContent, type Verdict } from './receipt.ts';
import { SUITES } from './suites.ts';
import { anyDailyIndex } from './testing/arbitrary.ts';
import { arbitraryMessage } from './testing/cddl/generate.ts';
import { parseCddl } from './testing/cddl/parse.ts';
import { validate } from './testing/cddl/validate.ts';
import {
  SAMPLE_DEVICE,
  SAMPLE_INDEX,
  SAMPLE_TENANT,
  SAMPLE_WATER,
  sampleOperator,
  sampleSigner,
} from './testing/samples.ts';
import { decodeUplinkAnswer, encodeUplinkAnswer, UPLINK_REFUSALS, type UplinkRefusal } from './uplink.ts';

/**
 * docs/protocol/*.cddl and the code, held against each other both ways: what the code writes is what the files
 * say, and what the files allow the code takes.
 */
const SEED = 20_260_401;
const FILES = ['identity', 'payload', 'envelope', 'receipt', 'answer'];
const source = FILES.map((name) =>
  readFileSync(new URL(`../docs/protocol/${name}.cddl`, import.meta.url), 'utf8'),
).join('\n');
const rules = parseCddl(source);

const binding = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE, kind: 'index' } as const;
const { recipient, key } = sampleOperator();
const { signer } = sampleSigner();
const receiptKey = randomBytes(32);
const verdicts: readonly Verdict[] = [
  { verdict: 'delivered' },
  { verdict: 'duplicate' },
  { verdict: 'later', seconds: 604_800 },
  ...REFUSALS.map((code) => ({ verdict: 'refused', code }) as const),
];
const about = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE, sequence: 42, time: 1_774_738_900 };
const receipts = verdicts.map((verdict) => makeReceipt(receiptKey, { ...about, ...verdict }));

describe('what the code writes', () => {
  it('is a daily-index, whatever it holds', () => {
    fc.assert(
      fc.property(anyDailyIndex, (index) => validate(rules, 'daily-index', encodeDailyIndex(index))),
      { seed: SEED, numRuns: 150 },
    );
  });

  it('is sealed, and signed inside', () => {
    const { sealed } = sealUplink({ payload: encodeDailyIndex(SAMPLE_INDEX), binding, recipient, signer });
    validate(rules, 'sealed', sealed);
    validate(rules, 'signed', openUplink({ sealed, binding, keys: [key] }).signed);
  });

  it('is a receipt for every verdict, and an answer for every receipt and refusal', () => {
    for (const receipt of receipts) {
      validate(rules, 'receipt', receipt);
      validate(rules, 'uplink-answer', encodeUplinkAnswer({ kind: 'receipt', receipt }));
    }
    for (const reason of Object.keys(UPLINK_REFUSALS) as UplinkRefusal[])
      validate(rules, 'uplink-answer', encodeUplinkAnswer({ kind: 'refused', reason }));
  });
});

describe('what the files allow', () => {
  const holds = (name: string, take: (bytes: Uint8Array) => unknown, lengthMax: number): void => {
    let taken = 0;
    fc.assert(
      fc.property(arbitraryMessage(rules, name), (bytes) => {
        if (bytes.length > lengthMax) return;
        validate(rules, name, bytes);
        take(bytes);
        taken += 1;
      }),
      { seed: SEED, numRuns: 250 },
    );
    expect(taken).toBeGreaterThan(100);
  };

  it('as a daily-index, the code reads and writes back', () => {
    holds(
      'daily-index',
      (bytes) => expect(encodeDailyIndex(decodeDailyIndex(bytes))).toEqual(Buffer.from(bytes)),
      PAYLOAD_BYTES_MAX,
    );
  });

  it('as sealed and as signed, the code reads', () => {
    holds('sealed', (bytes) => readOuter(bytes, SUITES), SEALED_BYTES_MAX);
    holds('signed', readSigner, SEALED_BYTES_MAX);
  });

  it('as the content of a receipt and as an answer, the code reads', () => {
    holds('receipt-content', readContent, 256);
    holds('uplink-answer', decodeUplinkAnswer, 1_024);
  });
});

describe('the example of docs/protocol/README.md', () => {
  const page = readFileSync(new URL('../docs/protocol/README.md', import.meta.url), 'utf8');
  const [index, receipt] = [...page.matchAll(/```cbor\n(.*?)```/gs)].map(([, block]) =>
    Buffer.from(block!.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''), 'hex'),
  );

  it('is the index that it says it is', () => {
    expect(encodeDailyIndex({ ...SAMPLE_INDEX, meters: [SAMPLE_WATER] })).toEqual(index);
  });

  it('is the receipt that it says it is', () => {
    const made = makeReceipt(new Uint8Array(32), { ...about, time: 1_774_738_900, verdict: 'delivered' });
    expect(made).toEqual(receipt);
  });
});

/** One edit to the files each, tighter, looser or plainly other: the tests above must not survive it. */
const DRIFTS: readonly (readonly [name: string, from: string, to: string, rule: string])[] = [
  [
    'a key of another number',
    '4 => sequence,\n  5 => 0..2932896',
    '4 => sequence,\n  9 => 0..2932896',
    'daily-index',
  ],
  ['a member more', '8 => [1*5 meter],', '8 => [1*5 meter],\n  9 => uint,', 'daily-index'],
  ['a member less', '7 => clock,', '', 'daily-index'],
  ['a looser channel', '2 => 0..4,', '2 => 0..5,', 'daily-index'],
  ['a tighter day', '5 => 0..2932896', '5 => 0..20000', 'daily-index'],
  ['longer serial numbers', '[ -~]{1,64}', '[ -~]{1,66}', 'daily-index'],
  ['more quarter-hours', '1*100 (safe-int / nil)', '1*101 (safe-int / nil)', 'daily-index'],
  ['no gaps', '1*100 (safe-int / nil)', '1*100 safe-int', 'daily-index'],
  ['empty registers written out', '? 6 => [1*64 register]', '? 6 => [0*64 register]', 'daily-index'],
  ['another unit', 'm3: 13,', 'm3: 14,', 'daily-index'],
  [
    'members of a register in another order',
    'value: safe-int, scaler: scaler, unit: unit, flags: 0..65535',
    'scaler: scaler, value: safe-int, unit: unit, flags: 0..65535',
    'daily-index',
  ],
  ['another cipher', '{ 1 => 1 }', '{ 1 => 3 }', 'sealed'],
  ['a longer kid', '4 => bstr .size 8', '4 => bstr .size 9', 'sealed'],
  ['an optional ephemeral key', '-1 => ephemeral-key', '? -1 => ephemeral-key', 'sealed'],
  ['another tag', '#6.18', '#6.98', 'signed'],
  ['a longer signature', 'bstr .size 64', 'bstr .size 65', 'signed'],
  ['one refusal more', 'desk: 8,', 'desk: 8, other: 9,', 'receipt-content'],
  ['one refusal less', 'revoked: 6, mdm: 7,', 'revoked: 6,', 'receipt'],
  ['seconds beyond a week', '1..604800', '1..604801', 'receipt-content'],
  ['a longer receipt', '(1..256)', '(1..257)', 'uplink-answer'],
  ['another answer', 'overloaded: 3, ', '', 'uplink-answer'],
];

describe('drift', () => {
  const written: Readonly<Record<string, readonly Uint8Array[]>> = {
    'daily-index': [
      encodeDailyIndex(SAMPLE_INDEX),
      ...fc.sample(anyDailyIndex, { seed: SEED, numRuns: 60 }).map(encodeDailyIndex),
    ],
    ...(() => {
      const { sealed } = sealUplink({ payload: encodeDailyIndex(SAMPLE_INDEX), binding, recipient, signer });
      return { sealed: [sealed], signed: [openUplink({ sealed, binding, keys: [key] }).signed] };
    })(),
    receipt: receipts,
    'receipt-content': [],
    'uplink-answer': (Object.keys(UPLINK_REFUSALS) as UplinkRefusal[]).map((reason) =>
      encodeUplinkAnswer({ kind: 'refused', reason }),
    ),
  };
  const readers: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
    'daily-index': (bytes) => (bytes.length > PAYLOAD_BYTES_MAX ? undefined : decodeDailyIndex(bytes)),
    sealed: (bytes) => (bytes.length > SEALED_BYTES_MAX ? undefined : readOuter(bytes, SUITES)),
    signed: readSigner,
    'receipt-content': readContent,
    'uplink-answer': decodeUplinkAnswer,
  };

  it.each(DRIFTS)('is found: %s', (_, from, to, rule) => {
    expect(source.split(from).length - 1).toBeGreaterThanOrEqual(1);
    const drifted = parseCddl(source.replace(from, to));
    const survives = (): void => {
      for (const bytes of written[rule]!) validate(drifted, rule, bytes);
      const read = readers[rule];
      if (read === undefined) return;
      fc.assert(
        fc.property(arbitraryMessage(drifted, rule), (bytes) => void read(bytes)),
        { seed: SEED, numRuns: 400, endOnFailure: true },
      );
    };
    expect(survives).toThrow();
  });
});
