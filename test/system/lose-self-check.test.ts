import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Outbox } from '../../gateway/edge/outbox/outbox.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { edgeProcess, FIRST_DAY, impatient } from '../support/chaos-fleet.ts';
import {
  contentOf,
  daysFrom,
  emulatedIndexes,
  INNOCENT,
  type Judgement,
  judge,
  streamsOf,
} from '../support/chaos-oracle.ts';
import { Field } from '../support/field.ts';
import { type HeadEndProcesses, startProcesses, until } from '../support/processes.ts';
import type { AcceptedRecord } from '../support/records.ts';

/**
 * Does the judge of the kill tests notice anything? Here the chain is made to lose, double, alter and misplace
 * readings on purpose, in the places where a fault would do it, and each time it must say exactly so.
 */
const [ORES, FLUVIUS, FARYS] = ['ores', 'fluvius', 'farys'] as [TenantId, TenantId, TenantId];
const TENANTS = [ORES, FLUVIUS, FARYS];
const RUN = { seed: 11, meters: 18, tenants: TENANTS };
const DAYS = 5;
const PER_TENANT = (RUN.meters / TENANTS.length) * DAYS;
const expected = emulatedIndexes(RUN, daysFrom(FIRST_DAY, DAYS));

let field: Field;
let headEnd: HeadEndProcesses;
afterEach(async () => {
  await headEnd?.stop();
  field?.remove();
});

const accepted = (): Map<TenantId, AcceptedRecord[]> =>
  new Map(TENANTS.map((tenant) => [tenant, headEnd.records(tenant)]));

/** How many of each fault. */
const counts = (judgement: Judgement): Record<string, number> =>
  Object.fromEntries(Object.entries(judgement).map(([fault, names]) => [fault, (names as string[]).length]));

const NONE = counts(INNOCENT);

const FAITHLESS = new URL('../programs/faithless-mdm.ts', import.meta.url);

describe('the judge', () => {
  it('finds what an MDM acknowledged and dropped, kept twice, and altered', async () => {
    const ways = new Map([
      [`mdm-${ORES}`, 'lossy'],
      [`mdm-${FLUVIUS}`, 'forgetful'],
      [`mdm-${FARYS}`, 'garbling'],
    ]);
    field = new Field(TENANTS);
    headEnd = await startProcesses(field, {
      ...impatient(DAYS),
      change: (spec) =>
        ways.has(spec.name) ? { ...spec, module: FAITHLESS, args: [ways.get(spec.name)!] } : spec,
    });
    const edge = await edgeProcess(field, headEnd, { ...RUN, name: 'edge', days: DAYS });
    await headEnd.supervisor.start(edge.spec);
    // Nobody on the way could know: each device has a receipt for everything.
    expect(await edge.ended).toMatchObject({ complete: true, lost: 0 });

    const judgement = judge(expected, accepted());
    const dropped = PER_TENANT / 5;
    expect(judgement.lost).toHaveLength(dropped);
    expect(judgement.lost.every((name) => name.includes(`/${ORES}/`))).toBe(true);
    expect(judgement.twice.length).toBeGreaterThan(0);
    expect(judgement.twice.every((name) => name.includes(`/${FLUVIUS}/`))).toBe(true);
    expect(judgement.numberedTwice).toHaveLength(judgement.twice.length);
    expect(judgement.falsified.length).toBeGreaterThan(0);
    expect(judgement.falsified.every((name) => name.includes(`/${FARYS}/`))).toBe(true);
    expect(judgement).toMatchObject({ misrouted: [], invented: [] });
  });

  it('finds the one reading that was taken from an outbox without a receipt', async () => {
    field = new Field(TENANTS);
    headEnd = await startProcesses(field, impatient(DAYS));
    const { spec } = await edgeProcess(field, headEnd, { ...RUN, name: 'edge', days: DAYS });
    // Nothing gets beyond the outboxes.
    await headEnd.front.stop();
    const edges = await headEnd.supervisor.start(spec);
    const { device } = streamsOf(RUN).find(({ owner }) => owner === ORES)!;
    const counters = (): number => edges.counters['fleet.closed'] ?? 0;
    await until('every day is closed', () => counters() === RUN.meters * DAYS);
    await edges.stop();

    const outbox = Outbox.open({ directory: join(field.directory, 'devices', device), device });
    const [entry] = outbox.pending();
    outbox.settle([{ entry: entry!, verdict: 'delivered' }]);
    outbox.close();

    await headEnd.supervisor.start({ ...headEnd.front.spec, name: 'front-again' });
    const again = await edgeProcess(field, headEnd, { ...RUN, name: 'edge-again', days: DAYS });
    await headEnd.supervisor.start(again.spec);
    expect(await again.ended).toMatchObject({ complete: true });
    expect(counts(judge(expected, accepted()))).toEqual({ ...NONE, lost: 1 });
    expect(judge(expected, accepted()).lost[0]).toContain(`${device}/${ORES}/`);
  });

  it('finds nothing where nothing happened, and what is astray, invented or numbered twice where it is put there', async () => {
    field = new Field(TENANTS);
    headEnd = await startProcesses(field, impatient(DAYS));
    const edge = await edgeProcess(field, headEnd, { ...RUN, name: 'edge', days: DAYS });
    await headEnd.supervisor.start(edge.spec);
    await edge.ended;
    const all = accepted();
    expect(judge(expected, all)).toEqual(INNOCENT);

    const [one, other] = all.get(ORES)!;
    const withOres = (ores: readonly AcceptedRecord[]) => judge(expected, new Map([...all, [ORES, ores]]));
    const astray = judge(expected, new Map([...all, [FARYS, [...all.get(FARYS)!, one!]]]));
    expect(counts(astray)).toEqual({ ...NONE, misrouted: 1, twice: 1, numberedTwice: 1 });
    const renumbered = { ...other!, key: one!.key };
    expect(counts(withOres([...all.get(ORES)!.filter((record) => record !== other), renumbered]))).toEqual({
      ...NONE,
      numberedTwice: 1,
    });
    const day = contentOf(one!).name.split('/')[2]!;
    const unknown = { ...one!, key: 'x', text: one!.text.replaceAll(day, '2031-01-01') };
    expect(counts(withOres([...all.get(ORES)!, unknown]))).toMatchObject({ invented: 1, lost: 0 });
  });
});
