import { afterEach, describe, expect, it } from 'vitest';
import { dayAfter, dayNamed } from '../../gateway/edge/days/calendar.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { Lopex } from '../support/lopex.ts';
import { PREPAYMENT_RULES, WARNINGS, warningOf } from '../support/marco-accounts.ts';
import { approveAll } from '../support/marco-desk.ts';
import { type MarcoHousehold, type MarcoWorld, marcoWorld } from '../support/marco-world.ts';

/**
 * Sixty days of two prepaid households: a simulated platform that counts, a desk that carries and guards, meters that
 * obey within their rules. Every day every screen, the supply, the port and the registry are held against the account.
 */
const FIRST = dayNamed('2026-09-15');
const DAYS = 60;
const USED_A_DAY_CENTS = { electricity: 140, gas: 110 } as const;
/** Day → cents: a household that is late twice, and in November has no money. */
const TOP_UPS = {
  electricity: { 16: 500, 17: 2_500, 30: 2_000, 37: 500 },
  gas: { 22: 3_000, 40: 500 },
} as const satisfies Record<string, Record<number, number>>;

const clock = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Europe/Brussels',
  dateStyle: 'short',
  timeStyle: 'short',
});
const money = (cents: number): string => `${(cents / 100).toFixed(2)} €`;
const at = (day: number, hour: number): number => (dayAfter(FIRST, day).start + hour * 3_600) * 1_000;

let world: MarcoWorld;
afterEach(() => world.end());

/** What the customer sees beside what the platform counted; the balance was told at `toldMs`. */
async function seesWhatWasCounted({ home, account }: MarcoHousehold, toldMs: number): Promise<void> {
  const { balanceCents } = account;
  expect(await home.screens()).toEqual({
    'last-update': clock.format(toldMs - 30_000),
    balance: money(balanceCents),
    'emergency-credit': money(Math.max(0, 1_500 + Math.min(0, balanceCents))),
  });
  const { symbols } = home.view().display;
  expect(symbols).toMatchObject({
    lowCredit: balanceCents <= PREPAYMENT_RULES.alertCents,
    emergencyCredit: balanceCents < 0,
    arrow: home.supply() === 2 ? 'blinking' : 'off',
  });
  const port = home.port();
  expect(port.text ?? '').toBe(WARNINGS[warningOf(account)]);
  if (account.medium === 'electricity') {
    expect(port.breaker).toBe(home.supply());
    const breaker = (await world.store.meter(account.device))?.breaker;
    // Whoever presses the button is not heard until the meter's report, which the real chain carries.
    if (home.supply() === 0) expect(breaker).toBe('open');
  }
}

describe('the prepayment platform, through a desk', () => {
  it('runs two households for sixty days, each screen, supply and message as counted', async () => {
    const story: string[] = [];
    world = await marcoWorld({
      startMs: at(0, 8),
      media: ['electricity', 'gas'],
      onRefused: (what) => story.push(`refused: ${what}`),
    });
    const { households, platform } = world;
    await world.activate();
    for (const one of households)
      expect((await world.store.meter(one.account.device))?.creditMode).toBe('prepaid');

    for (let day = 1; day <= DAYS; day++) {
      const tell = (medium: string, what: string): void => void story.push(`${day} ${medium}: ${what}`);
      const suppliedBefore = new Map(households.map(({ home }) => [home.device, home.supply() === 1]));
      const news = ({ home, account }: MarcoHousehold): void => {
        for (const notice of home.noticed()) tell(account.medium, notice);
      };
      world.clock.set(at(day, 8));
      const mediumOf = new Map(households.map(({ account }) => [account.device, account.medium]));
      await platform.closeDay((device) =>
        suppliedBefore.get(device) ? USED_A_DAY_CENTS[mediumOf.get(device)!] : 0,
      );
      await world.round();
      for (const one of households) {
        const { home, account } = one;
        await seesWhatWasCounted(one, at(day, 8));
        news(one);
        if (suppliedBefore.get(home.device) && home.supply() !== 1)
          tell(account.medium, `cut at ${money(account.balanceCents)}`);

        const paid = (TOP_UPS[account.medium] as Readonly<Record<number, number>>)[day];
        if (paid === undefined) continue;
        world.clock.set(at(day, 9));
        await platform.topUp(account.reference, paid);
        await world.round();
        await seesWhatWasCounted(one, at(day, 9));
        news(one);
        tell(account.medium, `topped up to ${money(account.balanceCents)}, supply ${home.supply()}`);
        world.clock.set(at(day, 8));
      }
      world.clock.set(at(day, 10));
      for (const one of households) {
        const { home, account } = one;
        const isReady = home.supply() === 2;
        const isShort = await home.happen({ kind: 'button', channel: 0, heldMs: 80 });
        // Gas is not closed by a touch of the button.
        expect(isShort).toBe(isReady && account.medium === 'electricity');
        if (isReady && account.medium === 'gas') {
          expect(await home.happen({ kind: 'button', channel: 0, heldMs: 3_000 })).toBe(true);
          expect(home.supply()).toBe(2);
          await home.happen({ kind: 'leak-tested', channel: 0, tight: true });
        }
        if (isReady) expect(home.supply()).toBe(1);
        news(one);
      }
    }
    expect(story).toMatchInlineSnapshot(`
      [
        "7 electricity: low-credit",
        "8 gas: low-credit",
        "9 electricity: emergency-credit",
        "10 gas: emergency-credit",
        "15 electricity: cut at -16.00 €",
        "16 electricity: topped up to -12.00 €, supply 0",
        "17 electricity: armed",
        "17 electricity: topped up to 12.00 €, supply 2",
        "17 gas: cut at -15.70 €",
        "17 electricity: supply-closed",
        "20 electricity: low-credit",
        "22 gas: armed",
        "22 gas: topped up to 11.30 €, supply 2",
        "22 gas: supply-closed",
        "24 electricity: emergency-credit",
        "28 gas: low-credit",
        "30 electricity: topped up to 10.80 €, supply 1",
        "33 gas: emergency-credit",
        "35 electricity: low-credit",
        "37 electricity: topped up to 6.00 €, supply 1",
        "38 electricity: low-credit",
        "40 gas: topped up to -3.50 €, supply 1",
        "42 electricity: emergency-credit",
      ]
    `);
    // It is November: beyond the end of its emergency credit, and nobody ordered a cut.
    expect(households[0]!.account.balanceCents).toBeLessThan(-PREPAYMENT_RULES.emergencyCents);
    expect(households.map(({ home }) => home.supply())).toEqual([1, 1]);
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
    expect(home.supply()).toBe(1);

    time.advance(60_000);
    await world.round();
    expect(home.supply()).toBe(0);
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
    expect(world.households[0]!.home.supply()).toBe(1);
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
    expect(households[0]!.home.supply()).toBe(1);
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
      rates.push(home.port().tariff!);
    }
    expect(rates).toEqual([1, 2, 2, 1, 1, 2, 2, 1, 1, 2]);
    expect(home.noticed()).toEqual(['tariff-changed']);

    const cut = world.hand('lopex').propose(device, 'breaker.open', { cause: 'request' }, 'case 4712');
    expect(await world.face.propose(cut)).toMatchObject({ state: 'awaiting-approval' });
    await world.wakeAll();
    expect(home.supply()).toBe(1);
  });
});
