import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { presetWindows } from '../../../protocol/command/presets.ts';
import type { ArgumentsOf, CommandType } from '../../../protocol/command/table.ts';
import { dayNamed } from '../days/calendar.ts';
import type { MeterEvent } from './events.ts';
import { Operations } from './operations.ts';
import { FakeHardware } from './testing/hardware.ts';
import { GAS_METER, INSTALLATION, type TestMeter, testMeter } from './testing/meter.ts';
import { commandOf, FARYS, ORES, signed, trust } from './testing/people.ts';

let meter: TestMeter;
beforeEach(async () => {
  meter = await testMeter();
});
afterEach(() => meter.end());

const view = () => meter.operations.view(meter.nowMs);
const give = <T extends CommandType>(type: T, args: ArgumentsOf<T>): Promise<string> =>
  meter.outcome(commandOf(type, args, meter.nowMs));
const happen = (event: MeterEvent): Promise<boolean> => meter.operations.happen(event, meter.nowMs);
const press = (channel = 0, heldMs = 50) => happen({ kind: 'button', channel, heldMs });
const pass = async (seconds: number): Promise<void> => {
  meter.nowMs += seconds * 1_000;
  await meter.operations.tick(meter.nowMs);
};
const at = (day: string, hour: number, minute = 0): number =>
  (dayNamed(day).start + hour * 3_600 + minute * 60) * 1_000;
const cut = { cause: 'safety' } as const;

describe('the breaker', () => {
  it('does not close from afar: it is armed, and somebody presses the button', async () => {
    expect(view().breaker).toBe(1);
    expect(await give('breaker.open', cut)).toBe('executed');
    expect(view().breaker).toBe(0);
    expect(await press()).toBe(false);
    expect(await give('breaker.arm', cut)).toBe('executed');
    expect(view()).toMatchObject({ breaker: 2, display: { symbols: { arrow: 'blinking' } } });
    expect(await press()).toBe(true);
    expect(view()).toMatchObject({ breaker: 1, display: { symbols: { arrow: 'off' } } });
    expect(meter.hardware.done.map((action) => 'position' in action && action.position)).toEqual([0, 2, 1]);
  });

  it('stays closed where it is armed without having been open', async () => {
    expect(await give('breaker.arm', cut)).toBe('executed');
    expect(view().breaker).toBe(1);
    expect(meter.hardware.done).toEqual([]);
  });

  it('does not lift a cut for safety because of credit', async () => {
    await give('breaker.open', cut);
    expect(await give('breaker.arm', { cause: 'credit' })).toBe('arguments');
    expect(view().breaker).toBe(0);
  });

  it('says what hardware did not do, and stays where it was', async () => {
    meter.hardware.fails.set('breaker', 'hardware');
    const command = commandOf('breaker.open', cut, meter.nowMs);
    expect(await meter.outcome(command)).toBe('hardware');
    expect(view().breaker).toBe(1);
    expect(await meter.outcome(command)).toBe('hardware');
  });
});

describe('the limiter', () => {
  const load = async (powerW: number, seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      await happen({ kind: 'load', powerW });
      await pass(1);
    }
  };

  it('trips after ten seconds above it, rests, and lets the button close again', async () => {
    expect(await give('limiter.set', { powerW: 2_300 })).toBe('executed');
    await load(2_400, 9);
    await load(2_300, 1);
    await load(2_400, 10);
    expect(view().breaker).toBe(1);
    await load(2_400, 1);
    expect(view()).toMatchObject({ breaker: 0, limiterW: 2_300 });
    expect(await press()).toBe(false);
    await pass(30);
    expect(view().breaker).toBe(2);
    expect(await press()).toBe(true);
    expect(view().breaker).toBe(1);
    expect(meter.notices).toEqual(['limiter-tripped', 'armed', 'supply-closed']);
  });

  it('gives back at once where the limit ends, and never a supply that was cut from afar', async () => {
    await give('limiter.set', { powerW: 1_000 });
    await load(5_000, 11);
    expect(view().breaker).toBe(0);
    await give('limiter.set', { powerW: null });
    expect(view().breaker).toBe(2);
    await give('breaker.open', cut);
    await pass(3_600);
    expect(view().breaker).toBe(0);
  });
});

