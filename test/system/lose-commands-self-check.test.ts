import { DatabaseSync } from 'node:sqlite';
import { afterEach, describe, expect, it } from 'vitest';
import type { CommandId } from '../../protocol/command/id.ts';
import type { TenantId } from '../../protocol/identity.ts';
import {
  type DeskWord,
  deskWords,
  type Evidence,
  gather,
  hasEnded,
  INNOCENT,
  type Judgement,
  judge,
} from '../support/commands-oracle.ts';
import { drawOrders, type Order } from '../support/commands-orders.ts';
import { CommandsWorld, type CommandsWorldOptions } from '../support/commands-world.ts';
import { Field } from '../support/field.ts';
import { until } from '../support/processes.ts';

/**
 * Does the judge of the kill tests notice anything? Here meters execute commands twice and a desk forgets one, in
 * real processes, and what is left of a run where nothing happened is changed in every way; each time the judge must
 * say exactly so.
 */
const ORES = 'ores' as TenantId;
const SEED = 7;
const METERS = 10;
const COMMANDS = 60;
const ENDED_WITHIN_MS = 240_000;

let field: Field;
let world: CommandsWorld;
afterEach(async () => {
  await world?.stop();
  field?.remove();
});

async function run(fault?: CommandsWorldOptions['fault']): Promise<Evidence> {
  field = new Field([ORES]);
  // Nothing is to be unknown here, however slow the machine is.
  const options = { seed: SEED, meters: METERS, slices: 1, answerWithinSeconds: 120 };
  world = await CommandsWorld.start(field, fault === undefined ? options : { ...options, fault });
  const { devices } = world;
  const orders: Order[] = [];
  const drafts = drawOrders({ seed: SEED, tenant: ORES, devices, count: COMMANDS });
  for (const [number, draft] of drafts.entries()) orders.push(await world.order(draft, number));
  await until(
    'every command has ended',
    async () => (await deskWords(world)).every(hasEnded),
    ENDED_WITHIN_MS,
  );
  await world.stopEdges();
  return gather(world, orders);
}

/** How many of each fault. */
const counts = (judgement: Judgement): Record<string, number> =>
  Object.fromEntries(Object.entries(judgement).map(([fault, names]) => [fault, (names as string[]).length]));
const NONE = counts(INNOCENT);

describe('the judge of commands', () => {
  it('finds what meters executed twice', async () => {
    const judgement = judge(await run('doubling'));
    // Each of them says so itself; what moved hardware is seen at the hardware, too.
    expect(judgement.twice.length).toBeGreaterThanOrEqual(COMMANDS / 10);
    expect({ ...judgement, twice: [] }).toEqual(INNOCENT);
  });

  it('finds the one command that a desk lost, and nothing where nothing happened', async () => {
    const evidence = await run();
    expect(judge(evidence)).toEqual(INNOCENT);
    const executed = evidence.orders.filter(({ id }) => evidence.desk.get(id)!.state === 'executed');
    expect(executed.length).toBeGreaterThan(COMMANDS / 2);

    await world.desk.stop();
    const lost = executed.find(({ type }) => type === 'read.now')!;
    forget(world.database, lost.id);
    await world.headEnd.supervisor.start({ ...world.desk.spec, name: 'desk-again' });
    const desk = new Map((await deskWords(world)).map((word) => [word.id, word]));
    expect(desk.size).toBe(COMMANDS - 1);
    expect(counts(judge({ ...evidence, desk }))).toEqual({ ...NONE, lost: 1 });
    expect(judge({ ...evidence, desk }).lost[0]).toContain(lost.id);

    tamper(evidence, executed);
  });
});

/** What no desk does: its database refuses it too. */
function forget(database: string, id: CommandId): void {
  const at = new DatabaseSync(database);
  at.exec('PRAGMA foreign_keys = OFF; DROP TRIGGER commandsStay;');
  at.prepare('DELETE FROM commands WHERE id = ?').run(id);
  at.close();
}

/** Every other fault, put there by hand. */
function tamper(evidence: Evidence, executed: readonly Order[]): void {
  const one = executed.find(({ type }) => type === 'read.now')!;
  const said = (change: Partial<DeskWord>): Evidence => {
    const desk = new Map(evidence.desk);
    desk.set(one.id, { ...desk.get(one.id)!, ...change });
    return { ...evidence, desk };
  };
  const found = (changed: Evidence): Record<string, number> => counts(judge(changed));
  const { meters, reads, ends, counted } = evidence;

  expect(found(said({ state: 'sent' }))).toEqual({ ...NONE, open: 1, ends: 1, hidden: 1 });
  expect(found(said({ state: 'expired' }))).toEqual({ ...NONE, ends: 1, hidden: 1 });
  expect(found({ ...evidence, ends: ends.filter(({ id }) => id !== one.id) })).toEqual({ ...NONE, ends: 1 });
  expect(found({ ...evidence, ends: [...ends, { id: one.id, to: 'unknown' }] })).toEqual({
    ...NONE,
    ends: 1,
  });
  expect(found({ ...evidence, counted: [...counted, `executed ${one.id}`] })).toEqual({ ...NONE, twice: 1 });
  const moved = counted.find((line) => /^moved \{"kind":"(?:clock|limiter)"/.test(line))!;
  expect(found({ ...evidence, counted: [...counted, moved] })).toEqual({ ...NONE, twice: 1 });

  const read = reads.find((key) => key.endsWith(one.id))!;
  expect(found({ ...evidence, reads: [...reads, read] })).toEqual({ ...NONE, twice: 1 });
  expect(found({ ...evidence, reads: reads.filter((key) => key !== read) })).toEqual({ ...NONE, unread: 1 });
  expect(found({ ...evidence, reads: [...reads, `x/ores/read/${'f'.repeat(32)}`] })).toEqual({
    ...NONE,
    invented: 1,
  });

  const truth = meters.get(one.device)!;
  const known = new Map(truth.known);
  known.delete(one.id);
  const forgetful = new Map([...meters, [one.device, { ...truth, known }]]);
  expect(found({ ...evidence, meters: forgetful })).toEqual({ ...NONE, unexecuted: 1 });

  const planned = executed.findLast(({ type }) => type === 'tariff.set')!;
  const { known: obeyed, state } = meters.get(planned.device)!;
  const plan = state!.tariff.plan === 'mono' ? ('bi' as const) : ('mono' as const);
  const elsewhere = { known: obeyed, state: { ...state!, tariff: { ...state!.tariff, plan } } };
  const changed = judge({ ...evidence, meters: new Map([...meters, [planned.device, elsewhere]]) });
  expect(changed).toEqual({ ...INNOCENT, disagree: [`${planned.device} tariff`] });
  const entered = evidence.registry.get(planned.device)!;
  const registry = new Map([...evidence.registry, [planned.device, { ...entered, tariffPlan: plan }]]);
  expect(judge({ ...evidence, registry })).toEqual({ ...INNOCENT, disagree: [`${planned.device} tariff`] });
}
