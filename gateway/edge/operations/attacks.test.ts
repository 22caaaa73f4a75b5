import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Command } from '../../../protocol/command/command.ts';
import { encodeCommand } from '../../../protocol/command/command.ts';
import { approveCommand, signCommand } from '../../../protocol/command/signed.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { partsOf, signedBytes, withParts } from '../../../protocol/testing/command-attacker.ts';
import { applyDelta, counterOf, NO_DELTA, newLedger, signerIdOf } from './ledger.ts';
import { initialState } from './state.ts';
import { codeOf, INSTALLATION, JUNE_MS, type TestMeter, testMeter } from './testing/meter.ts';
import { commandOf, DEVICE, FARYS, keyOf, type Name, ORES, RESA, signed } from './testing/people.ts';

const NOW = JUNE_MS / 1_000;
const open = (change: Partial<Command> = {}): Command =>
  commandOf('breaker.open', { cause: 'safety' }, JUNE_MS, change);
const limit = (change: Partial<Command> = {}): Command =>
  commandOf('limiter.set', { powerW: 2_300 }, JUNE_MS, change);
const port = (change: Partial<Command> = {}): Command => commandOf('p1.set', { on: false }, JUNE_MS, change);

/** What the meter is given by itself, after whatever came before. */
const messages = (...list: readonly (readonly [Uint8Array, TenantId])[]) => list;
const of = (command: Command, first?: Name, second?: Name) =>
  [signed(command, first, second), command.tenant] as const;

const swapped = (whole: Uint8Array, change: (payload: Buffer) => void): Uint8Array => {
  const bytes = Buffer.from(whole);
  change(bytes);
  return bytes;
};

