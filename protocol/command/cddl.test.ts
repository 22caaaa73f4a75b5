import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CborValue, decodeCbor, encodeCbor, wireInteger } from '../cbor/codec.ts';
import { isHesError } from '../errors.ts';
import { PAYLOAD_BYTES_MAX } from '../limits.ts';
import { readOuter } from '../outer.ts';
import { SUITES } from '../suites.ts';
import { arbitraryMessage } from '../testing/cddl/generate.ts';
import { parseCddl } from '../testing/cddl/parse.ts';
import { validate } from '../testing/cddl/validate.ts';
import {
  ann,
  binding,
  critical,
  device,
  keyOf,
  sealed,
  signedCritical,
  signedRoutine,
} from '../testing/command-attacker.ts';
import { sampleCommand } from '../testing/command-samples.ts';
import { SAMPLE_DEVICE, SAMPLE_ELECTRICITY, SAMPLE_TENANT } from '../testing/samples.ts';
import { RESULT_CODES, type ResultCode } from './codes.ts';
import { decodeCommand, encodeCommand } from './command.ts';
import { decodeOutcome, encodeOutcome, type Outcome, signOutcome } from './outcome.ts';
import { decodeResult, encodeResult } from './result.ts';
import { sealCommand } from './sealed.ts';
import { checkSignatures } from './signed.ts';
import { COMMAND_TYPES, type CommandType } from './table.ts';

/** docs/protocol/{command,result}.cddl and the code, held against each other both ways. */
const SEED = 20_261_205;
const source = ['identity', 'payload', 'envelope', 'command', 'result']
  .map((name) => readFileSync(new URL(`../../docs/protocol/${name}.cddl`, import.meta.url), 'utf8'))
  .join('\n');
const rules = parseCddl(source);
const anyKey = keyOf(ann.certificate);
const ruleOf = (type: CommandType): string => type.replace('.', '-');

const about = { tenant: SAMPLE_TENANT, device: SAMPLE_DEVICE, command: critical.id, time: 1_796_112_000 };
const outcomes: readonly Outcome[] = [
  { ...about, state: 'executed', code: null },
  ...Object.entries(RESULT_CODES).map(([code, { state }]) => ({ ...about, state, code: code as ResultCode })),
];
const signedOutcome = signOutcome({ outcome: outcomes[0]!, signer: ann });
const results = [[], [SAMPLE_ELECTRICITY]].map((meters) =>
  encodeResult({
    version: 1,
    tenant: SAMPLE_TENANT,
    device: SAMPLE_DEVICE,
    sequence: 1,
    outcome: signedOutcome,
    meters,
  }),
);
/** One of each row, with a reason and, where its row allows, without. */
const commands = COMMAND_TYPES.flatMap((type) => [
  sampleCommand(type),
  sampleCommand(type, { reason: 'réf. 12' }),
]).map((command) => [ruleOf(command.type), encodeCommand(command)] as const);

describe('what the code writes', () => {
  it('is a command, of its own rule and of no other', () => {
    for (const [rule, bytes] of commands) {
      validate(rules, 'command', bytes);
      validate(rules, rule, bytes);
      for (const type of COMMAND_TYPES)
        if (ruleOf(type) !== rule) expect(() => validate(rules, ruleOf(type), bytes)).toThrow();
    }
  });

  it('is signed by one or two, and sealed', () => {
    validate(rules, 'signed-command', signedRoutine);
    validate(rules, 'signed-command', signedCritical);
    validate(rules, 'sealed-command', sealed);
  });

  it('is a result with an outcome for every state and code', () => {
    for (const outcome of outcomes) validate(rules, 'outcome', encodeOutcome(outcome));
    validate(rules, 'signed-outcome', signedOutcome);
    for (const result of results) validate(rules, 'command-result', result);
  });
});

/** A drawn command with the one thing that CDDL cannot say: its validity is not empty, nor too long. */
function valid(bytes: Uint8Array): Uint8Array {
  const bounds = { bytesMax: 65_536, depthMax: 16, itemsMax: 20_000 };
  const members = new Map(decodeCbor(bytes, bounds) as Map<number, CborValue>);
  members.set(8, 1_796_112_000).set(9, 1_796_112_060);
  const counter = members.get(7);
  if (typeof counter === 'number') members.set(7, wireInteger(counter));
  return encodeCbor(new Map([...members].map(([key, value]) => [key, big(value)] as const)), bounds);
}
/** The codec writes what it read, numbers beyond 32 bits too. */
function big(value: CborValue): CborValue {
  if (typeof value === 'number') return wireInteger(value);
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, big(item as CborValue)]));
  return value;
}

