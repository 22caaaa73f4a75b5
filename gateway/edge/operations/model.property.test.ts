import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCommand } from '../../../protocol/command/command.ts';
import { TARIFF_PRESETS } from '../../../protocol/command/presets.ts';
import { type ArgumentsOf, COMMAND_TYPES, type CommandType } from '../../../protocol/command/table.ts';
import { PLANS } from '../../../protocol/command/tariff.ts';
import { dayAt } from '../days/calendar.ts';
import { judge } from './accept.ts';
import { decodeLedger, encodeLedger } from './codec.ts';
import { happen, type MeterEvent, rule } from './events.ts';
import { type Installation, isProtected, needsLeakTest } from './installation.ts';
import { applyDelta, type Known, type Ledger, NO_DELTA, newLedger, signerIdOf } from './ledger.ts';
import { initialState, isWithheld, type MeterState } from './state.ts';
import type { Step } from './step.ts';
import { GAS_METER, INSTALLATION, JUNE_MS } from './testing/meter.ts';
import { commandOf, freshId, ORES } from './testing/people.ts';
import { viewAt } from './view.ts';

/** Whatever comes in whatever order, a meter is never in a state in which it must not be. */

const SEED = Number(process.env['HES_SEED'] ?? 41_124);
const cause = fc.constantFrom(
  'credit',
  'credit',
  'credit',
  'request',
  'moving-out',
  'works',
  'safety',
  'fraud',
);
const channel = fc.constantFrom(0, 0, 1, 1, 1, 2, 3, 4);
const cents = fc.oneof(fc.constantFrom(-3_000, -1_500, 51), fc.integer({ min: -3_000, max: 3_000 }));
/** Seconds before or after now. */
const about = fc.integer({ min: -400, max: 90_000 });

const ARGUMENTS: { readonly [T in CommandType]: (now: number) => fc.Arbitrary<ArgumentsOf<T>> } = {
  'tariff.set': (now) =>
    fc
      .record({ preset: fc.constantFrom(...TARIFF_PRESETS), days: fc.integer({ min: -3, max: 20 }) })
      .map(({ preset: { plan, windows }, days }) => ({
        plan,
        windows,
        from: dayAt(now + days * 86_400).name,
      })),
  'prepayment.activate': () =>
    fc.record({
      startCreditCents: fc.integer({ min: 0, max: 2_000 }),
      lowCreditAlertCents: fc.integer({ min: 0, max: 5_000 }),
      emergencyCreditCents: fc.integer({ min: 0, max: 1_500 }),
    }),
  'prepayment.deactivate': () => fc.constant({}),
  'prepayment.balance': (now) =>
    fc.record({
      balanceCents: cents,
      asOf: about.map((ahead) => now + (ahead % 400)),
      topUpCents: fc.constant(null),
    }),
  'breaker.open': () => fc.record({ cause }),
  'breaker.arm': () => fc.record({ cause }),
  'valve.close': () => fc.record({ channel, cause }),
  'valve.arm': () => fc.record({ channel, cause }),
  'limiter.set': () => fc.record({ powerW: fc.constantFrom(null, 1_000, 2_300) }),
  'airplane.on': () => fc.constant({}),
  'p1.set': () => fc.record({ on: fc.boolean() }),
  'read.now': () => fc.constant({ registers: [] }),
  'display.message': (now) =>
    fc.record({ text: fc.constantFrom('', 'a'), until: about.map((ahead) => now + ahead) }),
  'clock.sync': (now) => fc.record({ time: fc.constant(now) }),
  'credential.renew': () => fc.record({ key: fc.constantFrom('tls', 'sign', 'agree') }),
};

/** What plays together is drawn more often. */
const OFTEN: readonly CommandType[] = [
  'prepayment.activate',
  'prepayment.balance',
  'prepayment.balance',
  'breaker.open',
  'breaker.open',
  'breaker.arm',
  'valve.close',
  'valve.close',
  'valve.arm',
];

type Input =
  | { readonly kind: 'command'; readonly type: CommandType; readonly seed: number }
  | { readonly kind: 'event'; readonly event: MeterEvent }
  | { readonly kind: 'pass'; readonly seconds: number }
  | { readonly kind: 'settle' };

const event: fc.Arbitrary<MeterEvent> = fc.oneof(
  fc.record({ kind: fc.constant('button' as const), channel, heldMs: fc.constantFrom(50, 2_999, 3_000) }),
  fc.record({ kind: fc.constant('next-screen' as const) }),
  fc.record({ kind: fc.constant('end-airplane' as const) }),
  fc.record({ kind: fc.constant('set-alert' as const), cents }),
  fc.record({ kind: fc.constant('load' as const), powerW: fc.integer({ min: 0, max: 9_000 }) }),
  fc.record({ kind: fc.constant('leak-tested' as const), channel, tight: fc.boolean() }),
  fc.record({ kind: fc.constant('power-restored' as const), channel }),
);

const input: fc.Arbitrary<Input> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('command' as const),
      type: fc.constantFrom(...OFTEN, ...COMMAND_TYPES),
      seed: fc.integer(),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('event' as const), event }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('pass' as const),
      seconds: fc.constantFrom(1, 11, 40, 3_600, 40 * 86_400),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'settle' as const }) },
);

interface Seen {
  readonly before: MeterState;
  readonly after: MeterState;
  readonly by: string;
  readonly input: Input;
  readonly now: number;
}

