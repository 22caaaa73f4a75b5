import { describe, expect, it } from 'vitest';
import { isHesError } from '../errors.ts';
import { SAMPLE_ARGUMENTS } from '../testing/command-samples.ts';
import { RESULT_CODES, type ResultCode } from './codes.ts';
import { argumentsFromText, argumentsSchema, argumentsToText, completeArguments } from './complete.ts';
import { ROLES } from './roles.ts';
import { COUNTERS } from './row.ts';
import { checkSigners } from './signers.ts';
import { COMMAND_TYPES, COMMANDS, type CommandType, rowOf } from './table.ts';

function refusal(step: () => unknown): string {
  try {
    step();
    return 'none';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.context['field'] === undefined ? error.code : `${error.code} ${error.context['field']}`;
  }
}

describe('the command table', () => {
  it('has the commands of the protocol, each with a number of its own', () => {
    expect(COMMAND_TYPES).toEqual([
      'tariff.set',
      'prepayment.activate',
      'prepayment.deactivate',
      'prepayment.balance',
      'breaker.open',
      'breaker.arm',
      'valve.close',
      'valve.arm',
      'limiter.set',
      'airplane.on',
      'p1.set',
      'read.now',
      'display.message',
      'clock.sync',
      'credential.renew',
    ]);
    expect(COMMAND_TYPES.map((type) => rowOf(type).number)).toEqual(
      COMMAND_TYPES.map((_, index) => index + 1),
    );
  });

  it('asks two people for what cuts, limits, silences or changes how a supply is paid for, and for nothing else', () => {
    expect(COMMAND_TYPES.filter((type) => rowOf(type).critical)).toEqual([
      'prepayment.activate',
      'prepayment.deactivate',
      'breaker.open',
      'valve.close',
      'limiter.set',
      'airplane.on',
    ]);
    for (const type of COMMAND_TYPES) {
      const { critical, signatures, approve, reasonRequired } = rowOf(type);
      expect(signatures, type).toBe(critical ? 2 : 1);
      expect(approve, type).toEqual(critical ? ['approver'] : []);
      expect(reasonRequired, type).toBe(critical);
    }
  });

  it('lets nobody sign who only reads, and lets approvers propose nothing', () => {
    for (const type of COMMAND_TYPES) {
      const { propose, approve } = rowOf(type);
      expect([...propose, ...approve], type).not.toContain('supervisor');
      expect(propose, type).not.toContain('approver');
      for (const role of approve) expect(ROLES[role].kind).toBe('person');
    }
  });

  it('counts each thing that it commands by itself, and balances apart from prepayment', () => {
    for (const type of COMMAND_TYPES)
      expect(rowOf(type).counter, type).toBe(type === 'prepayment.balance' ? 'balance' : type.split('.')[0]);
    expect(new Set(COMMAND_TYPES.map((type) => rowOf(type).counter)).size).toBe(COUNTERS.length);
  });

  it('lets guests command their own channels, and nothing of the device', () => {
    expect(COMMAND_TYPES.filter((type) => rowOf(type).scope === 'channel')).toEqual([
      'valve.close',
      'valve.arm',
      'read.now',
    ]);
  });

  it('judges by the counter only what sets the clock', () => {
    expect(COMMAND_TYPES.filter((type) => rowOf(type).judgedBy === 'counter')).toEqual(['clock.sync']);
  });

  it('has a default validity within the longest, and retries only what changed nothing', () => {
    for (const type of COMMAND_TYPES) {
      const { expirySeconds, expirySecondsMax, retryable } = rowOf(type);
      expect(expirySeconds, type).toBeLessThanOrEqual(expirySecondsMax);
      for (const code of retryable) expect(RESULT_CODES[code].says).toContain('nothing was changed');
    }
  });

  it('has the control codes that IEC 61968-9 has, and null where it has none', () => {
    const codes = COMMAND_TYPES.map((type) => [type, rowOf(type).control(SAMPLE_ARGUMENTS[type])]);
    expect(codes.filter(([, code]) => code !== null)).toEqual([
      ['breaker.open', '0.31.0.23'],
      ['breaker.arm', '0.31.0.5'],
      ['limiter.set', '0.31.139.26'],
      ['credential.renew', '0.12.32.13'],
    ]);
    expect(COMMANDS['limiter.set'].control({ powerW: null })).toBe('0.31.139.22');
  });

  it('has result codes with a number each, refusals apart from failures', () => {
    const rows = Object.keys(RESULT_CODES).map((code) => RESULT_CODES[code as ResultCode]);
    expect(new Set(rows.map(({ number }) => number)).size).toBe(rows.length);
    for (const { number, state } of rows) expect(state).toBe(number < 32 ? 'refused' : 'failed');
  });
});

