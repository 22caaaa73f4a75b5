import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { dayAfter, dayNamed } from '../../gateway/edge/days/calendar.ts';
import { simulatedClock } from '../../gateway/runtime/clock.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { FakeEdges, fakeStation } from '../testing/fake-edge.ts';
import { runContinuously } from './continuous.ts';
import type { Station } from './station.ts';
import { Tally } from './tally.ts';
import { Visits } from './visits.ts';

const FIRST = dayNamed('2026-03-28');
/** A day in 30 ms. */
const SPEED = 86_400_000 / 30;
const running: { stopping: AbortController; run: Promise<void> }[] = [];

function start(edges: FakeEdges, stations = [fakeStation('a', 'ores'), fakeStation('b', 'ores')]) {
  const tally = new Tally(new Map([['ores' as TenantId, stations.length]]));
  const counters = new Counters();
  const stopping = new AbortController();
  const clock = simulatedClock({
    originMs: (FIRST.start + 43_200) * 1_000,
    startedAtMs: Date.now(),
    speed: SPEED,
  });
  const visits = new Visits({ open: edges.open, openMax: 10, tally, counters, signal: stopping.signal });
  const run = runContinuously({
    visits,
    tally,
    stations,
    clock,
    speed: SPEED,
    concurrency: 4,
    counters,
    signal: stopping.signal,
  });
  running.push({ stopping, run });
  return { tally, stations, stopping, run, counters };
}

afterEach(async () => {
  for (const { stopping, run } of running.splice(0)) {
    stopping.abort();
    await run.catch(() => undefined);
  }
});

async function until(holds: () => boolean): Promise<void> {
  for (let tries = 0; !holds(); tries++) {
    if (tries > 1_000) throw new Error('it never came');
    await delay(2);
  }
}

describe('a run that lives with the clock', () => {
  it('closes nothing before midnight, and at each midnight every device once', async () => {
    const edges = new FakeEdges();
    const { tally } = start(edges);
    await delay(3);
    expect(edges.closed).toEqual([]);
    await until(() => tally.tenants()['ores']!.delivered >= 6);
    for (const [index, day] of [FIRST, dayAfter(FIRST), dayAfter(FIRST, 2)].entries())
      expect(edges.closed.slice(2 * index, 2 * index + 2)).toEqual([
        { device: 'a', day: day.name },
        { device: 'b', day: day.name },
      ]);
  });

  it('carries on after a kill: closes the days that were missed, none twice', async () => {
    const edges = new FakeEdges();
    const through = dayAfter(FIRST, -4).ordinal;
    edges.disks.set('a', { through: new Map([['ores' as TenantId, through]]), waiting: [], parked: [] });
    const { tally } = start(edges);
    await until(() => edges.closed.length >= 5);
    expect(
      edges.closed
        .filter(({ device }) => device === 'a')
        .map(({ day }) => day)
        .slice(0, 4),
    ).toEqual([-3, -2, -1, 0].map((count) => dayAfter(FIRST, count).name));
    await until(() => tally.outstanding === 0);
  });

  it('goes on with the next days while the head-end is away, and delivers all of them afterwards', async () => {
    const edges = new FakeEdges();
    let away = true;
    edges.answer = () => (away ? null : 'delivered');
    const { tally } = start(edges);
    await until(() => edges.closed.length >= 6);
    expect(tally.tenants()['ores']!.delivered).toBe(0);
    away = false;
    await until(() => tally.tenants()['ores']!.delivered >= 6);
  });

  it('closes and sends the days of the others while an operator leaves its devices without an answer', async () => {
    const edges = new FakeEdges();
    const answered = Promise.withResolvers<void>();
    const isStuck = ({ owners }: Station): boolean => owners[0] === 'resa';
    edges.hold = (station) => (isStuck(station) ? answered.promise : Promise.resolve());
    const stuck = Array.from({ length: 12 }, (_, index) => fakeStation(`r${index}`, 'resa'));
    const { tally } = start(edges, [...stuck, fakeStation('a', 'ores'), fakeStation('b', 'ores')]);
    await until(() => tally.tenants()['ores']!.delivered >= 8);
    answered.resolve();
    // What the others were owed in the meantime they close one after the other.
    const ofR11 = (): string[] => edges.closed.filter(({ device }) => device === 'r11').map(({ day }) => day);
    await until(() => ofR11().length >= 5);
    const days = ofR11();
    expect(days.slice(0, 5)).toEqual([0, 1, 2, 3, 4].map((count) => dayAfter(FIRST, count).name));
  });

  it('ends with the fault of a device that cannot go on', async () => {
    const edges = new FakeEdges();
    edges.failClose = () => 'ERR_OUTBOX_DAMAGED';
    await expect(start(edges).run).rejects.toMatchObject({ code: 'ERR_OUTBOX_DAMAGED' });
  });

  it('stops when it is told to', async () => {
    const { run, stopping } = start(new FakeEdges());
    stopping.abort();
    await expect(run).resolves.toBeUndefined();
  });
});