/** What must hold of each change. */
function checkChange({ before, after, by, input, now }: Seen, installation: Installation): void {
  if (before.breaker?.position !== 1 && after.breaker?.position === 1)
    expect(by, 'a breaker closes by its button only').toBe('button');
  for (const valve of after.valves) {
    const old = before.valves.find((candidate) => candidate.channel === valve.channel);
    if (valve.position !== 1 || old?.position === 1) continue;
    if (needsLeakTest(installation, valve.channel)) {
      expect(by, 'gas flows after a leak test only').toBe('leak-tested');
      expect(input.kind === 'event' && input.event.kind === 'leak-tested' && input.event.tight).toBe(true);
      expect(old?.testing).toBe(true);
    } else expect(by, 'a valve opens by its button only').toBe('button');
  }
  const switches = (state: MeterState) => [
    ...(state.breaker === null ? [] : [state.breaker]),
    ...state.valves,
  ];
  switches(after).forEach((current, index) => {
    const isNew = current.causes.includes('credit') && !switches(before)[index]!.causes.includes('credit');
    if (isNew) expect(isProtected(installation, now), 'nobody is cut for credit when protected').toBe(false);
  });
  if (before.airplane !== null && by.startsWith('command'))
    expect(after, 'in airplane mode a meter takes nothing').toBe(before);
  if (before.airplane !== null && after.airplane === null) expect(by).toBe('end-airplane');
  if (before.airplane !== null)
    expect(isWithheld(after, now - 1, now) || now - 1 < before.airplane.since).toBe(true);
}

/** What must hold of each state. */
function checkState(state: MeterState, now: number): void {
  expect(state.prepayment !== null && state.airplane !== null, 'prepaid in airplane mode').toBe(false);
  for (const current of [...(state.breaker === null ? [] : [state.breaker]), ...state.valves])
    if (current.causes.length > 0) expect(current.position, 'cut and not open').toBe(0);
  for (const valve of state.valves) if (valve.testing) expect(valve.position).toBe(2);
  if (state.breaker?.restUntil !== null && state.breaker !== null) expect(state.breaker.position).toBe(0);
  if (state.nextTariff !== null) expect(state.nextTariff.from > dayAt(now).name).toBe(true);
  const view = viewAt(state, now);
  expect(view.rate).toBeLessThanOrEqual(PLANS[state.tariff.plan].rates.length);
  expect(view.display.screens).toHaveLength(state.prepayment === null ? 0 : 3);
  expect(state.silences.length).toBeLessThanOrEqual(16);
}

function play(inputs: readonly Input[], installation: Installation, startSeconds: number): void {
  const signer = signerIdOf(ORES, 'ann');
  let now = startSeconds;
  let ledger: Ledger = newLedger(initialState(installation));
  let sequence = 0;
  const take = (step: Step, by: string, from: Input): void => {
    const before = ledger.state;
    ledger = applyDelta(ledger, { ...NO_DELTA, state: step.state });
    checkChange({ before, after: ledger.state, by, input: from, now }, installation);
  };
  const rules = (from: Input): void => {
    for (let count = 0; count <= 8; count++) {
      const step = rule(ledger.state, { now, installation });
      if (step === undefined) return;
      take(step, 'rule', from);
    }
    expect.unreachable('rules without an end');
  };
  for (const from of inputs) {
    if (from.kind === 'pass') now += from.seconds;
    else if (from.kind === 'settle') {
      const airplane = ledger.state.airplane;
      if (airplane !== null) ledger = applyDelta(ledger, { ...NO_DELTA, settled: airplane.command });
    } else if (from.kind === 'event') {
      const step = happen(ledger.state, from.event, { now, installation });
      if (step !== undefined) take(step, from.event.kind, from);
    } else {
      const [args] = fc.sample(ARGUMENTS[from.type](now) as fc.Arbitrary<object>, {
        seed: from.seed,
        numRuns: 1,
      });
      const command = commandOf(from.type, args as never, now * 1_000, { id: freshId() });
      encodeCommand(command);
      const judged = judge(command, signer, ledger, { now, installation, clockSet: true, clockFloor: 0 });
      const code = 'code' in judged ? judged.code : null;
      const known: Known = {
        id: command.id,
        tenant: ORES,
        sequence: ++sequence,
        time: now,
        code,
        reads: null,
        standing: 'open',
      };
      const before = ledger.state;
      if ('take' in judged) take(judged.take, `command ${from.type}`, from);
      ledger = applyDelta(ledger, { ...NO_DELTA, counter: judged.counter, known });
      ledger = applyDelta(ledger, {
        ...NO_DELTA,
        settled: command.type === 'airplane.on' ? null : command.id,
      });
      if ('code' in judged) expect(ledger.state).toEqual(before);
    }
    rules(from);
    checkState(ledger.state, now);
  }
  const kept = { ...ledger, state: { ...ledger.state, overSince: null, screen: 0 } };
  expect(decodeLedger(encodeLedger(ledger))).toEqual(kept);
}

const NOVEMBER_SECONDS = Date.UTC(2026, 9, 20) / 1_000;

describe('a meter under whatever comes', () => {
  it.each([
    ['an electricity meter with gas and water, in summer', INSTALLATION, JUNE_MS / 1_000],
    ['the same on the way into the winter', INSTALLATION, NOVEMBER_SECONDS],
    ['a gas meter', GAS_METER, NOVEMBER_SECONDS],
  ] as const)('is never where it must not be: %s', (_, installation, start) => {
    fc.assert(
      fc.property(fc.array(input, { minLength: 20, maxLength: 80, size: 'max' }), (inputs) =>
        play(inputs, installation, start),
      ),
      { seed: SEED, numRuns: 100 },
    );
  });
});