/** Rules whose arguments have a rule of their own, which CDDL cannot say: windows, steps of 100 W, none twice. */
const RULED = ['tariff-set', 'limiter-set', 'read-now'];

/** Whether the code takes a command and writes it back. */
function takes(rule: string, bytes: Uint8Array): boolean {
  try {
    expect(Buffer.from(encodeCommand(decodeCommand(bytes)))).toEqual(Buffer.from(bytes));
    return true;
  } catch (error) {
    if (isHesError(error, 'ERR_COMMAND_RULE') && RULED.includes(rule)) return false;
    throw error;
  }
}

describe('what the files allow', () => {
  it.each(COMMAND_TYPES)('as %s, the code reads and writes back', (type) => {
    let taken = 0;
    fc.assert(
      fc.property(arbitraryMessage(rules, ruleOf(type)), (bytes) => {
        if (takes(ruleOf(type), valid(bytes))) taken += 1;
      }),
      { seed: SEED, numRuns: 60 },
    );
    // Windows that fit each other are rarely drawn, and powers in steps of 100 W now and then.
    expect(taken).toBeGreaterThan(type === 'tariff.set' || type === 'limiter.set' ? 0 : 55);
  });

  const reads = (name: string, take: (bytes: Uint8Array) => unknown, lengthMax = 16_384): void => {
    fc.assert(
      fc.property(arbitraryMessage(rules, name), (bytes) => {
        if (bytes.length <= lengthMax) take(bytes);
      }),
      { seed: SEED, numRuns: 120 },
    );
  };

  it('as signed and as sealed, the code reads', () => {
    reads('signed-command', (bytes) => checkSignatures({ signed: bytes, binding, keyOf: () => anyKey }));
    reads('sealed-command', (bytes) => readOuter(bytes, SUITES));
  });

  it('as an outcome and as a result, the code reads and writes back', () => {
    reads('outcome', (bytes) =>
      expect(Buffer.from(encodeOutcome(decodeOutcome(bytes)))).toEqual(Buffer.from(bytes)),
    );
    reads(
      'command-result',
      (bytes) => expect(Buffer.from(encodeResult(decodeResult(bytes)))).toEqual(Buffer.from(bytes)),
      PAYLOAD_BYTES_MAX,
    );
  });
});

/** One edit to the files each: the tests above must not survive it. */
const DRIFTS: readonly (readonly [name: string, from: string, to: string, rule: string])[] = [
  ['another number for a type', '5 => 11,', '5 => 16,', 'p1-set'],
  ['a top-up of 4.99 €', '500..25000', '499..25000', 'prepayment-balance'],
  ['a top-up of 249 € at most', '500..25000', '500..2499', 'prepayment-balance'],
  ['a lower balance', '-50000..100000', '-50001..100000', 'prepayment-balance'],
  ['more start credit', '0..25000', '0..25001', 'prepayment-activate'],
  ['a limit below a kilowatt', '1000..99900', '999..99900', 'limiter-set'],
  ['a limit that cannot end', '1000..99900 / nil', '1000..99900', 'limiter-set'],
  ['a plan more', 'impact: 3 )', 'impact: 3, tri: 4 )', 'tariff-set'],
  ['windows written out empty', '[1*16 window]', '[0*16 window]', 'tariff-set'],
  ['more windows', '[1*16 window]', '[1*17 window]', 'tariff-set'],
  ['a channel more', '1 => 0..4, 2 => cause', '1 => 0..5, 2 => cause', 'valve-close'],
  ['a cause more', 'fraud: 6 )', 'fraud: 6, spite: 7 )', 'breaker-open'],
  [
    'no reason where one must be',
    '5 => 10, 6 => {}, command-tail, 10',
    '5 => 10, 6 => {}, command-tail, ? 10',
    'airplane-on',
  ],
  ['a longer reason', '{1,120}', '{1,121}', 'breaker-open'],
  ['a longer message', '{0,320}', '{0,321}', 'display-message'],
  ['another alphabet', '…€]{0,320}', '…€Ж]{0,320}', 'display-message'],
  ['a shorter id', 'command-id = bstr .size 16', 'command-id = bstr .size 15', 'clock-sync'],
  ['a counter of nothing', 'counter = 1..', 'counter = 0..', 'clock-sync'],
  ['a key to renew more', 'agree: 3 )', 'agree: 3, more: 4 )', 'credential-renew'],
  ['three signatures', '[1*2 command-signature]', '[1*3 command-signature]', 'signed-command'],
  ['no signature', '[1*2 command-signature]', '[0*2 command-signature]', 'signed-command'],
  ['another tag', '#6.98', '#6.18', 'signed-command'],
  ['a header of the message', "protected: h'',", 'protected: bstr .size (0..1),', 'signed-command'],
  ['a refusal more', 'owner: 16,', 'owner: 16, bored: 17,', 'outcome'],
  ['a failure less', ', internal: 37', '', 'outcome'],
  ['a failure as a refusal', 'owner: 16,', 'owner: 16, busy2: 32,', 'outcome'],
  ['no code', '5 => 1, 6 => epoch-seconds, 7 =>', '5 => 1, 6 => epoch-seconds, ? 7 =>', 'outcome'],
  ['a longer outcome', '(1..2272)', '(1..2273)', 'command-result'],
  ['meters written out empty', '? 6 => [1*5 meter]', '? 6 => [0*5 meter]', 'command-result'],
];

