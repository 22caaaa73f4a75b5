import { describe, expect, it } from 'vitest';
import { dayAfter, dayNamed } from '../days/calendar.ts';
import { testMeter } from './testing/meter.ts';
import { commandOf } from './testing/people.ts';

/**
 * Sixty days of a prepaid household: a platform that does the arithmetic (start credit paid back 1 € a day, top-ups,
 * orders to cut) and a meter that shows, warns, cuts when it is told to and may be, and arms by itself.
 */
const FIRST = dayNamed('2026-09-15');
const DAYS = 60;
const START_CENTS = 2_000;
const REPAID_A_DAY_CENTS = 100;
const USE_A_DAY_CENTS = 140;
const TOP_UPS: Readonly<Record<number, number>> = { 16: 500, 17: 2_500, 30: 2_000, 37: 500 };

const clock = new Intl.DateTimeFormat('sv-SE', {
  timeZone: 'Europe/Brussels',
  dateStyle: 'short',
  timeStyle: 'short',
});
const money = (cents: number): string => `${(cents / 100).toFixed(2)} €`;

describe('sixty days of prepayment', () => {
  it('shows, warns, cuts, arms and protects as the rules say', async () => {
    const meter = await testMeter({ nowMs: (FIRST.start + 8 * 3_600) * 1_000 });
    const credit = { startCreditCents: START_CENTS, lowCreditAlertCents: 500, emergencyCreditCents: 1_500 };
    const activate = commandOf('prepayment.activate', credit, meter.nowMs);
    expect(await meter.outcome(activate, 'pam', 'bea')).toBe('executed');
    const view = () => meter.operations.view(meter.nowMs);

    let balanceCents = START_CENTS;
    let owedCents = START_CENTS;
    let supplied = true;
    const story: string[] = [];
    const tell = (day: number, what: string): void => void story.push(`${day} ${what}`);

    const screensAre = (asOf: number): void => {
      const { display } = view();
      expect(display.screens).toEqual([
        { name: 'last-update', text: clock.format(asOf * 1_000) },
        { name: 'balance', text: money(balanceCents) },
        { name: 'emergency-credit', text: money(Math.max(0, 1_500 + Math.min(0, balanceCents))) },
      ]);
      expect(display.symbols.lowCredit).toBe(balanceCents <= 500);
      expect(display.symbols.emergencyCredit).toBe(balanceCents < 0);
      expect(view().breaker === 1).toBe(supplied);
    };
    const settle = async (): Promise<void> => {
      for (const { id } of meter.operations.results()) await meter.operations.settled(id);
    };
    const say = async (day: number, topUpCents: number | null): Promise<void> => {
      const asOf = Math.floor(meter.nowMs / 1_000) - 30;
      const command = commandOf('prepayment.balance', { balanceCents, asOf, topUpCents }, meter.nowMs);
      expect(await meter.outcome(command, 'marco')).toBe('executed');
      for (const notice of meter.notices.splice(0)) tell(day, notice);
      screensAre(asOf);
    };

    for (let day = 1; day <= DAYS; day++) {
      meter.nowMs = (dayAfter(FIRST, day).start + 8 * 3_600) * 1_000;
      const repaid = Math.min(REPAID_A_DAY_CENTS, owedCents);
      owedCents -= repaid;
      balanceCents -= repaid + (supplied ? USE_A_DAY_CENTS : 0);
      await say(day, null);
      if (balanceCents <= -1_500 && supplied) {
        const order = commandOf('breaker.open', { cause: 'credit' }, meter.nowMs);
        const outcome = await meter.outcome(order, 'marco', 'bea');
        tell(day, `cut ${outcome} at ${money(balanceCents)}`);
        if (outcome === 'executed') supplied = false;
        expect(view().breaker).toBe(supplied ? 1 : 0);
      }
      const topUpCents = TOP_UPS[day];
      if (topUpCents !== undefined) {
        meter.nowMs += 3_600_000;
        balanceCents += topUpCents;
        await say(day, topUpCents);
        tell(day, `topped up to ${money(balanceCents)}, breaker ${view().breaker}`);
      }
      const isArmed = view().breaker === 2;
      expect(view().display.symbols.arrow).toBe(isArmed ? 'blinking' : 'off');
      expect(await meter.operations.happen({ kind: 'button', channel: 0, heldMs: 80 }, meter.nowMs)).toBe(
        isArmed,
      );
      if (isArmed) {
        meter.notices.splice(0);
        supplied = true;
        tell(day, `closed by the button, breaker ${view().breaker}`);
      }
      const shown = [];
      for (let press = 0; press < 3; press++) {
        shown.push(view().display.shown?.name);
        await meter.operations.happen({ kind: 'next-screen' }, meter.nowMs);
      }
      expect(shown).toEqual(['last-update', 'balance', 'emergency-credit']);
      await settle();
    }
    expect(story).toMatchInlineSnapshot(`
      [
        "7 low-credit",
        "9 emergency-credit",
        "15 cut executed at -16.00 €",
        "16 topped up to -12.00 €, breaker 0",
        "17 armed",
        "17 topped up to 12.00 €, breaker 2",
        "17 closed by the button, breaker 1",
        "20 low-credit",
        "24 emergency-credit",
        "30 topped up to 10.80 €, breaker 1",
        "35 low-credit",
        "37 topped up to 6.00 €, breaker 1",
        "38 low-credit",
        "42 emergency-credit",
        "52 cut protected at -15.00 €",
        "53 cut protected at -16.40 €",
        "54 cut protected at -17.80 €",
        "55 cut protected at -19.20 €",
        "56 cut protected at -20.60 €",
        "57 cut protected at -22.00 €",
        "58 cut protected at -23.40 €",
        "59 cut protected at -24.80 €",
        "60 cut protected at -26.20 €",
      ]
    `);

    const deactivate = commandOf('prepayment.deactivate', {}, meter.nowMs);
    expect(await meter.outcome(deactivate, 'pam', 'bea')).toBe('executed');
    expect(view()).toMatchObject({ breaker: 1, display: { screens: [], shown: null } });
    await meter.end();
  });

  it('does not cut whom a limiter holds, nor above the end of his emergency credit', async () => {
    const meter = await testMeter();
    const now = Math.floor(meter.nowMs / 1_000);
    const credit = { startCreditCents: 0, lowCreditAlertCents: 500, emergencyCreditCents: 1_500 };
    await meter.give(commandOf('prepayment.activate', credit, meter.nowMs));
    const order = () => meter.outcome(commandOf('breaker.open', { cause: 'credit' }, meter.nowMs), 'marco');
    const say = (balanceCents: number, asOf = now) =>
      meter.outcome(
        commandOf('prepayment.balance', { balanceCents, asOf, topUpCents: null }, meter.nowMs),
        'marco',
      );
    await say(-1_499);
    expect(await order()).toBe('arguments');
    await say(-1_500);
    await meter.give(commandOf('limiter.set', { powerW: 1_000 }, meter.nowMs));
    expect(await order()).toBe('arguments');
    await meter.give(commandOf('limiter.set', { powerW: null }, meter.nowMs));
    expect(await order()).toBe('executed');
    expect(await say(10_000, now - 60)).toBe('arguments');
    expect(await say(10_000, now + 3_600)).toBe('arguments');
    expect(meter.operations.view(meter.nowMs).breaker).toBe(0);
    expect(await meter.outcome(commandOf('prepayment.deactivate', {}, meter.nowMs))).toBe('executed');
    expect(meter.operations.view(meter.nowMs).breaker).toBe(2);
    await meter.end();
  });

  it('lets the customer choose when he is warned', async () => {
    const meter = await testMeter();
    const credit = { startCreditCents: 2_000, lowCreditAlertCents: 500, emergencyCreditCents: 1_500 };
    await meter.give(commandOf('prepayment.activate', credit, meter.nowMs));
    expect(await meter.operations.happen({ kind: 'set-alert', cents: 6_000 }, meter.nowMs)).toBe(false);
    expect(await meter.operations.happen({ kind: 'set-alert', cents: 1_500 }, meter.nowMs)).toBe(true);
    const asOf = Math.floor(meter.nowMs / 1_000);
    await meter.give(
      commandOf('prepayment.balance', { balanceCents: 1_500, asOf, topUpCents: null }, meter.nowMs),
    );
    expect(meter.notices).toEqual(['low-credit']);
    await meter.end();
  });
});