describe('valves', () => {
  it('opens gas by a button that is held three seconds and a test that was tight', async () => {
    await give('valve.close', { channel: 1, cause: 'works' });
    expect(await press(1, 5_000)).toBe(false);
    await give('valve.arm', { channel: 1, cause: 'works' });
    expect(await press(1, 2_999)).toBe(false);
    expect(await press(1, 3_000)).toBe(true);
    expect(view().valves[0]).toEqual({ channel: 1, position: 2, testing: true });
    await happen({ kind: 'leak-tested', channel: 1, tight: false });
    expect(view().valves[0]).toEqual({ channel: 1, position: 2, testing: false });
    expect(meter.notices.at(-1)).toBe('leak');
    await press(1, 3_000);
    await happen({ kind: 'leak-tested', channel: 1, tight: true });
    expect(view().valves[0]).toEqual({ channel: 1, position: 1, testing: false });
  });

  it('forgets a test that was under way when the valve was closed', async () => {
    await give('valve.close', { channel: 1, cause: 'works' });
    await give('valve.arm', { channel: 1, cause: 'works' });
    await press(1, 3_000);
    await give('valve.close', { channel: 1, cause: 'safety' });
    expect(await happen({ kind: 'leak-tested', channel: 1, tight: true })).toBe(false);
    expect(view().valves[0]!.position).toBe(0);
  });

  it('opens water by the button alone, for its own tenant', async () => {
    const water = (type: 'valve.close' | 'valve.arm') =>
      meter.outcome(
        commandOf(type, { channel: 2, cause: 'works' }, meter.nowMs, { tenant: FARYS }),
        'wim',
        'wil',
      );
    expect(await water('valve.close')).toBe('executed');
    expect(await water('valve.arm')).toBe('executed');
    expect(await press(2)).toBe(true);
    expect(view().valves[1]).toEqual({ channel: 2, position: 1, testing: false });
  });

  it('brings supply back after a power failure: gas by a leak test, and what was cut stays cut', async () => {
    await give('breaker.open', cut);
    await meter.operations.powerRestored(meter.nowMs);
    expect(view().breaker).toBe(0);
    expect(view().valves[0]).toEqual({ channel: 1, position: 2, testing: true });
    await happen({ kind: 'leak-tested', channel: 1, tight: true });
    expect(view().valves.map(({ position }) => position)).toEqual([1, 1]);
    await give('valve.close', { channel: 1, cause: 'fraud' });
    await meter.operations.powerRestored(meter.nowMs);
    expect(view().valves[0]).toEqual({ channel: 1, position: 0, testing: false });
  });

  it('says that a channel is silent, changes nothing, and takes the same command later', async () => {
    meter.hardware.fails.set('valve', 'channel');
    const command = commandOf('valve.close', { channel: 1, cause: 'works' }, meter.nowMs);
    expect(await meter.outcome(command)).toBe('channel');
    expect(view().valves[0]!.position).toBe(1);
    meter.hardware.fails.clear();
    expect(await meter.outcome(command)).toBe('executed');
    expect(meter.operations.results()).toHaveLength(1);
  });
});

describe('tariffs', () => {
  const rates = (day: string, hours: readonly number[]) =>
    hours.map((hour) => meter.operations.view(at(day, hour)).rate);

  it('takes a plan at the local midnight of its day, and switches by its windows', async () => {
    meter.nowMs = at('2026-12-20', 9);
    const windows = presetWindows(ORES, 'bi', '2027-01-01')!;
    expect(await give('tariff.set', { plan: 'bi', windows, from: '2027-01-01' })).toBe('executed');
    meter.nowMs = at('2026-12-31', 23, 59);
    await pass(59);
    expect(view().rate).toBe(1);
    expect(meter.notices).toEqual([]);
    await pass(1);
    expect(view()).toMatchObject({ rate: 2, register: 2 });
    expect(meter.notices).toEqual(['tariff-changed']);
    expect(rates('2027-01-02', [6, 7, 10, 11, 16, 17, 21, 22])).toEqual([2, 1, 1, 2, 2, 1, 1, 2]);
  });

  it('shows three rates of IMPACT and runs two registers', async () => {
    const windows = presetWindows(ORES, 'impact', '2026-06-01')!;
    expect(await give('tariff.set', { plan: 'impact', windows, from: '2026-06-01' })).toBe('executed');
    const seen = [0, 1, 7, 11, 17, 22].map((hour) => meter.operations.view(at('2026-06-02', hour)));
    expect(seen.map(({ rate }) => rate)).toEqual([2, 3, 2, 3, 1, 2]);
    expect(seen.map(({ register }) => register)).toEqual([1, 2, 1, 2, 1, 1]);
    expect(await give('airplane.on', {})).toBe('arguments');
  });

  it('keeps to the clock on the wall on the days on which that is changed', async () => {
    meter.nowMs = at('2026-03-20', 9);
    const windows = presetWindows(ORES, 'bi', '2026-03-20')!;
    await give('tariff.set', { plan: 'bi', windows, from: '2026-03-20' });
    const start = dayNamed('2026-03-29').start;
    const rateAfter = (hours: number) => meter.operations.view((start + hours * 3_600) * 1_000).rate;
    // 07:00 on the wall is six hours after midnight.
    expect([5, 6].map(rateAfter)).toEqual([2, 1]);
  });

  it('lets the last word hold', async () => {
    const windows = presetWindows(ORES, 'bi', '2027-01-01')!;
    await give('tariff.set', { plan: 'bi', windows, from: '2026-07-01' });
    await give('tariff.set', { plan: 'mono', windows: [], from: '2026-06-01' });
    await pass(60 * 86_400);
    expect(meter.operations.state).toMatchObject({ tariff: { plan: 'mono' }, nextTariff: null });
  });
});

