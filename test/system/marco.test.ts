import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dayAfter, dayAt } from '../../gateway/edge/days/calendar.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { Lopex } from '../support/lopex.ts';
import { PREPAYMENT_RULES } from '../support/marco-accounts.ts';
import { type MarcoChain, marcoChain } from '../support/marco-chain.ts';
import { approveAll } from '../support/marco-desk.ts';
import { portOf, supplyOf } from '../support/marco-household.ts';
import { STORY, tellStory } from '../support/marco-story.ts';

/**
 * The prepayment platform and the customer-service system through the real chain: API over mutual TLS, desk, bus,
 * front, MQTT, edge, emulated meters, and results back by the router. The clock of commands is moved by sixty days.
 */

/** Certificates begin today, so the story begins tomorrow. */
const FIRST = dayAfter(dayAt(Math.floor(Date.now() / 1_000)), 1);
/** Some twenty seconds alone on a machine. */
const STORY_WITHIN_MS = 600_000;

let chain: MarcoChain;
beforeAll(async () => {
  chain = await marcoChain(FIRST, ['electricity', 'gas']);
});
afterAll(() => chain.end());

describe('prepayment through the whole chain', () => {
  it('is asked for by a system, and begins with the signature of a person', async () => {
    const { platform, households, desk } = chain;
    const ids = await platform.activate();
    await chain.wakeAll();
    expect(households.map(({ home }) => home.view().display.screens)).toEqual([[], []]);
    // A system that may ask is not one that may approve.
    const marco = chain.face('marco');
    const { signed } = await marco.show(ids[0]!);
    await expect(marco.approve(ids[0]!, chain.hand('approver').approve(signed))).rejects.toMatchObject({
      status: 403,
    });
    await approveAll(chain.face('approver'), chain.hand('approver'), ids);
    await chain.wakeAll();
    for (const { account, home } of households) {
      expect(home.view().display.screens[1]).toEqual({ name: 'balance', text: '20.00 €' });
      expect(await desk.store.meter(account.device)).toMatchObject({ creditMode: 'prepaid' });
    }
  });

  it('runs two households for sixty days, each screen, supply and message as counted, at the desk too', {
    timeout: STORY_WITHIN_MS,
  }, async () => {
    expect(await tellStory(chain, FIRST)).toEqual(STORY);
    expect(chain.refused).toEqual([]);
    const { households } = chain;
    expect(households[0]!.account.balanceCents).toBeLessThan(-PREPAYMENT_RULES.emergencyCents);
    expect(households.map(({ home }) => supplyOf(home.view()))).toEqual([1, 1]);
    // Everything has ended, and everything that was executed was so at the meter's own word.
    expect(await chain.desk.store.openCounts()).toEqual({});
  });
});

describe('a tariff change through the whole chain', () => {
  it('is asked for by the customer-service system, planned, and takes effect at its midnight', async () => {
    const { home, account } = chain.households[0]!;
    const { device } = account;
    const today = dayAt(Math.floor(chain.clock.nowMs() / 1_000));
    const from = dayAfter(today, 2);
    const lopex = new Lopex('ores' as TenantId, chain.face('lopex'), chain.hand('lopex'));
    const { id } = await lopex.changeTariff({ device, plan: 'bi', from: from.name, caseNumber: 'case 4711' });
    await home.wake();
    expect(await chain.face('supervisor').show(id)).toMatchObject({ state: 'executed', code: null });
    expect(await chain.face('supervisor').get(`/v1/meters/${device}`)).toMatchObject({
      tariffPlan: 'mono',
      tariffPlanned: { plan: 'bi', from: from.name },
    });
    chain.clock.set((from.start - 60) * 1_000);
    await home.wake();
    expect(portOf(home.view()).tariff).toBe(1);
    chain.clock.set((from.start + 60) * 1_000);
    await home.wake();
    expect(portOf(home.view()).tariff).toBe(2);
  });
});