/** `before` is taken; of the rest none is, and the code is that of the last. */
const ATTACKS: readonly {
  readonly attack: string;
  readonly code: string;
  readonly before?: () => Command;
  readonly with: (before: Command | undefined) => readonly (readonly [Uint8Array, TenantId])[];
}[] = [
  {
    attack: 'an old counter: an order that was held back until after the next',
    code: 'counter',
    before: () => commandOf('p1.set', { on: true }, JUNE_MS),
    with: (before) => messages(of(port({ counter: before!.counter - 1 }))),
  },
  {
    attack: 'the same counter once more, for another command',
    code: 'counter',
    before: () => commandOf('p1.set', { on: true }, JUNE_MS),
    with: (before) => messages(of(port({ counter: before!.counter }))),
  },
  {
    attack: 'a counter from far ahead, which would lock its signer out',
    code: 'counter',
    with: () => messages(of(port({ counter: JUNE_MS + 3_600_000 }))),
  },
  {
    attack: 'the command of another device, under this one’s topic',
    code: 'signature',
    with: () => messages([signed(open({ device: 'fedcba9876543210' as DeviceId })), ORES]),
  },
  {
    attack: 'a tenant that has nothing here',
    code: 'silent device',
    with: () => messages(of(open({ tenant: RESA }), 'rik', 'rob')),
  },
  {
    attack: 'people of another tenant, for this one’s topic',
    code: 'signer',
    with: () => messages(of(open(), 'rik', 'rob')),
  },
  {
    attack: 'a proposal of the home tenant, approved by somebody of another',
    code: 'signer',
    with: () => messages(of(open(), 'ann', 'rob')),
  },
  {
    attack: 'somebody whom nobody certified',
    code: 'signer',
    with: () => messages([signCommand({ command: port(), signer: keyOf('stranger') }), ORES]),
  },
  {
    attack: 'a role that may not',
    code: 'role',
    with: () => messages(of(port(), 'sue')),
  },
  {
    attack: 'prepayment’s own system, for the limiter',
    code: 'role',
    with: () => messages(of(limit(), 'marco')),
  },
  {
    attack: 'an approver who proposes',
    code: 'role',
    with: () => messages(of(port(), 'bea')),
  },
  {
    attack: 'an operator who approves',
    code: 'role',
    with: () => messages(of(open(), 'ann', 'bob')),
  },
  {
    attack: 'one signature for two',
    code: 'signature',
    with: () => messages([signCommand({ command: open(), signer: keyOf('ann') }), ORES]),
  },
  {
    attack: 'the proposal twice',
    code: 'people',
    with: () => {
      const whole = signed(open());
      const [proposal] = partsOf(whole);
      return messages([withParts(whole, proposal!, proposal!), ORES]);
    },
  },
  {
    attack: 'the same person with two keys and two roles',
    code: 'people',
    with: () => messages(of(open(), 'ann', 'annAgain')),
  },
  {
    attack: 'expired',
    code: 'expired',
    with: () => messages(of(port({ notBefore: NOW - 1_000, expiry: NOW }))),
  },
  {
    attack: 'not valid yet',
    code: 'early',
    with: () => messages(of(port({ notBefore: NOW + 60, expiry: NOW + 120 }))),
  },
  {
    attack: 'a guest who cuts the electricity',
    code: 'owner',
    with: () => messages(of(open({ tenant: FARYS }), 'wim', 'wil')),
  },
  {
    attack: 'a guest who closes the customer port',
    code: 'owner',
    with: () => messages(of(port({ tenant: FARYS }), 'wim')),
  },
  {
    attack: 'a guest who closes somebody else’s gas',
    code: 'owner',
    with: () =>
      messages(
        of(
          commandOf('valve.close', { channel: 1, cause: 'safety' }, JUNE_MS, { tenant: FARYS }),
          'wim',
          'wil',
        ),
      ),
  },
  {
    attack: 'the home tenant, who closes a guest’s water',
    code: 'owner',
    with: () => messages(of(commandOf('valve.close', { channel: 2, cause: 'safety' }, JUNE_MS))),
  },
  {
    attack: 'a guest who reads the electricity',
    code: 'owner',
    with: () =>
      messages(
        of(commandOf('read.now', { registers: ['1-0:1.8.1'] as never }, JUNE_MS, { tenant: FARYS }), 'wim'),
      ),
  },
  {
    attack: 'a cut for credit of somebody who is not prepaid',
    code: 'not-prepaid',
    with: () => messages(of(commandOf('breaker.open', { cause: 'credit' }, JUNE_MS), 'marco')),
  },
  {
    attack: 'a plan from too far ahead',
    code: 'arguments',
    with: () =>
      messages(of(commandOf('tariff.set', { plan: 'mono', windows: [], from: '2028-01-01' }, JUNE_MS))),
  },
  {
    attack: 'a message that ended before it came',
    code: 'arguments',
    with: () => messages(of(commandOf('display.message', { text: 'x', until: NOW }, JUNE_MS))),
  },
  {
    attack: 'a time that is not the one of its signing',
    code: 'arguments',
    with: () => messages(of(commandOf('clock.sync', { time: NOW - 86_400 }, JUNE_MS))),
  },
  {
    attack: 'a valve where none is',
    code: 'unsupported',
    with: () => messages(of(commandOf('valve.arm', { channel: 3, cause: 'works' }, JUNE_MS))),
  },
  {
    attack: 'a limit in other words than were signed',
    code: 'signature',
    with: () => {
      const command = limit();
      const at = (whole: Buffer) => whole.indexOf(Buffer.from(encodeCommand(command)));
      const raised = Buffer.from(encodeCommand({ ...command, arguments: { powerW: 9_900 } } as Command));
      return messages([swapped(signed(command), (whole) => raised.copy(whole, at(whole))), ORES]);
    },
  },
  {
    attack: 'an argument out of its range, signed with tools of one’s own',
    code: 'arguments',
    with: () => {
      const payload = Buffer.from(encodeCommand(port()));
      // The member 6 (arguments), a map of 1: 0.
      const at = payload.indexOf(Buffer.from('06a10100', 'hex'));
      payload[at + 3] = 2;
      return messages([signedBytes(payload, { tenant: ORES, device: DEVICE }, keyOf('ann')), ORES]);
    },
  },
  {
    attack: 'an approval of another command beside the proposal',
    code: 'signature',
    with: () => {
      const whole = signed(open());
      return messages([withParts(whole, partsOf(whole)[0]!, partsOf(signed(limit()))[1]!), ORES]);
    },
  },
  {
    attack: 'bytes',
    code: 'silent signature',
    with: () => messages([Buffer.from('no command'), ORES]),
  },
  {
    attack: 'approved by a machine',
    code: 'role',
    with: () => messages(of(open(), 'lopex', 'marco')),
  },
];

