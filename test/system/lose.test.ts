import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Child } from '../../gateway/runtime/child.ts';
import { randomPick, seededRandom } from '../../gateway/runtime/random.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { edgeProcess, FIRST_DAY, impatient } from '../support/chaos-fleet.ts';
import { daysFrom, emulatedIndexes, INNOCENT, judge } from '../support/chaos-oracle.ts';
import { Field } from '../support/field.ts';
import { type HeadEndProcesses, startProcesses } from '../support/processes.ts';
import type { AcceptedRecord } from '../support/records.ts';

/** More with HES_KILLS=1000; the schedule of a seed is the same at every run. */
const KILLS = Number(process.env['HES_KILLS'] ?? 104);
const SEED = Number(process.env['HES_SEED'] ?? 20_261_124);

/** Two electricity operators and a water company, so that there are guests. */
const TENANTS = ['ores', 'fluvius', 'farys'] as TenantId[];
const KINDS = ['front', 'router', 'mdm', 'edge'] as const;
type Kind = (typeof KINDS)[number];

/** Enough days that the fleet has something to send while everything is being killed. */
const METERS = 36;
const DAYS = Math.max(30, Math.ceil(KILLS * 0.6));
const SLICES = 2;

/** Between two kills: long enough that what came back does some work, short enough that much is half done. */
const PAUSE_MS = [40, 260] as const;

describe(`kills at random points under load, seed ${SEED}`, () => {
  const run = { seed: SEED % 100_000, meters: METERS, tenants: TENANTS };
  const killed: Record<Kind, number> = { front: 0, router: 0, mdm: 0, edge: 0 };
  const reports: { complete: boolean; lost: number }[] = [];
  let field: Field;
  let headEnd: HeadEndProcesses;
  let deliveredBeforeLastKill = 0;

  const records = (): ReadonlyMap<TenantId, AcceptedRecord[]> =>
    new Map(TENANTS.map((tenant) => [tenant, headEnd.records(tenant)]));

  beforeAll(async () => {
    field = new Field(TENANTS);
    // A short pause before each restart: what is tried is many deaths, not the patience of the supervisor.
    headEnd = await startProcesses(field, { ...impatient(DAYS), restart: { baseMs: 30, maxMs: 60 } });
    const edges = await Promise.all(
      Array.from({ length: SLICES }, (_, index) =>
        edgeProcess(field, headEnd, {
          ...run,
          name: `edge-${index}`,
          days: DAYS,
          slice: { index, of: SLICES },
        }),
      ),
    );
    const running = await Promise.all(edges.map(({ spec }) => headEnd.supervisor.start(spec)));
    const victims: Readonly<Record<Kind, readonly Child[]>> = {
      front: [headEnd.front],
      router: TENANTS.map((tenant) => headEnd.router(tenant)),
      mdm: TENANTS.map((tenant) => headEnd.mdm(tenant)),
      edge: running,
    };
    const random = seededRandom('kills', SEED);
    for (let kill = 0; kill < KILLS; kill++) {
      const kind = KINDS[kill % KINDS.length]!;
      const victim = randomPick(random, victims[kind]);
      await delay(PAUSE_MS[0] + random() * (PAUSE_MS[1] - PAUSE_MS[0]));
      while (victim.state !== 'ready') await delay(10);
      if (kill === KILLS - 1) deliveredBeforeLastKill = count(records());
      if (victim.kill('SIGKILL')) killed[kind]++;
    }
    reports.push(...(await Promise.all(edges.map(({ ended }) => ended))));
  }, 600_000);

  afterAll(async () => {
    await headEnd?.stop();
    field?.remove();
  });

  it('killed front, routers, MDMs and edges, each many times, while readings were on their way', () => {
    expect(Object.values(killed).reduce((sum, times) => sum + times, 0)).toBe(KILLS);
    for (const kind of KINDS) expect(killed[kind]).toBeGreaterThanOrEqual(Math.floor(KILLS / KINDS.length));
    // The load outlasted the kills, and there was some of it among them.
    expect(deliveredBeforeLastKill).toBeGreaterThan(0);
    expect(deliveredBeforeLastKill).toBeLessThan(METERS * DAYS);
  });

  it('every reading is at its MDM once in effect, as its meter showed it, and at no other', () => {
    const expected = emulatedIndexes(run, daysFrom(FIRST_DAY, DAYS));
    expect(expected.size).toBe(METERS * DAYS);
    expect(judge(expected, records())).toEqual(INNOCENT);
  });

  it('every device has its receipts', () => {
    expect(reports.map(({ complete, lost }) => ({ complete, lost }))).toEqual(
      Array.from({ length: SLICES }, () => ({ complete: true, lost: 0 })),
    );
  });

  it('the judge finds a reading that is lost, doubled, altered or astray', () => {
    const expected = emulatedIndexes(run, daysFrom(FIRST_DAY, DAYS));
    const with_ = (change: (ores: AcceptedRecord[]) => AcceptedRecord[]) =>
      judge(
        expected,
        new Map([...records()].map(([tenant, all]) => [tenant, tenant === 'ores' ? change(all) : all])),
      );
    const first = headEnd.records('ores' as TenantId)[0]!;
    expect(with_((all) => all.slice(1)).lost).toHaveLength(1);
    expect(with_((all) => [...all, first]).twice).toHaveLength(1);
    const altered = {
      ...first,
      text: first.text.replace(
        /("value":"\d*)(\d)(\.)/,
        (_, head, digit, point) => `${head}${(Number(digit) + 1) % 10}${point}`,
      ),
    };
    expect(with_((all) => [altered, ...all.slice(1)]).falsified).toHaveLength(1);
    expect(
      with_((all) => [...all, ...headEnd.records('farys' as TenantId).slice(0, 1)]).misrouted,
    ).toHaveLength(1);
  });
});

function count(records: ReadonlyMap<TenantId, readonly AcceptedRecord[]>): number {
  return [...records.values()].reduce((sum, all) => sum + all.length, 0);
}
