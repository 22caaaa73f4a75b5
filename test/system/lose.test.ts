import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dayAfter, dayNamed } from '../../gateway/edge/days/calendar.ts';
import type { Child } from '../../gateway/runtime/child.ts';
import { sumCounters } from '../../gateway/runtime/counters.ts';
import type { FleetReport } from '../../meter-emulator/start.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { edgeProcess, FIRST_DAY, impatient } from '../support/chaos-fleet.ts';
import { drawSchedule, KINDS, Killer } from '../support/chaos-killer.ts';
import { daysFrom, emulatedIndexes, INNOCENT, judge } from '../support/chaos-oracle.ts';
import { Field } from '../support/field.ts';
import { type HeadEndProcesses, startProcesses } from '../support/processes.ts';
import type { AcceptedRecord } from '../support/records.ts';

/** More with HES_KILLS=1000; the schedule of a seed (HES_SEED) is the same at every run. */
const KILLS = Number(process.env['HES_KILLS'] ?? 104);
const SEED = Number(process.env['HES_SEED'] ?? 20_261_124);

/** Two electricity operators and a water company, so that there are guests. */
const TENANTS = ['ores', 'fluvius', 'farys'] as TenantId[];
const METERS = 36;
const SLICES = 2;

/**
 * The load: the fleet sends so many days as fast as it can, and then the next ones, for as long as there is
 * somebody left to kill. So every kill comes under load, on a machine of any speed.
 */
const DAYS_PER_ROUND = 20;
const ROUNDS_MAX = 100;

/** What a kill takes on a machine that others use as well. */
const KILL_MS_MAX = 4_000;

describe(`${KILLS} kills at random points under load (HES_KILLS=${KILLS} HES_SEED=${SEED} is this schedule)`, () => {
  const run = { seed: SEED % 100_000, meters: METERS, tenants: TENANTS };
  const first = dayNamed(FIRST_DAY);
  const reports: FleetReport[] = [];
  let field: Field;
  let headEnd: HeadEndProcesses;
  let edges: readonly Child[] = [];
  let rounds = 0;
  let deliveredBeforeLastKill = 0;

  const killer = new Killer({
    schedule: drawSchedule(SEED, KILLS),
    victims: (kind) =>
      ({
        front: () => [headEnd.front],
        router: () => TENANTS.map((tenant) => headEnd.router(tenant)),
        mdm: () => TENANTS.map((tenant) => headEnd.mdm(tenant)),
        edge: () => edges,
      })[kind](),
  });

  const records = (): ReadonlyMap<TenantId, AcceptedRecord[]> =>
    new Map(TENANTS.map((tenant) => [tenant, headEnd.records(tenant)]));

  /** Some days of the fleet, from its first process to the last receipt. */
  async function round(number: number): Promise<void> {
    const planned = await Promise.all(
      Array.from({ length: SLICES }, (_, index) =>
        edgeProcess(field, headEnd, {
          ...run,
          name: `edge-${index}-round-${number}`,
          from: dayAfter(first, number * DAYS_PER_ROUND),
          days: DAYS_PER_ROUND,
          slice: { index, of: SLICES },
        }),
      ),
    );
    edges = await Promise.all(planned.map(({ spec }) => headEnd.supervisor.start(spec)));
    reports.push(...(await Promise.all(planned.map(({ ended }) => ended))));
    const ended = edges;
    edges = [];
    await Promise.all(ended.map((edge) => edge.stop()));
  }

  beforeAll(
    async () => {
      field = new Field(TENANTS);
      headEnd = await startProcesses(field, {
        ...impatient(ROUNDS_MAX * DAYS_PER_ROUND),
        // A short pause before each restart: what is tried is many deaths, not the patience of the supervisor.
        restart: { baseMs: 30, maxMs: 60 },
      });
      let killing = true;
      const killed = killer.run().finally(() => {
        killing = false;
        deliveredBeforeLastKill = total(records());
      });
      // It is heard below; a round that runs first must not make it one that nobody caught.
      killed.catch(() => undefined);
      do await round(rounds++);
      while (killing && rounds < ROUNDS_MAX);
      await killed;
    },
    120_000 + KILLS * KILL_MS_MAX,
  );

  afterAll(async () => {
    await headEnd?.stop();
    field?.remove();
  });

  it('killed front, routers, MDMs and edges, each as often as the others, while readings were on their way', () => {
    expect(killer.deaths).toBe(KILLS);
    for (const kind of KINDS)
      expect(killer.killed[kind], kind).toBeGreaterThanOrEqual(Math.floor(KILLS / KINDS.length));
    expect(deliveredBeforeLastKill).toBeGreaterThan(0);
    expect(deliveredBeforeLastKill).toBeLessThan(METERS * DAYS_PER_ROUND * rounds);
    const restarts = headEnd.supervisor.children.reduce((sum, child) => sum + child.restarts, 0);
    expect(restarts).toBeGreaterThanOrEqual(KILLS - killer.killed.edge);
  });

  it('every reading is at its MDM once in effect, as its meter showed it, and at no other', () => {
    const expected = emulatedIndexes(run, daysFrom(FIRST_DAY, rounds * DAYS_PER_ROUND));
    expect(expected.size).toBe(METERS * DAYS_PER_ROUND * rounds);
    expect(judge(expected, records())).toEqual(INNOCENT);
  });

  it('what was sent again was told to be a duplicate, and nothing was refused', () => {
    const mdms = sumCounters(TENANTS.map((tenant) => headEnd.mdm(tenant).counters));
    const rejected = Object.entries(mdms).filter(
      ([name, times]) => /\.(?:rejected\.\w+|misrouted)$/.test(name) && times > 0,
    );
    expect(rejected).toEqual([]);
    const refused = reports.flatMap(({ tenants }) => Object.values(tenants).map((tally) => tally.refused));
    expect(Math.max(...refused)).toBe(0);
  });

  it('every device has its receipts', () => {
    expect(reports.map(({ complete, lost }) => ({ complete, lost }))).toEqual(
      Array.from({ length: SLICES * rounds }, () => ({ complete: true, lost: 0 })),
    );
  });
});

function total(records: ReadonlyMap<TenantId, readonly AcceptedRecord[]>): number {
  return [...records.values()].reduce((sum, all) => sum + all.length, 0);
}