describe('a meter that is attacked', () => {
  let meter: TestMeter;
  beforeEach(async () => {
    meter = await testMeter();
  });
  afterEach(() => meter.end());

  it.each(ATTACKS)('does nothing for $attack: $code', async ({ code, before, with: attempts }) => {
    const first = before?.();
    if (first !== undefined) expect(await meter.outcome(first)).toBe('executed');
    const stateBefore = meter.operations.state;
    const doneBefore = meter.hardware.done.length;
    let last = '';
    for (const [bytes, tenant] of attempts(first))
      last = codeOf(await meter.operations.receive({ signed: bytes, tenant }, meter.nowMs));
    expect(last).toBe(code);
    expect(meter.hardware.done).toHaveLength(doneBefore);
    expect(meter.operations.state).toBe(stateBefore);
  });

  it('takes the very same commands where nothing is wrong with them', async () => {
    expect(await meter.outcome(open())).toBe('executed');
    expect(await meter.outcome(limit())).toBe('executed');
    expect(await meter.outcome(port())).toBe('executed');
    const water = commandOf('valve.close', { channel: 2, cause: 'works' }, JUNE_MS, { tenant: FARYS });
    expect(await meter.outcome(water, 'wim', 'wil')).toBe('executed');
    expect(meter.hardware.done).toHaveLength(4);
  });

  it('answers a replay as the first time, and does nothing', async () => {
    const command = port();
    const first = await meter.give(command);
    await meter.operations.settled(command.id);
    expect(meter.operations.results()).toEqual([]);
    const again = await meter.give(command);
    expect(again).toEqual(first);
    expect(meter.operations.results()).toHaveLength(1);
    expect(meter.hardware.count('port')).toBe(1);
  });

  it('never executes what it refused, however it comes again', async () => {
    const command = open();
    const alone = signCommand({ command, signer: keyOf('ann') });
    expect(codeOf(await meter.operations.receive({ signed: alone, tenant: ORES }, meter.nowMs))).toBe(
      'signature',
    );
    const whole = approveCommand({ signed: alone, signer: keyOf('bea') });
    expect(codeOf(await meter.operations.receive({ signed: whole, tenant: ORES }, meter.nowMs))).toBe(
      'signature',
    );
    const early = port({ notBefore: NOW + 60, expiry: NOW + 120 });
    expect(await meter.outcome(early)).toBe('early');
    meter.nowMs += 90_000;
    expect(await meter.outcome(early)).toBe('early');
    expect(meter.hardware.done).toEqual([]);
  });

  it('lets nobody change what became of a command by a forgery of it', async () => {
    const command = open();
    expect(await meter.outcome(command)).toBe('executed');
    const alone = signCommand({ command, signer: keyOf('ann') });
    expect(codeOf(await meter.operations.receive({ signed: alone, tenant: ORES }, meter.nowMs))).toBe(
      'silent signature',
    );
    expect(meter.operations.results().map(({ outcome }) => outcome.state)).toEqual(['executed']);
  });

  it('stops answering forgeries before they fill it, and still takes what is true', async () => {
    const codes: string[] = [];
    for (let count = 0; count < 80; count++) {
      const alone = signCommand({ command: open(), signer: keyOf('ann') });
      codes.push(codeOf(await meter.operations.receive({ signed: alone, tenant: ORES }, meter.nowMs)));
    }
    expect(codes.filter((code) => code === 'signature')).toHaveLength(64);
    expect(codes.filter((code) => code === 'silent signature')).toHaveLength(16);
    expect(await meter.outcome(open())).toBe('executed');
  });

  it('goes on where somebody sends old and early counters without an end', async () => {
    expect(await meter.outcome(port())).toBe('executed');
    const codes = new Set<string>();
    for (let count = 1; count <= 200; count++) {
      const counter = count % 2 === 0 ? JUNE_MS - 1_000_000 + count : JUNE_MS + 1_000_000 + count;
      codes.add(await meter.outcome(port({ counter })));
      for (const { id } of meter.operations.results()) await meter.operations.settled(id);
    }
    expect([...codes].sort()).toEqual(['counter', 'silent counter']);
    expect(await meter.outcome(port())).toBe('executed');
  });

  it('keeps the counters of people apart, and those of things', async () => {
    const late = port({ counter: JUNE_MS - 50_000 });
    expect(await meter.outcome(port({ counter: JUNE_MS }))).toBe('executed');
    expect(await meter.outcome(late)).toBe('counter');
    expect(await meter.outcome(port({ counter: JUNE_MS - 40_000 }), 'bob')).toBe('executed');
    expect(await meter.outcome(limit({ counter: JUNE_MS - 40_000 }))).toBe('executed');
  });

  it('waits with what the clock has to judge until it is set, and takes the time itself', async () => {
    await meter.end();
    meter = await testMeter({ clock: () => ({ set: false, floor: NOW - 100 }) });
    expect(await meter.outcome(port())).toBe('clock');
    expect(await meter.outcome(commandOf('clock.sync', { time: NOW }, JUNE_MS))).toBe('executed');
    const before = commandOf('clock.sync', { time: NOW - 200 }, JUNE_MS, { counter: JUNE_MS - 200_000 });
    expect(await meter.outcome(before, 'bob')).toBe('arguments');
    expect(meter.hardware.done).toEqual([{ kind: 'clock', time: NOW }]);
  });

  it('forgets no counter for want of room', () => {
    let ledger = newLedger(initialState(INSTALLATION));
    const signer = (index: number) => signerIdOf(ORES, `person ${index}`);
    for (let index = 0; index < 400; index++)
      ledger = applyDelta(ledger, {
        ...NO_DELTA,
        counter: { signer: signer(index), name: 'p1', counter: index + 1 },
      });
    expect(ledger.signers).toHaveLength(256);
    for (let index = 0; index < 400; index++)
      expect(counterOf(ledger, signer(index), 'p1')).toBeGreaterThanOrEqual(index + 1);
  });
});
