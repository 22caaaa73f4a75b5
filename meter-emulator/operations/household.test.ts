import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Operations } from '../../gateway/edge/operations/operations.ts';
import { codeOf, GAS_METER, INSTALLATION } from '../../gateway/edge/operations/testing/meter.ts';
import { commandOf, type Name, ORES, signed, trust } from '../../gateway/edge/operations/testing/people.ts';
import { manualClock } from '../../gateway/runtime/clock.ts';
import type { ArgumentsOf, CommandType } from '../../protocol/command/table.ts';
import { HOLD_MS, PRESS_MS } from './buttons.ts';
import { CommandedMeter } from './commanded-meter.ts';
import { screenOf } from './screen.ts';

/** A prepaid household as those who live there see it: display, arrow, supply and button, through a kill each day. */

const JUNE_MS = Date.parse('2026-06-01T08:00:00Z');
const DAY_MS = 86_400_000;
const CREDIT = { startCreditCents: 2_000, lowCreditAlertCents: 500, emergencyCreditCents: 1_500 };

let directory: string;
let meter: CommandedMeter;
const clock = manualClock(JUNE_MS);

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-household-'));
  clock.set(JUNE_MS);
});
afterEach(async () => {
  await meter.operations.close();
  rmSync(directory, { recursive: true });
});

async function open(installation = INSTALLATION): Promise<void> {
  const opened = new CommandedMeter({ directory, installation, clock, leakTestMs: 1 });
  const { hardware } = opened;
  const nowMs = clock.nowMs();
  opened.attach(await Operations.open({ directory, installation, hardware, trust, nowMs }));
  meter = opened;
}

/** The process of the fleet is killed, and started again. */
async function restart(installation = INSTALLATION): Promise<void> {
  meter.stop();
  await meter.operations.close();
  await open(installation);
}

async function give<T extends CommandType>(type: T, args: ArgumentsOf<T>, by: Name): Promise<string> {
  const message = { signed: signed(commandOf(type, args, clock.nowMs()), by), tenant: ORES };
  const receipt = await meter.operations.receive(message, clock.nowMs());
  for (const { id } of meter.operations.results()) await meter.operations.settled(id);
  return codeOf(receipt);
}

const balance = (balanceCents: number, topUpCents: number | null = null): Promise<string> =>
  give('prepayment.balance', { balanceCents, asOf: clock.nowMs() / 1_000, topUpCents }, 'marco');
const screen = () => screenOf(meter, { connected: true, telegram: () => null });

/** Balance and emergency credit as the button shows them, what lights up, and whether there is supply. */
function seen(): string {
  const { display, breaker, valves } = screen();
  const { arrow, lowCredit, emergencyCredit } = display.symbols;
  const lit = [lowCredit && 'low credit', emergencyCredit && 'emergency', arrow === 'blinking' && '▲'];
  const texts = display.screens.slice(1).map(({ text }) => text);
  const supply = breaker ?? valves[0]!.supply;
  return [...texts, ...lit.filter((one) => one !== false), supply].join(', ');
}

describe('a prepaid household', () => {
  it('is warned, lives on emergency credit, is cut, tops up and closes its supply itself', async () => {
    await open();
    expect(await give('prepayment.activate', CREDIT, 'pam')).toBe('executed');
    const story = [seen()];
    const day = async (balanceCents: number, topUpCents: number | null = null): Promise<void> => {
      clock.advance(DAY_MS);
      await restart();
      expect(await balance(balanceCents, topUpCents)).toBe('executed');
      story.push(seen());
    };
    await day(900);
    await day(480);
    await day(-250);
    await day(-1_500);
    expect(await give('breaker.open', { cause: 'credit' }, 'marco')).toBe('executed');
    story.push(seen());
    expect(await meter.press(PRESS_MS)).toBe('next-screen');
    await day(-900, 600);
    await day(51, 951);
    expect(await meter.press(PRESS_MS)).toBe('closed');
    story.push(seen());
    expect(story).toMatchInlineSnapshot(`
      [
        "20.00 €, 15.00 €, closed",
        "9.00 €, 15.00 €, closed",
        "4.80 €, 15.00 €, low credit, closed",
        "-2.50 €, 12.50 €, low credit, emergency, closed",
        "-15.00 €, 0.00 €, low credit, emergency, closed",
        "-15.00 €, 0.00 €, low credit, emergency, open",
        "-9.00 €, 6.00 €, low credit, emergency, open",
        "0.51 €, 15.00 €, low credit, ▲, armed",
        "0.51 €, 15.00 €, low credit, closed",
      ]
    `);
  });

  it('of gas holds its button until the leak test has said that all is tight', async () => {
    await open(GAS_METER);
    await give('prepayment.activate', CREDIT, 'pam');
    clock.advance(DAY_MS);
    await balance(-1_500);
    expect(await give('valve.close', { channel: 0, cause: 'credit' }, 'marco')).toBe('executed');
    expect(seen()).toMatch(/off$/);
    await restart(GAS_METER);
    clock.advance(DAY_MS);
    await balance(2_000, 3_500);
    expect(seen()).toMatch(/▲, ready$/);
    expect(await meter.press(PRESS_MS)).toBe('next-screen');
    expect(await meter.press(HOLD_MS)).toBe('leak-test');
    await expect.poll(seen, { timeout: 5_000 }).toMatch(/, on$/);
  });

  it('shows the time of the last update first, and one screen further with each press', async () => {
    await open();
    await give('prepayment.activate', CREDIT, 'pam');
    const shown = [];
    for (let press = 0; press < 4; press++) {
      shown.push(screen().display.shown?.text);
      await meter.press(PRESS_MS);
    }
    expect(shown).toEqual(['2026-06-01 10:00', '20.00 €', '15.00 €', '2026-06-01 10:00']);
  });
});