/** What each argument does not take, beside what it takes. */
const OUT_OF_RANGE: readonly (readonly [CommandType, string, readonly unknown[], readonly unknown[]])[] = [
  ['tariff.set', 'plan', ['tri', '', null, 1, ['bi']], ['bi']],
  ['tariff.set', 'from', ['2027-02-30', '1.1.2027', 20_000, null], ['2027-03-30']],
  ['prepayment.activate', 'startCreditCents', [-1, 25_001, 20.5, '20', null], [0, 25_000]],
  ['prepayment.activate', 'lowCreditAlertCents', [-1, 5_001], [0, 5_000]],
  ['prepayment.activate', 'emergencyCreditCents', [-1, 5_001], [0, 5_000]],
  ['prepayment.balance', 'balanceCents', [-50_001, 100_001, Number.NaN, 1e21], [-50_000, 100_000]],
  ['prepayment.balance', 'topUpCents', [499, 25_001, 0, -500], [500, 25_000, null]],
  ['prepayment.balance', 'asOf', [-1, 253_402_300_800], [0]],
  ['breaker.open', 'cause', ['spite', null, 1], ['credit', 'safety']],
  ['valve.close', 'channel', [-1, 5, 1.5], [0, 4]],
  ['limiter.set', 'powerW', [999, 99_901, 0, 'off'], [1_000, 99_900, null]],
  ['p1.set', 'on', [1, 0, 'on', null], [true, false]],
  ['read.now', 'registers', [['1.8.1'], '1-0:1.8.1', Array(65).fill('1-0:1.8.1')], [[], ['1-0:1.8.1']]],
  [
    'display.message',
    'text',
    ['x'.repeat(321), 'a\nb', 'а', 'e\u0301', '\u202eabc', '\u{1f4a1}', 7],
    ['', 'é'.repeat(320), '€'.repeat(320)],
  ],
  ['clock.sync', 'time', [-1], [1_796_112_000]],
  ['credential.renew', 'key', ['rsa', 1], ['tls', 'sign', 'agree']],
];

describe('arguments', () => {
  it.each(OUT_OF_RANGE)(
    'of %s: %s is refused out of its range, and taken in it',
    (type, name, wrong, right) => {
      const given = SAMPLE_ARGUMENTS[type];
      const field = name === 'registers' ? expect.stringMatching(/registers/) : `ERR_COMMAND_SCHEMA ${name}`;
      for (const value of wrong)
        expect(
          refusal(() => completeArguments(type, { ...given, [name]: value })),
          String(value),
        ).toEqual(field);
      for (const value of right)
        expect(completeArguments(type, { ...given, [name]: value })).toEqual({ ...given, [name]: value });
    },
  );

  it('are refused with a member that is none of theirs, and without one that must be there', () => {
    for (const type of COMMAND_TYPES) {
      const given: Readonly<Record<string, unknown>> = { ...SAMPLE_ARGUMENTS[type] };
      expect(refusal(() => completeArguments(type, { ...given, colour: 'red' }))).toBe(
        'ERR_COMMAND_SCHEMA colour',
      );
      for (const [name, { fallback }] of Object.entries(rowOf(type).arguments)) {
        const { [name]: _, ...rest } = given;
        if (fallback === undefined)
          expect(refusal(() => completeArguments(type, rest))).toBe(`ERR_COMMAND_SCHEMA ${name}`);
        else if (name !== 'windows')
          expect(completeArguments(type, rest)).toMatchObject({ [name]: fallback });
      }
      for (const value of [null, undefined, 'all', 7, [], [given]])
        expect(refusal(() => completeArguments(type, value))).toBe('ERR_COMMAND_SCHEMA');
    }
  });

  it('that are each in range are refused where they do not fit each other', () => {
    const bi = SAMPLE_ARGUMENTS['tariff.set'];
    expect(refusal(() => completeArguments('tariff.set', { ...bi, windows: [] }))).toBe('ERR_COMMAND_RULE');
    expect(refusal(() => completeArguments('tariff.set', { ...bi, plan: 'mono' }))).toBe('ERR_COMMAND_RULE');
    expect(refusal(() => completeArguments('limiter.set', { powerW: 2_350 }))).toBe('ERR_COMMAND_RULE');
    const twice = { registers: ['1-0:1.8.1', '1-0:1.8.1'] };
    expect(refusal(() => completeArguments('read.now', twice))).toBe('ERR_COMMAND_RULE');
  });

  it('start with 20 €, alert at 5 € and give 15 € in an emergency where nothing else is said', () => {
    expect(completeArguments('prepayment.activate', {})).toEqual({
      startCreditCents: 2_000,
      lowCreditAlertCents: 500,
      emergencyCreditCents: 1_500,
    });
  });

  it('come back from their texts, whatever the command', () => {
    for (const type of COMMAND_TYPES) {
      const args = SAMPLE_ARGUMENTS[type];
      const texts = Object.fromEntries(argumentsToText(type, args).map(({ option, text }) => [option, text]));
      expect(argumentsFromText(type, texts), type).toEqual(args);
    }
  });

  it('are typed in euros, kilowatts, ISO times and windows, and refused in any other form', () => {
    expect(
      argumentsFromText('prepayment.balance', { balance: '-3.25', 'as-of': '2026-12-01T09:00+01:00' }),
    ).toEqual({ balanceCents: -325, asOf: 1_796_112_000, topUpCents: null });
    expect(argumentsFromText('limiter.set', { power: 'off' })).toEqual({ powerW: null });
    expect(argumentsFromText('limiter.set', { power: '2.3 kW' })).toEqual({ powerW: 2_300 });
    const wrong: readonly (readonly [CommandType, Readonly<Record<string, string>>])[] = [
      ['prepayment.balance', { balance: '3,25', 'as-of': '2026-12-01T09:00Z' }],
      ['prepayment.balance', { balance: '3.2', 'as-of': '2026-12-01T09:00Z' }],
      ['prepayment.balance', { balance: '3', 'as-of': '2026-12-01T09:00' }],
      ['limiter.set', { power: '2300 W' }],
      ['limiter.set', { watts: '2300' }],
      ['p1.set', { port: 'true' }],
      ['valve.arm', { channel: 'one', cause: 'works' }],
      ['read.now', { registers: '1-0:1.8.1,' }],
    ];
    for (const [type, texts] of wrong)
      expect(
        refusal(() => argumentsFromText(type, texts)),
        JSON.stringify(texts),
      ).toMatch(/^ERR_COMMAND_SCHEMA /);
  });

  it('are described for the API, every one with its words, and required where they have no fallback', () => {
    for (const type of COMMAND_TYPES) {
      const { properties, required } = argumentsSchema(type) as {
        properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
        required: readonly string[];
      };
      expect(Object.keys(properties)).toEqual(Object.keys(rowOf(type).arguments));
      for (const [name, schema] of Object.entries(properties)) {
        expect(schema['description'], name).toBeTypeOf('string');
        expect(required.includes(name)).toBe(!Object.hasOwn(schema, 'default'));
      }
    }
    expect(argumentsSchema('limiter.set')).toMatchObject({
      additionalProperties: false,
      properties: { powerW: { type: ['integer', 'null'], minimum: 1_000, maximum: 99_900 } },
      required: ['powerW'],
    });
  });
});

