import { existsSync, readdirSync } from 'node:fs';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { dayNamed } from '../../gateway/edge/days/calendar.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { TestFolder } from '../support/chaos-folder.ts';
import { HES_LINKED, Hes, runHes } from '../support/chaos-hes.ts';
import { contentOf, daysFrom, emulatedIndexes, INNOCENT, judge, streamsOf } from '../support/chaos-oracle.ts';
import { outboxesOf } from '../support/chaos-outboxes.ts';
import { until } from '../support/processes.ts';
import { readRecords } from '../support/records.ts';

const folder = new TestFolder();
const two = folder.twoTenants();
const running: Hes[] = [];
afterEach(() => {
  for (const hes of running.splice(0)) hes.kill('SIGKILL', 'group');
});
afterAll(() => folder.remove());

/** Readings for longer than any of these tests takes. */
const ENDLESS = ['--once', '--meters', '40', '--days', '2000'];
const CONTINUOUS = ['--meters', '8', '--speed', '60'];

let count = 0;
interface Started {
  readonly hes: Hes;
  readonly data: string;
  readonly records: string;
}

function start(args: readonly string[], program?: string): Started {
  count += 1;
  const data = `data-${count}`;
  const records = folder.join(`records-${count}.jsonl`);
  const own = ['--config', two, '--port', '0', '--data', folder.join(data), '--mdm-out', records];
  const hes = new Hes(['up', ...args, ...own], program === undefined ? {} : { program });
  running.push(hes);
  return { hes, data, records };
}

async function deliveries({ hes, records }: Started, atLeast: number): Promise<void> {
  await until(`${atLeast} records: ${hes.stderr}`, () => readRecords(records).length >= atLeast, 60_000);
}

/** Nothing of it runs, and nothing but keys and outboxes is in its folder. */
async function expectGone({ hes, data }: Started): Promise<void> {
  await until(`all are gone: ${hes.survivors()}`, () => hes.survivors().length === 0, 20_000);
  const names = readdirSync(folder.join(data));
  expect(names).not.toContain('up.lock');
  expect(names).not.toContain('runs');
  if (names.includes('bus')) expect(readdirSync(folder.join(data, 'bus'))).toEqual([]);
}

describe('a run that is ended', () => {
  it.each([
    ['Ctrl-C', 'SIGINT', 'group', HES_LINKED],
    ['a signal to the command alone', 'SIGTERM', 'alone', HES_LINKED],
    ['a signal to the program alone', 'SIGTERM', 'alone', undefined],
    ['the end of its terminal', 'SIGHUP', 'group', HES_LINKED],
  ] as const)(
    'by %s leaves no process, no socket and no folder of the run',
    async (_, signal, whom, program) => {
      const run = start(ENDLESS, program);
      await deliveries(run, 20);
      expect(run.hes.tree().map(({ kind }) => kind)).toEqual(
        expect.arrayContaining(['fleet', 'front', 'mdm', 'router']) as unknown,
      );
      run.hes.kill(signal, whom);
      const { code, stdout, stderr } = await run.hes.end();
      expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
      // What was reached is told all the same.
      expect(stdout).toContain('INCOMPLETE');
      await expectGone(run);
    },
  );

  it('without end, by Ctrl-C, ends with 0 and keeps only what its devices need', async () => {
    const run = start(CONTINUOUS, HES_LINKED);
    await deliveries(run, 8);
    // The desks may be ready later than the first readings come.
    await until('all of it runs', () => existsSync(folder.join(run.data, 'desks.json')), 60_000);
    run.hes.kill('SIGINT', 'group');
    expect(await run.hes.end()).toMatchObject({ code: 0, stdout: '' });
    await expectGone(run);
    const foreseen =
      /^(?:pki\/.+|simulated-day\.json|desk\/[a-z]+\.sqlite|devices\/[0-9a-f]{16}\/(?:identity\.json|outbox))$/;
    expect(folder.files(run.data).filter((name) => !foreseen.test(name))).toEqual([]);
  });

  it('by Ctrl-C pressed again and again ends no less cleanly', async () => {
    const run = start(ENDLESS, HES_LINKED);
    await deliveries(run, 10);
    const timer = setInterval(() => run.hes.kill('SIGINT', 'group'), 20);
    const end = await run.hes.end();
    clearInterval(timer);
    expect(end.code).toBe(130);
    await expectGone(run);
  });
});