describe('messages and the customer port', () => {
  it('shows a message until its end', async () => {
    const until = meter.nowMs / 1_000 + 100;
    expect(await give('display.message', { text: 'Coupure demain à 9 h', until })).toBe('executed');
    await pass(99);
    expect(view().message).toBe('Coupure demain à 9 h');
    await pass(1);
    expect(view().message).toBe('');
    expect(meter.notices).toEqual(['message-ended']);
  });

  it('takes a message away by an empty one', async () => {
    await give('display.message', { text: 'x', until: meter.nowMs / 1_000 + 100 });
    await give('display.message', { text: '', until: 0 });
    expect(view().message).toBe('');
  });

  it('closes and opens the port', async () => {
    expect(await give('p1.set', { on: false })).toBe('executed');
    expect(view().port).toBe(false);
    expect(await give('p1.set', { on: true })).toBe('executed');
    expect(view().port).toBe(true);
  });
});

describe('reading on demand', () => {
  it('names the channels of its tenant, and leaves no reading in the journal', async () => {
    await give('read.now', { registers: [] });
    expect(meter.operations.results()[0]!.reads).toEqual({ channels: [0, 1, 3], registers: [] });
    const guest = commandOf('read.now', { registers: [] }, meter.nowMs, { tenant: FARYS });
    await meter.outcome(guest, 'wim');
    expect(meter.operations.results()[1]!.reads).toEqual({ channels: [2], registers: [] });
    expect(meter.hardware.done).toEqual([{ kind: 'reach', channel: 2 }]);
  });

  it('says that the one channel which it asks is silent', async () => {
    meter.hardware.fails.set('reach', 'channel');
    expect(await give('read.now', { registers: ['0-1:24.2.3'] as never })).toBe('channel');
    expect(meter.operations.results()[0]!.reads).toBeNull();
  });
});

describe('airplane mode', () => {
  it('acknowledges, goes silent, goes on at the port, and ends at the meter only', async () => {
    await give('display.message', { text: 'x', until: meter.nowMs / 1_000 + 10 });
    for (const { id } of meter.operations.results()) await meter.operations.settled(id);
    const since = meter.nowMs / 1_000;
    const command = commandOf('airplane.on', {}, meter.nowMs);
    expect(await meter.outcome(command)).toBe('executed');
    expect(meter.operations.silent).toBe(false);
    expect(meter.operations.results().map(({ id }) => id)).toEqual([command.id]);
    await meter.operations.settled(command.id);
    expect(meter.operations.silent).toBe(true);
    expect(view()).toMatchObject({
      port: true,
      display: { symbols: { airplane: true, communication: false } },
    });
    await pass(86_400);
    expect(await give('p1.set', { on: false })).toBe('airplane');
    expect(await give('airplane.on', {})).toBe('airplane');
    expect(meter.operations.results()).toEqual([]);
    expect(view()).toMatchObject({ port: true, message: '' });
    expect(await happen({ kind: 'end-airplane' })).toBe(true);
    expect(meter.notices.at(-1)).toBe('airplane-ended');
    expect(meter.operations.silent).toBe(false);
    expect(meter.operations.results().map(({ outcome }) => outcome.code)).toEqual(['airplane', 'airplane']);
    const withheld = [since - 1, since, since + 86_399, since + 86_400];
    expect(withheld.map((second) => meter.operations.withheld(second))).toEqual([false, true, true, true]);
  });

  it('is not for a prepaid meter', async () => {
    const credit = { startCreditCents: 2_000, lowCreditAlertCents: 500, emergencyCreditCents: 1_500 };
    expect(await give('prepayment.activate', credit)).toBe('executed');
    expect(await give('airplane.on', {})).toBe('prepaid');
    expect(await give('prepayment.deactivate', {})).toBe('executed');
    expect(await give('airplane.on', {})).toBe('executed');
    expect(await give('prepayment.activate', credit)).toBe('airplane');
  });
});