describe('the signers of a command', () => {
  const ann = { role: 'operator', person: 'ann' } as const;
  const bea = { role: 'approver', person: 'bea' } as const;
  const refused: readonly (readonly [string, CommandType, Parameters<typeof checkSigners>[1], string])[] = [
    ['nobody', 'p1.set', [], 'ERR_COMMAND_SIGNATURES'],
    ['two for what needs one', 'p1.set', [ann, bea], 'ERR_COMMAND_SIGNATURES'],
    ['one for what needs two', 'airplane.on', [ann], 'ERR_COMMAND_SIGNATURES'],
    ['a supervisor', 'p1.set', [{ role: 'supervisor', person: 'sue' }], 'ERR_COMMAND_ROLE'],
    ['an approver who proposes', 'airplane.on', [bea, ann], 'ERR_COMMAND_ROLE'],
    ['two operators', 'airplane.on', [ann, { role: 'operator', person: 'bob' }], 'ERR_COMMAND_ROLE'],
    ['two approvers', 'airplane.on', [bea, { role: 'approver', person: 'bob' }], 'ERR_COMMAND_ROLE'],
    [
      'two systems',
      'breaker.open',
      [
        { role: 'marco', person: 'marco' },
        { role: 'lopex', person: 'lopex' },
      ],
      'ERR_COMMAND_ROLE',
    ],
    [
      'a system beyond its task',
      'airplane.on',
      [{ role: 'marco', person: 'marco' }, bea],
      'ERR_COMMAND_ROLE',
    ],
    [
      'one person with two roles',
      'airplane.on',
      [ann, { role: 'approver', person: 'ann' }],
      'ERR_COMMAND_SAME_PERSON',
    ],
  ];
  it.each(refused)('are refused: %s', (_, type, signers, code) => {
    expect(refusal(() => checkSigners(type, signers))).toBe(code);
  });

  it('are refused at once where the proposal is of a role that may not', () => {
    expect(refusal(() => checkSigners('airplane.on', [bea], 'proposed'))).toBe('ERR_COMMAND_ROLE');
    expect(refusal(() => checkSigners('airplane.on', [ann, bea], 'proposed'))).toBe('ERR_COMMAND_SIGNATURES');
    expect(refusal(() => checkSigners('airplane.on', [ann], 'proposed'))).toBe('none');
  });

  it('will do: one of the roles that propose, and another person who approves what is critical', () => {
    for (const type of COMMAND_TYPES)
      for (const role of rowOf(type).propose) {
        const first = { role, person: role };
        expect(
          refusal(() => checkSigners(type, rowOf(type).critical ? [first, bea] : [first])),
          type,
        ).toBe('none');
      }
  });
});