describe('a start that is ended', () => {
  it.each(['front', 'router', 'fleet'] as const)(
    'by Ctrl-C as soon as there is a %s leaves nothing',
    async (kind) => {
      const run = start(CONTINUOUS, HES_LINKED);
      await run.hes.running(kind);
      run.hes.kill('SIGINT', 'group');
      const { code, stderr } = await run.hes.end();
      expect(stderr).toBe('');
      // The last of the children may have been ready in that moment: then it was a run that was ended.
      expect(kind === 'fleet' ? [0, 130] : [130]).toContain(code);
      await expectGone(run);
    },
  );

  it('by a signal to the program alone at any moment leaves nothing', async () => {
    for (const afterMs of [150, 400, 900, 1_600]) {
      const run = start(CONTINUOUS);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      run.hes.kill('SIGTERM', 'alone');
      await run.hes.end();
      await until(`all are gone: ${run.hes.survivors()}`, () => run.hes.survivors().length === 0, 20_000);
      // On a fast machine the last of these moments finds it running: then there are devices, desks, and a day.
      const foreseen = /^(?:pki\/|devices\/|desk\/[a-z]+\.sqlite(?:-wal|-shm)?$|simulated-day\.json$)/;
      if (existsSync(folder.join(run.data)))
        expect(folder.files(run.data).filter((name) => !foreseen.test(name))).toEqual([]);
    }
  });
});

describe('a program that is killed', () => {
  it.each([
    ['the command', HES_LINKED],
    ['the program', undefined],
  ])('(%s) leaves no orphan, and its folder can be used again', async (_, program) => {
    const run = start(ENDLESS, program);
    await deliveries(run, 20);
    const before = run.hes.tree();
    expect(before.length).toBeGreaterThanOrEqual(5);
    run.hes.kill('SIGKILL', 'alone');
    await run.hes.end();
    await until(`all are gone: ${run.hes.survivors()}`, () => run.hes.survivors().length === 0, 20_000);
    const args = ['up', '--once', '--meters', '4', '--config', two, '--port', '0'];
    const again = await runHes([...args, '--data', folder.join(run.data)]);
    expect(again).toMatchObject({ code: 0, stderr: '' });
    await expectGone(run);
  });
});

describe('a bounded run whose processes are killed', () => {
  it('ends with 0, with every index at its MDM once and a report that says so', async () => {
    const run = start(['--once', '--meters', '40', '--days', '25', '--seed', '5', '--json']);
    for (const kind of ['mdm', 'fleet', 'front', 'router']) {
      await deliveries(run, readRecords(run.records).length + 20);
      const [victim] = await run.hes.running(kind);
      process.kill(victim!.pid, 'SIGKILL');
    }
    const end = await run.hes.end();
    expect(end.code, end.stderr).toBe(0);
    const row = { meters: 20, expected: 500, delivered: 500, refused: 0 };
    expect(JSON.parse(end.stdout)).toMatchObject({
      tenants: { ores: row, pidpa: row },
      lost: 0,
      misrouted: 0,
    });
    const emulated = { seed: 5, meters: 40, tenants: ['ores', 'pidpa'] as TenantId[] };
    const accepted = Map.groupBy(readRecords(run.records), ({ tenant }) => tenant);
    expect(judge(emulatedIndexes(emulated, daysFrom('2026-03-28', 25)), accepted)).toEqual(INNOCENT);
    await expectGone(run);
  });
});

describe('a run without end whose processes are killed', () => {
  it('delivers every day of every stream once all the same', async () => {
    const run = start(CONTINUOUS);
    const delivered = (): number => readRecords(run.records).length;
    await deliveries(run, 16);
    for (const kind of ['router', 'front', 'fleet', 'mdm']) {
      const [victim] = await run.hes.running(kind);
      process.kill(victim!.pid, 'SIGKILL');
      await until(`another ${kind} runs`, () =>
        run.hes.tree().some((one) => one.kind === kind && one.pid !== victim!.pid),
      );
      // Two days' worth of readings since then: the new one does its part.
      await deliveries(run, delivered() + 16);
    }
    run.hes.kill('SIGTERM', 'alone');
    expect(await run.hes.end()).toMatchObject({ code: 0 });
    await expectGone(run);

    const emulated = { seed: 1, meters: 8, tenants: ['ores', 'pidpa'] as TenantId[] };
    const accepted = Map.groupBy(readRecords(run.records), ({ tenant }) => tenant);
    const days = [...accepted.values()].flat().map((record) => contentOf(record).name.split('/')[2]!);
    const first = dayNamed(days.toSorted()[0]!);
    const last = dayNamed(days.toSorted().at(-1)!);
    const { settled } = outboxesOf(folder.join(run.data, 'devices'), streamsOf(emulated), first);
    expect(settled.length).toBeGreaterThanOrEqual(80);
    const all = emulatedIndexes(emulated, daysFrom(first.name, last.ordinal - first.ordinal + 1));
    const { lost, ...rest } = judge(all, accepted);
    expect({ ...rest, lost: [] }).toEqual(INNOCENT);
    // Of what is not there each still lies in its device's outbox, or its day had not been closed yet.
    expect(new Set(lost).intersection(new Set<string>(settled))).toEqual(new Set());
  });
});