describe('a gas meter of its own', () => {
  it('is prepaid by its valve, and has no breaker', async () => {
    await meter.end();
    meter = await testMeter({ installation: GAS_METER });
    expect(view().breaker).toBeNull();
    expect(await give('breaker.open', cut)).toBe('unsupported');
    await give('prepayment.activate', {
      startCreditCents: 0,
      lowCreditAlertCents: 500,
      emergencyCreditCents: 1_500,
    });
    const balance = (balanceCents: number) =>
      give('prepayment.balance', { balanceCents, asOf: meter.nowMs / 1_000, topUpCents: null });
    expect(await give('valve.close', { channel: 0, cause: 'credit' })).toBe('arguments');
    await balance(-1_500);
    expect(await give('valve.close', { channel: 0, cause: 'credit' })).toBe('executed');
    await balance(50);
    expect(view().valves[0]!.position).toBe(0);
    await balance(51);
    expect(view().valves[0]!.position).toBe(2);
    await press(0, 3_000);
    await happen({ kind: 'leak-tested', channel: 0, tight: true });
    expect(view().valves[0]!.position).toBe(1);
  });
});

describe('what lasts', () => {
  const reopened = async (options: { readonly hardware?: FakeHardware } = {}): Promise<Operations> => {
    await meter.operations.close();
    return Operations.open({
      directory: meter.directory,
      installation: INSTALLATION,
      hardware: options.hardware ?? meter.hardware,
      trust,
      files: meter.files,
      nowMs: meter.nowMs,
    });
  };

  it('is all that commands set, their counters and their results', async () => {
    const command = commandOf('limiter.set', { powerW: 2_300 }, meter.nowMs);
    await meter.give(command);
    await give('display.message', { text: 'x', until: meter.nowMs / 1_000 + 1_000 });
    const { state } = meter.operations;
    const results = meter.operations.results();
    const again = await reopened();
    expect(again.state).toEqual(state);
    expect(again.results()).toEqual(results);
    const older = commandOf('limiter.set', { powerW: null }, meter.nowMs, { counter: command.counter });
    const receipt = await again.receive({ signed: signed(older), tenant: ORES }, meter.nowMs);
    expect(receipt).toMatchObject({ result: { outcome: { code: 'counter' } } });
    await again.close();
  });

  it('tests for leaks once more where it did not live to hear the end of a test', async () => {
    await give('valve.close', { channel: 1, cause: 'works' });
    await give('valve.arm', { channel: 1, cause: 'works' });
    await press(1, 3_000);
    const again = await reopened();
    expect(meter.hardware.count('leak-test')).toBe(2);
    expect(again.view(meter.nowMs).valves[0]).toEqual({ channel: 1, position: 2, testing: true });
    await again.happen({ kind: 'leak-tested', channel: 1, tight: true }, meter.nowMs);
    expect(again.view(meter.nowMs).valves[0]!.position).toBe(1);
    await again.close();
  });

  it('refuses more results than it may keep, and takes the same command when there is room', async () => {
    for (let count = 0; count < 64; count++)
      expect(await give('read.now', { registers: [] })).toBe('executed');
    const command = commandOf('p1.set', { on: false }, meter.nowMs);
    expect(await meter.outcome(command)).toBe('busy');
    expect(view().port).toBe(true);
    await meter.operations.settled(meter.operations.results()[0]!.id);
    expect(await meter.outcome(command)).toBe('executed');
  });

  it('is one process’s at a time', async () => {
    await expect(
      Operations.open({
        directory: meter.directory,
        installation: INSTALLATION,
        hardware: new FakeHardware(),
        trust,
        nowMs: meter.nowMs,
      }),
    ).rejects.toMatchObject({ code: 'ERR_OUTBOX_LOCKED' });
  });

  it('is used no more after close()', async () => {
    const again = await reopened();
    await again.close();
    await expect(again.tick(meter.nowMs)).rejects.toMatchObject({ code: 'ERR_OPERATIONS_CLOSED' });
  });
});
