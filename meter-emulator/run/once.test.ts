import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { dayAfter, dayNamed } from '../../gateway/edge/days/calendar.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { FakeEdges, fakeStation } from '../testing/fake-edge.ts';
import { runOnce } from './once.ts';
import type { Station } from './station.ts';
import { Tally } from './tally.ts';
import { Visits } from './visits.ts';

const FIRST = dayNamed('2026-03-28');
const daysFrom = (count: number) => Array.from({ length: count }, (_, index) => dayAfter(FIRST, index));
const ORES = 'ores' as TenantId;
const FARYS = 'farys' as TenantId;

function setUp(edges: FakeEdges, { openMax = 10 } = {}) {
  const stations = [fakeStation('a', 'ores', 'farys'), fakeStation('b', 'ores'), fakeStation('c', 'farys')];
  const tally = new Tally(
    new Map([
      [ORES, 2],
      [FARYS, 2],
    ]),
  );
  const counters = new Counters();
  const stopping = new AbortController();
  const visits = new Visits({ open: edges.open, openMax, tally, counters, signal: stopping.signal });
  const run = (days = 2, own: readonly Station[] = stations) =>
    runOnce({
      visits,
      tally,
      stations: own,
      daysOf: () => daysFrom(days),
      daysPerVisit: 1,
      concurrency: 2,
      signal: stopping.signal,
    });
  return { stations, tally, counters, stopping, visits, run };
}

describe('a bounded run', () => {
  it('closes every day of every device once and counts each receipt for its owner', async () => {
    const edges = new FakeEdges();
    const { tally, run } = setUp(edges);
    await run();
    expect(edges.closed).toHaveLength(6);
    expect(tally.tenants()).toEqual({
      ores: { meters: 2, expected: 4, delivered: 4, duplicates: 0, refused: 0 },
      farys: { meters: 2, expected: 4, delivered: 4, duplicates: 0, refused: 0 },
    });
    expect(tally.outstanding).toBe(0);
  });

  it('sends the days of the others while an operator leaves its devices without an answer', async () => {
    const edges = new FakeEdges();
    const answered = Promise.withResolvers<void>();
    edges.hold = ({ owners }) => (owners[0] === ORES ? answered.promise : Promise.resolve());
    const stuck = Array.from({ length: 8 }, (_, index) => fakeStation(`o${index}`, 'ores'));
    const { tally, run } = setUp(edges);
    const ended = run(3, [...stuck, fakeStation('c', 'farys')]);
    while (tally.tenants()['farys']!.delivered < 3) await delay(1);
    expect(tally.tenants()['ores']!.delivered).toBe(0);
    answered.resolve();
    await ended;
    expect(tally.tenants()['ores']!.delivered).toBe(24);
  });

  it('tries again until every index has its receipt', async () => {
    const edges = new FakeEdges();
    let failures = 20;
    edges.answer = () => (failures-- > 0 ? null : 'delivered');
    const { tally, run, counters } = setUp(edges);
    await run();
    expect(tally.outstanding).toBe(0);
    expect(counters.get('fleet.wakeFailed.ERR_UPLINK_CONNECT')).toBeGreaterThan(0);
  });

  it('goes on closing days while nothing can be sent', async () => {
    const edges = new FakeEdges();
    edges.answer = () => null;
    edges.retryMs = 60_000;
    const { run, stopping, tally } = setUp(edges);
    const running = run(3);
    await delay(20);
    expect(edges.closed).toHaveLength(9);
    stopping.abort();
    await running;
    expect(tally.outstanding).toBe(12);
  });

  it('counts a duplicate as delivered and as duplicate, a refusal as neither', async () => {
    const edges = new FakeEdges();
    edges.answer = ({ owner }) => (owner === ORES ? 'duplicate' : 'refused');
    const { run, tally } = setUp(edges);
    await run(1);
    expect(tally.tenants()).toEqual({
      ores: { meters: 2, expected: 2, delivered: 2, duplicates: 2, refused: 0 },
      farys: { meters: 2, expected: 2, delivered: 0, duplicates: 0, refused: 2 },
    });
  });

  it('after a kill closes no day twice and counts what was closed, sent and refused before', async () => {
    const edges = new FakeEdges();
    edges.retryMs = 60_000;
    // The first process: a delivers to ores, farys refuses; b and c never get through.
    edges.answer = ({ owner }, { id }) => (id !== 'a' ? null : owner === ORES ? 'delivered' : 'refused');
    const first = setUp(edges);
    const killed = first.run(2);
    await delay(20);
    first.stopping.abort();
    await killed;
    const closedBefore = edges.closed.length;

    edges.answer = () => 'delivered';
    const second = setUp(edges);
    await second.run(3);
    expect(edges.closed.slice(closedBefore).map(({ day }) => day)).toEqual([
      '2026-03-30',
      '2026-03-30',
      '2026-03-30',
    ]);
    expect(new Set(edges.closed.map(({ device, day }) => `${device} ${day}`)).size).toBe(edges.closed.length);
    expect(second.tally.tenants()).toMatchObject({
      ores: { expected: 6, delivered: 6, refused: 0 },
      farys: { expected: 6, delivered: 4, refused: 2 },
    });
  });

  it('counts an index that waits from before the run as owed too', async () => {
    const edges = new FakeEdges();
    const eve = dayAfter(FIRST, -1).ordinal;
    edges.disks.set('b', {
      through: new Map([[ORES, eve]]),
      waiting: [{ owner: ORES, day: eve }],
      parked: [],
    });
    const { run, tally } = setUp(edges);
    await run(1);
    expect(tally.tenants()['ores']).toMatchObject({ expected: 3, delivered: 3 });
  });

  it('does not let one device with a full outbox hold up the others', async () => {
    const edges = new FakeEdges();
    let full = true;
    edges.failClose = ({ id }) => (id === 'a' && full ? 'ERR_OUTBOX_FULL' : null);
    const { run, tally, counters } = setUp(edges);
    const running = run(1);
    await delay(20);
    expect(edges.closed.map(({ device }) => device).toSorted()).toEqual(['b', 'c']);
    full = false;
    await running;
    expect(tally.outstanding).toBe(0);
    expect(counters.get('fleet.trouble.ERR_OUTBOX_FULL')).toBeGreaterThan(0);
  });

  it('ends with the error of a device whose outbox is damaged', async () => {
    const edges = new FakeEdges();
    edges.failClose = ({ id }) => (id === 'b' ? 'ERR_OUTBOX_DAMAGED' : null);
    const { run } = setUp(edges);
    await expect(run()).rejects.toMatchObject({ code: 'ERR_OUTBOX_DAMAGED' });
  });

  it('keeps no more devices open than it may, and lets go of all of them at the end', async () => {
    const edges = new FakeEdges();
    const { run, visits } = setUp(edges, { openMax: 2 });
    const stations = Array.from({ length: 12 }, (_, index) => fakeStation(`d${index}`, 'ores'));
    let most = 0;
    edges.answer = () => {
      most = Math.max(most, edges.opened - edges.released);
      return 'delivered';
    };
    await run(3, stations);
    expect(most).toBeLessThanOrEqual(4);
    await visits.stop();
    expect(edges.released).toBe(edges.opened);
  });
});