describe('drift', () => {
  const written: Readonly<Record<string, readonly Uint8Array[]>> = {
    ...Object.fromEntries(
      COMMAND_TYPES.map((type) => [
        ruleOf(type),
        commands.filter(([rule]) => rule === ruleOf(type)).map(([, bytes]) => bytes),
      ]),
    ),
    'limiter-set': [
      encodeCommand(sampleCommand('limiter.set')),
      encodeCommand(sampleCommand('limiter.set', { arguments: { powerW: null } } as object)),
    ],
    'prepayment-balance': [
      encodeCommand(sampleCommand('prepayment.balance')),
      encodeCommand(
        sampleCommand('prepayment.balance', {
          arguments: { balanceCents: 0, asOf: 0, topUpCents: 25_000 },
        } as object),
      ),
    ],
    'signed-command': [signedRoutine, signedCritical],
    outcome: outcomes.map(encodeOutcome),
    'command-result': results,
  };
  const readers: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
    'signed-command': (bytes) => checkSignatures({ signed: bytes, binding, keyOf: () => anyKey }),
    outcome: decodeOutcome,
    'command-result': (bytes) => (bytes.length > PAYLOAD_BYTES_MAX ? undefined : decodeResult(bytes)),
  };

  it.each(DRIFTS)('is found: %s', (_, from, to, rule) => {
    expect(source).toContain(from);
    const drifted = parseCddl(source.replace(from, to));
    const survives = (): void => {
      for (const bytes of written[rule]!) validate(drifted, rule, bytes);
      const read = readers[rule] ?? ((bytes: Uint8Array) => takes(rule, valid(bytes)));
      fc.assert(
        fc.property(arbitraryMessage(drifted, rule), (bytes) => void read(bytes)),
        { seed: SEED, numRuns: 1_500, endOnFailure: true },
      );
    };
    expect(survives).toThrow();
  });
});

describe('the largest sealed command', () => {
  it('is what the file says', () => {
    const largest = Buffer.alloc(6_368);
    const bytes = sealCommand({ signed: largest, binding, recipient: device.recipient });
    validate(rules, 'sealed-command', bytes);
  });
});

describe('the example of docs/protocol/README.md', () => {
  it('is the command that it says it is', () => {
    const page = readFileSync(new URL('../../docs/protocol/README.md', import.meta.url), 'utf8');
    const [, , block] = [...page.matchAll(/```cbor\n(.*?)```/gs)].map(([, text]) => text!);
    const bytes = Buffer.from(block!.replaceAll(/#.*$/gm, '').replaceAll(/\s/g, ''), 'hex');
    expect(Buffer.from(encodeCommand(sampleCommand('prepayment.balance')))).toEqual(bytes);
  });
});
