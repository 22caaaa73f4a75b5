import { describe, expect, it } from 'vitest';
import { Groups, type Member } from './group.ts';
import { PendingTable } from './pending.ts';

function member(outstanding = 0, available = true): Member & { outstanding: number; available: boolean } {
  return { outstanding, available, request: () => undefined };
}

describe('queue groups', () => {
  it('have no responder before the first member and after the last', () => {
    const groups = new Groups();
    const only = member();
    expect(groups.pick('up.index')).toBe('ERR_BUS_NO_RESPONDERS');
    groups.add('up.index', only);
    expect(groups.pick('up.index')).toBe(only);
    expect(groups.pick('up.event')).toBe('ERR_BUS_NO_RESPONDERS');
    groups.removeAll(only);
    expect(groups.pick('up.index')).toBe('ERR_BUS_NO_RESPONDERS');
  });

  it('are overloaded when every member is, and not before', () => {
    const groups = new Groups();
    const [full, free] = [member(0, false), member(50)];
    groups.add('up.index', full);
    expect(groups.pick('up.index')).toBe('ERR_BUS_OVERLOADED');
    groups.add('up.index', free);
    expect(groups.pick('up.index')).toBe(free);
  });

  it('take the member with the least to do, and turns among equals', () => {
    const groups = new Groups();
    const [busy, first, second] = [member(9), member(), member()];
    for (const one of [busy, first, second]) groups.add('up.index', one);
    const picks = Array.from({ length: 30 }, () => groups.pick('up.index'));
    expect(picks).not.toContain(busy);
    expect(picks.filter((pick) => pick === first).length).toBeGreaterThan(5);
    expect(picks.filter((pick) => pick === second).length).toBeGreaterThan(5);
  });

  it('count a member once, however often it says that it serves', () => {
    const groups = new Groups();
    const one = member();
    groups.add('up.index', one);
    groups.add('up.index', one);
    expect(groups.size('up.index')).toBe(1);
  });
});

describe('pending requests', () => {
  it('are not settled by somebody who was not asked', () => {
    const table = new PendingTable();
    const [asked, other] = [{}, {}];
    const outcomes: unknown[] = [];
    const id = table.add(asked, 1_000, (outcome) => outcomes.push(outcome));
    expect(table.settle(id, other, new Uint8Array(1))).toBe(false);
    expect(table.settle(id + 1, asked, new Uint8Array(1))).toBe(false);
    expect(table.settle(id, asked, new Uint8Array(2))).toBe(true);
    expect(table.settle(id, asked, new Uint8Array(3))).toBe(false);
    expect(outcomes).toEqual([new Uint8Array(2)]);
  });

  it('fail with whoever was asked, the others stay', () => {
    const table = new PendingTable();
    const [gone, stays] = [{}, {}];
    const outcomes: unknown[] = [];
    table.add(gone, 1_000, (outcome) => outcomes.push(outcome));
    table.add(stays, 1_000, (outcome) => outcomes.push(outcome));
    table.fail('ERR_BUS_DISCONNECTED', gone);
    expect([outcomes, table.size]).toEqual([['ERR_BUS_DISCONNECTED'], 1]);
    table.fail('ERR_BUS_CLOSED');
    expect([outcomes, table.size]).toEqual([['ERR_BUS_DISCONNECTED', 'ERR_BUS_CLOSED'], 0]);
  });

  it('leave no timer behind once the table is empty', () => {
    const table = new PendingTable();
    for (let i = 0; i < 100; i++) table.add({}, 1_000_000, () => undefined);
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    table.fail('ERR_BUS_CLOSED');
    expect(timers()).toBe(before - 1);
  });

  it.each([Number.NaN, -1, 0])('are over at once with a deadline of %d', async (deadlineMs) => {
    const table = new PendingTable();
    const outcome = await new Promise((resolve) => table.add({}, deadlineMs, resolve));
    expect(outcome).toBe('ERR_BUS_TIMEOUT');
  });

  it.each([2 ** 32 - 1, Number.POSITIVE_INFINITY])(
    'do not spin with a deadline of %d',
    async (deadlineMs) => {
      const table = new PendingTable();
      let warned = '';
      const onWarning = (warning: Error): void => {
        warned = warning.name;
      };
      process.on('warning', onWarning);
      const outcomes: unknown[] = [];
      table.add({}, deadlineMs, (outcome) => outcomes.push(outcome));
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.off('warning', onWarning);
      expect([warned, outcomes, table.size]).toEqual(['', [], 1]);
      table.fail('ERR_BUS_CLOSED');
    },
  );

  it('may ask anew while they are settled', async () => {
    const table = new PendingTable();
    const outcomes: string[] = [];
    table.add({}, 15, () => {
      outcomes.push('first');
      table.add({}, 15, () => outcomes.push('second'));
    });
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect([outcomes, table.size]).toEqual([['first', 'second'], 0]);
  });
});
