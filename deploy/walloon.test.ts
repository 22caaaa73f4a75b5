import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hes, json } from '../gateway/cli/desk-client/testing/cli.ts';
import { type DeskAtWork, startDeskAtWork } from '../gateway/cli/desk-client/testing/desk.ts';
import { afterExecution } from '../gateway/desk/registry/effects.ts';
import { presetWindows } from '../protocol/command/presets.ts';
import type { DeviceId, TenantId } from '../protocol/identity.ts';
import { FROM, type ListedMeter, planOf, walloonLines } from './examples/campaigns/walloon-2026.ts';

/** The worked example as its README has it, at a smaller size. */

const ORES = 'ores' as TenantId;
const METERS = Array.from({ length: 150 }, (_, n) => (0xa000 + n).toString(16).padStart(16, '0') as DeviceId);
const IN_AIRPLANE_MODE = METERS.slice(20, 24);
const README = readFileSync(join(import.meta.dirname, 'examples/campaigns/README.md'), 'utf8');

/** A line of the README, its file and folder those of the test. */
function typed(starts: string): string[] {
  const line = README.split('\n').find((one) => one.startsWith(`npx hes ${starts}`));
  if (line === undefined) throw new Error(`the README has no line ${starts}`);
  const words = line.match(/"[^"]*"|\S+/g)!.slice(2);
  return words.map((word) => {
    const text = word.replaceAll('"', '');
    return text.endsWith('.csv') ? join(work.data, text) : text;
  });
}

let work: DeskAtWork;
beforeAll(async () => {
  work = await startDeskAtWork(ORES, METERS);
  for (const device of IN_AIRPLANE_MODE)
    await work.store.transaction(async (transaction) => {
      const meter = (await transaction.meter(device))!;
      const on = { type: 'airplane.on', arguments: {} } as const;
      await transaction.putMeter(afterExecution(meter, on, Math.floor(Date.now() / 1_000)));
    });
});
afterAll(() => work.close());

const run = (words: readonly string[], ...more: string[]) => hes(...words, '--data', work.data, ...more);

async function answerAll(id: string): Promise<void> {
  for (;;) {
    while (await work.desk.campaigns.pass());
    const open = await work.desk.campaigns.results(id as never, { after: -1, limit: 500, state: 'open' });
    if (open.length === 0) return;
    for (const { command } of open) await work.answer(command);
  }
}

describe('the Walloon tariff change of 1 January 2026', () => {
  it('is a file out of the list of meters, the windows in it', async () => {
    const listed = await run(['meter', 'list', '--json', '--as', 'ores/supervisor']);
    const lines = [...walloonLines(ORES, json<readonly ListedMeter[]>(listed))];
    expect(lines).toHaveLength(METERS.length + 1);
    expect(lines[1]).toMatch(/^000000000000a000,\w+,".*",2026-01-01\n$/);
    writeFileSync(join(work.data, 'walloon-2026.csv'), lines.join(''));
    expect(() => [...walloonLines('sibelga' as TenantId, [])]).toThrow('not in Wallonia');
  });

  it('is checked and counted: those in airplane mode are listed to be contacted otherwise', async () => {
    expect(await run(typed('op campaign check'))).toMatchObject({ exit: 0 });
    const counted = await run(typed('op campaign dry-run walloon-2026.csv --type tariff.set --as'));
    expect(counted.exit).toBe(4);
    expect(counted.out).toMatch(/ 4 {3}in airplane mode: to be contacted otherwise\n/);
    const skipped = await run(
      typed('op campaign dry-run walloon-2026.csv --type tariff.set --skip'),
      '--json',
    );
    expect(json(skipped)).toMatchObject({
      lines: 150,
      commands: 146,
      standings: { airplane: 4, ready: 146 },
    });
    const contact = readFileSync(join(work.data, 'to-contact.csv'), 'utf8').trimEnd().split('\n');
    expect(contact.slice(1).map((line) => line.split(',').slice(0, 2))).toEqual(
      IN_AIRPLANE_MODE.map((device) => [device, 'airplane']),
    );
  });

  it('is signed, approved by a second person, and reaches every meter that can be reached', async () => {
    const submitted = await run(typed('op campaign submit walloon-2026.csv'), '--json');
    const { id } = json<{ id: string }>(submitted);
    expect(json(submitted)).toMatchObject({ state: 'awaiting-approval', count: 146 });
    const approve = (who: string): string[] =>
      typed(`op campaign approve $ID --as ores/${who}`).map((word) => (word === '$ID' ? id : word));
    expect(await run(approve('operator'))).toMatchObject({ exit: 10, code: 'ERR_CAMPAIGN_SAME_PERSON' });
    const approved = await run(approve('approver'));
    expect(approved.exit).toBe(0);
    expect(approved.err).toContain('mon-sun+hol@07:00-11:00=1,mon-sun+hol@17:00-22:00=1');
    await answerAll(id);
    const watched = await run(['op', 'campaign', 'watch', id, '--json', '--as', 'ores/supervisor']);
    expect(watched.exit).toBe(0);
    expect(json(watched)).toMatchObject({ state: 'done', totals: { done: 146 } });
    for (const device of METERS.filter((one) => !IN_AIRPLANE_MODE.includes(one)))
      expect((await work.store.meter(device))?.tariffPlan).toBe(planOf(device));
    for (const device of IN_AIRPLANE_MODE) {
      expect((await work.store.meter(device))?.tariffPlan).toBe('mono');
      const { items } = await work.store.commands({ filter: { device }, limit: 1 });
      expect(items).toEqual([]);
    }
    const { items } = await work.store.commands({ filter: { device: METERS[1]! }, limit: 1 });
    const { command } = await work.desk.show(items[0]!.id);
    expect(command.arguments).toEqual({
      plan: planOf(METERS[1]!),
      from: FROM,
      windows: presetWindows(ORES, planOf(METERS[1]!), FROM),
    });
  }, 30_000);
});
