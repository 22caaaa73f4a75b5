import { expect } from 'vitest';
import { dayAfter, type LocalDay } from '../../gateway/edge/days/calendar.ts';
import type { ManualClock } from '../../gateway/runtime/clock.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { type Account, PREPAYMENT_RULES, WARNINGS, warningOf } from './marco-accounts.ts';
import { type Home, portOf, screensOf, supplyOf } from './marco-household.ts';
import type { PrepaymentPlatform } from './marco-platform.ts';

/**
 * Sixty days of two prepaid households, one with electricity and one with gas. They are late with their money twice,
 * and at the end, in the non-disconnection period, they have none. Every day every screen, symbol, supply and message
 * is held against the account.
 */
export interface StoryWorld {
  readonly clock: ManualClock;
  readonly platform: PrepaymentPlatform;
  readonly households: readonly { readonly account: Account; readonly home: Home }[];
  /** What is asked for is done: balances, then orders by what they came to, signed by a person. */
  round(): Promise<void>;
  /** The breaker as the desk has it. */
  breakerAtDesk(device: DeviceId): Promise<string | undefined>;
  /** Whether the desk hears of what people do at the meter. */
  readonly deskHears: boolean;
}
type StoryHousehold = StoryWorld['households'][number];

export const STORY_DAYS = 60;
/** From here on nobody is cut for credit. */
export const STORY_PROTECTED_FROM_DAY = 47;
const USED_A_DAY_CENTS = { electricity: 140, gas: 110 } as const;
/** Cents by day. */
const TOP_UPS: Readonly<Record<Account['medium'], Readonly<Record<number, number>>>> = {
  electricity: { 16: 500, 17: 2_500, 30: 2_000, 37: 500 },
  gas: { 22: 3_000, 40: 500 },
};

export const STORY: readonly string[] = [
  '7 electricity: low-credit',
  '8 gas: low-credit',
  '9 electricity: emergency-credit',
  '10 gas: emergency-credit',
  '15 electricity: cut at -16.00 €',
  '16 electricity: topped up to -12.00 €, supply 0',
  '17 gas: cut at -15.70 €',
  '17 electricity: armed',
  '17 electricity: topped up to 12.00 €, supply 2',
  '17 electricity: supply-closed',
  '20 electricity: low-credit',
  '22 gas: armed',
  '22 gas: topped up to 11.30 €, supply 2',
  '22 gas: supply-closed',
  '24 electricity: emergency-credit',
  '28 gas: low-credit',
  '30 electricity: topped up to 10.80 €, supply 1',
  '33 gas: emergency-credit',
  '35 electricity: low-credit',
  '37 electricity: topped up to 6.00 €, supply 1',
  '38 electricity: low-credit',
  '40 gas: topped up to -3.50 €, supply 1',
  '42 electricity: emergency-credit',
];

const WALL_CLOCK = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Europe/Brussels',
  dateStyle: 'short',
  timeStyle: 'short',
});
const money = (cents: number): string => `${(cents / 100).toFixed(2)} €`;
const POSITIONS = ['open', 'closed', 'armed'] as const;

/** What the customer sees beside what the platform counted; the balance was told at `toldMs`. */
async function seesWhatWasCounted(world: StoryWorld, { home, account }: StoryHousehold, toldMs: number) {
  const { balanceCents } = account;
  const supply = supplyOf(home.view())!;
  expect(await screensOf(home)).toEqual({
    'last-update': WALL_CLOCK.format(toldMs - 30_000),
    balance: money(balanceCents),
    'emergency-credit': money(Math.max(0, 1_500 + Math.min(0, balanceCents))),
  });
  expect(home.view().display.symbols).toMatchObject({
    lowCredit: balanceCents <= PREPAYMENT_RULES.alertCents,
    emergencyCredit: balanceCents < 0,
    arrow: supply === 2 ? 'blinking' : 'off',
  });
  const port = portOf(home.view());
  expect(port.text ?? '').toBe(WARNINGS[warningOf(account)]);
  if (account.medium !== 'electricity') return;
  expect(port.breaker).toBe(supply);
  if (world.deskHears || supply === 0)
    expect(await world.breakerAtDesk(account.device)).toBe(POSITIONS[supply]);
}

/** The person at home closes what is ready: electricity by a touch, gas by holding the button for its leak test. */
async function closesWhatIsReady({ home, account }: StoryHousehold): Promise<void> {
  const isReady = supplyOf(home.view()) === 2;
  const isTouched = await home.happen({ kind: 'button', channel: 0, heldMs: 80 });
  expect(isTouched).toBe(isReady && account.medium === 'electricity');
  if (!isReady) return;
  if (account.medium === 'gas') {
    expect(await home.happen({ kind: 'button', channel: 0, heldMs: 3_000 })).toBe(true);
    expect(supplyOf(home.view())).toBe(2);
    await home.happen({ kind: 'leak-tested', channel: 0, tight: true });
  }
  expect(supplyOf(home.view())).toBe(1);
}

/** @param first the day on which prepayment was activated, in the morning */
export async function tellStory(world: StoryWorld, first: LocalDay): Promise<readonly string[]> {
  const { clock, households, platform } = world;
  const story: string[] = [];
  for (let day = 1; day <= STORY_DAYS; day++) {
    const at = (hour: number): number => (dayAfter(first, day).start + hour * 3_600) * 1_000;
    const tell = ({ account }: StoryHousehold, what: string): void =>
      void story.push(`${day} ${account.medium}: ${what}`);
    const news = (one: StoryHousehold): void => {
      for (const notice of one.home.noticed()) tell(one, notice);
    };
    const used = new Map(
      households.map(({ home, account }) => [
        account.device,
        supplyOf(home.view()) === 1 ? USED_A_DAY_CENTS[account.medium] : 0,
      ]),
    );
    clock.set(at(8));
    await platform.closeDay((device) => used.get(device)!);
    await world.round();
    for (const one of households) {
      const { home, account } = one;
      await seesWhatWasCounted(world, one, at(8));
      news(one);
      if (used.get(account.device)! > 0 && supplyOf(home.view()) !== 1)
        tell(one, `cut at ${money(account.balanceCents)}`);
    }
    for (const one of households) {
      const paidCents = TOP_UPS[one.account.medium][day];
      if (paidCents === undefined) continue;
      clock.set(at(9));
      await platform.topUp(one.account.reference, paidCents);
      await world.round();
      await seesWhatWasCounted(world, one, at(9));
      news(one);
      const { balanceCents } = one.account;
      tell(one, `topped up to ${money(balanceCents)}, supply ${supplyOf(one.home.view())}`);
    }
    clock.set(at(10));
    for (const one of households) {
      await closesWhatIsReady(one);
      news(one);
    }
  }
  return story;
}
