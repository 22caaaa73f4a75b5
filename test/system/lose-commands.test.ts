import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TenantId } from '../../protocol/identity.ts';
import { drawSchedule, Killer } from '../support/chaos-killer.ts';
import { deskWords, type Evidence, gather, hasEnded, INNOCENT, judge } from '../support/commands-oracle.ts';
import { type Draft, drawOrders, type Order } from '../support/commands-orders.ts';
import { CommandsWorld } from '../support/commands-world.ts';
import { Field } from '../support/field.ts';
import { until } from '../support/processes.ts';

/** More with HES_KILLS=300; the schedule and the orders of a seed (HES_SEED) are the same at every run. */
const KILLS = Number(process.env['HES_KILLS'] ?? 32);
const COMMANDS = Number(process.env['HES_COMMANDS'] ?? 1_000);
const SEED = Number(process.env['HES_SEED'] ?? 20_261_124);

const ORES = 'ores' as TenantId;
const METERS = 60;
const SLICES = 2;
const KINDS = ['desk', 'front', 'router', 'edge'] as const;

/** What a kill takes on a machine that others use as well, with what is unknown after it and runs out. */
const KILL_MS_MAX = 15_000;
/** What was written to a socket that broke is unknown after fifteen seconds, and the next of its meter goes. */
const ENDED_WITHIN_MS = 300_000;

describe(`${COMMANDS} commands under ${KILLS} kills (HES_KILLS=${KILLS} HES_COMMANDS=${COMMANDS} HES_SEED=${SEED} is this schedule)`, () => {
  let field: Field;
  let world: CommandsWorld;
  let evidence: Evidence;
  const orders: Order[] = [];
  const restarts: number[] = [];

  const killer = new Killer({
    schedule: drawSchedule(SEED, KILLS, KINDS),
    victims: (kind) =>
      ({
        desk: () => [world.desk],
        front: () => [world.headEnd.front],
        router: () => [world.headEnd.router(ORES)],
        edge: () => world.edges,
      })[kind](),
  });

  /** The commands of one meter, one after the other; those of a place are signed once so many have died. */
  async function give(drafts: readonly Draft[], placesMax: number): Promise<void> {
    for (const [place, draft] of drafts.entries()) {
      const deaths = Math.floor((place / placesMax) * KILLS);
      await until(`death ${deaths}`, () => killer.deaths >= deaths, 120_000 + KILLS * KILL_MS_MAX);
      orders.push(await world.order(draft, place));
    }
  }

  beforeAll(
    async () => {
      field = new Field([ORES]);
      world = await CommandsWorld.start(field, { seed: SEED % 100_000, meters: METERS, slices: SLICES });
      const { devices } = world;
      const drafts = drawOrders({ seed: SEED, tenant: ORES, devices, count: COMMANDS });
      const byDevice = [...Map.groupBy(drafts, ({ device }) => device).values()];
      const placesMax = Math.max(...byDevice.map(({ length }) => length));
      await Promise.all([killer.run(), ...byDevice.map((own) => give(own, placesMax))]);
      await until(
        'every command has ended',
        async () => {
          const words = await deskWords(world);
          return words.length >= COMMANDS && words.every(hasEnded);
        },
        ENDED_WITHIN_MS,
      );
      await world.stopEdges();
      evidence = await gather(world, orders);
      restarts.push(...world.headEnd.supervisor.children.map((child) => child.restarts));
    },
    240_000 + KILLS * KILL_MS_MAX + ENDED_WITHIN_MS,
  );

  afterAll(async () => {
    await world?.stop();
    field?.remove();
  });

  it('killed desk, front, router and meters, each as often as the others, while commands were on their way', () => {
    expect(killer.deaths).toBe(KILLS);
    for (const kind of KINDS)
      expect(killer.killed[kind], kind).toBeGreaterThanOrEqual(Math.floor(KILLS / KINDS.length));
    // The last one to die may not have been started again when everything was over.
    expect(restarts.reduce((sum, times) => sum + times, 0)).toBeGreaterThanOrEqual(KILLS - KINDS.length);
  });

  it('each command has exactly one end, none was executed twice, and desk and meter agree or it is unknown', () => {
    expect(orders).toHaveLength(COMMANDS);
    expect(judge(evidence)).toEqual(INNOCENT);
  });

  it('most of them were executed, some of every kind', () => {
    const executed = orders.filter(({ id }) => evidence.desk.get(id)!.state === 'executed');
    expect(executed.length).toBeGreaterThan(COMMANDS / 2);
    const ordered = new Set(orders.map(({ type }) => type));
    expect(new Set(executed.map(({ type }) => type))).toEqual(ordered);
  });
});
