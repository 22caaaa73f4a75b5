import { afterEach, describe, expect, it } from 'vitest';
import { dayAfter, dayNamed } from '../../gateway/edge/days/calendar.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { Lopex } from '../support/lopex.ts';
import { PREPAYMENT_RULES } from '../support/marco-accounts.ts';
import { approveAll } from '../support/marco-desk.ts';
import { portOf, supplyOf } from '../support/marco-household.ts';
import { STORY, STORY_PROTECTED_FROM_DAY, tellStory } from '../support/marco-story.ts';
import { type MarcoWorld, marcoWorld } from '../support/marco-world.ts';

const FIRST = dayNamed('2026-09-15');
const at = (day: number, hour: number): number => (dayAfter(FIRST, day).start + hour * 3_600) * 1_000;

let world: MarcoWorld;
afterEach(() => world.end());

describe('the prepayment platform, through a desk', () => {
  it('runs two households for sixty days, each screen, supply and message as counted', async () => {
    const refused: string[] = [];
    world = await marcoWorld({
      startMs: at(0, 8),
      media: ['electricity', 'gas'],
      onRefused: (what) => refused.push(what),
    });
    const { households, store } = world;
    await world.activate();
    for (const { account } of households)
      expect((await store.meter(account.device))?.creditMode).toBe('prepaid');
    // The non-disconnection period begins on 1 November.
    expect(dayAfter(FIRST, STORY_PROTECTED_FROM_DAY).name).toBe('2026-11-01');
    expect(await tellStory(world, FIRST)).toEqual(STORY);
    expect(refused).toEqual([]);
    // Beyond the end of their emergency credit, and nobody ordered a cut.
    expect(households[0]!.account.balanceCents).toBeLessThan(-PREPAYMENT_RULES.emergencyCents);
    expect(households.map(({ home }) => supplyOf(home.view()))).toEqual([1, 1]);
  });

  it('waits for the result of a balance before it orders a cut: an order that overtakes is refused', async () => {
    const refused: string[] = [];
    world = await marcoWorld({
      startMs: at(0, 8),
      media: ['electricity'],
      onRefused: (what) => refused.push(what),
    });
    const { platform, face, hand, households, clock: time } = world;
    const { account, home } = households[0]!;
    await world.activate();
    time.advance(60_000);
    await platform.closeDay(() => 4_000);
    // The balance waits in the queue; nothing is ordered on the strength of it.
    expect(await platform.order()).toEqual([]);
    const early = hand('marco').propose(account.device, 'breaker.open', { cause: 'credit' }, 'too early');
    await face.propose(early);
    await approveAll(face, hand('bea'), [early.id]);
    await world.wakeAll();
    // By priority it went first, and the meter still showed 20 €.
    expect(await face.show(early.id)).toMatchObject({ state: 'refused', code: 'arguments' });
    expect(supplyOf(home.view())).toBe(1);

    time.advance(60_000);
    await world.round();
    expect(supplyOf(home.view())).toBe(0);
    expect(refused).toEqual([]);
  });

  it('cuts nobody in the non-disconnection period, whatever the platform’s own calendar says', async () => {
    const refused: string[] = [];
    world = await marcoWorld({
      startMs: (dayNamed('2026-12-01').start + 8 * 3_600) * 1_000,
      media: ['electricity'],
      platformIsProtected: () => false,
      onRefused: (what) => refused.push(what),
    });
    await world.activate();
    world.clock.advance(60_000);
    await world.platform.closeDay(() => 6_000);
    await world.round();
    expect(refused).toEqual(['cut ERR_DESK_PROTECTED']);
    expect(supplyOf(world.households[0]!.home.view())).toBe(1);
  });

  it('needs a person for a cut: its own signature alone moves nothing', async () => {
    world = await marcoWorld({ startMs: at(0, 8), media: ['electricity'] });
    const { platform, face, hand, households } = world;
    await world.activate();
    world.clock.advance(60_000);
    await platform.closeDay(() => 6_000);
    await world.wakeAll();
    await platform.follow();
    const [cut] = await platform.order();
    const { signed } = await face.show(cut!);
    expect(() => hand('marco').approve(signed)).toThrow(
      expect.objectContaining({ code: 'ERR_COMMAND_SAME_KEY' }),
    );
    await expect(face.approve(cut!, hand('lopex').approve(signed))).rejects.toMatchObject({
      code: 'ERR_COMMAND_ROLE',
    });
    await world.wakeAll();
    expect(await face.show(cut!)).toMatchObject({ state: 'awaiting-approval' });
    expect(supplyOf(households[0]!.home.view())).toBe(1);
  });
});

describe('the customer-service system, through a desk', () => {
  it('changes a tariff on the day that was asked for, and may not cut by itself', async () => {
    world = await marcoWorld({ startMs: at(0, 8), media: ['electricity'] });
    const { home, account } = world.households[0]!;
    const lopex = new Lopex('ores' as TenantId, world.face, world.hand('lopex'));
    const { device } = account;
    const asked = { device, plan: 'bi', from: '2026-10-01', caseNumber: 'case 4711' } as const;
    const { id } = await lopex.changeTariff(asked);
    await world.wakeAll();
    expect(await world.face.show(id)).toMatchObject({ state: 'executed' });
    const planned = { tariffPlan: 'mono', tariffPlanned: { plan: 'bi', from: '2026-10-01' } };
    expect(await world.store.meter(device)).toMatchObject(planned);
    const midnight = dayNamed('2026-10-01').start * 1_000;
    const rates: number[] = [];
    // Before midnight one rate; from then on night until 7, day until 11, night until 17, day until 22.
    for (const hours of [-1, 0, 6, 7, 10, 11, 16, 17, 21, 22]) {
      world.clock.set(midnight + hours * 3_600_000);
      await home.wake(world.desk);
      rates.push(portOf(home.view()).tariff!);
    }
    expect(rates).toEqual([1, 2, 2, 1, 1, 2, 2, 1, 1, 2]);
    expect(home.noticed()).toEqual(['tariff-changed']);

    const cut = world.hand('lopex').propose(device, 'breaker.open', { cause: 'request' }, 'case 4712');
    expect(await world.face.propose(cut)).toMatchObject({ state: 'awaiting-approval' });
    await world.wakeAll();
    expect(supplyOf(home.view())).toBe(1);
  });
});
