import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dayNamed, type LocalDay } from '../../gateway/edge/days/calendar.ts';
import type { Child } from '../../gateway/runtime/child.ts';
import { enrolmentsOf } from '../../meter-emulator/input.ts';
import { provisionFleet } from '../../meter-emulator/provision.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { contentOf, daysFrom, emulatedIndexes, INNOCENT, judge, streamsOf } from '../support/chaos-oracle.ts';
import { outboxesOf } from '../support/chaos-outboxes.ts';
import { Field, TENANTS } from '../support/field.ts';
import { type HeadEndProcesses, startProcesses, until } from '../support/processes.ts';
import type { AcceptedRecord } from '../support/records.ts';

/**
 * One operator stands still, the other six keep their rate.
 *
 * The meters live with a clock on which a day takes five seconds, and wake spread over it, so the load is offered at
 * a steady rate that does not wait for anybody: what the head-end takes in so many whole days is that rate, or less
 * if the frozen operator is in the way of the others. It is far below what one core can do. All meters are in one
 * process, with a place for each device, so a device that waits takes nothing from another. Among them are
 * electricity meters of Fluvius with a water meter of a guest, the nearest that two operators come to each other.
 */
const SEED = 3;
const STREAMS_PER_TENANT = 30;
const RUN = { seed: SEED, meters: STREAMS_PER_TENANT * TENANTS.length };
const DAY_MS = 5_000;
const WINDOW_DAYS = 2;
/** What is offered to each operator in a window. */
const OFFERED = STREAMS_PER_TENANT * WINDOW_DAYS;

/**
 * The rate in the freeze against that before it. In whole days of a steady load the two are equal but for the edges
 * of the windows (a few of 60 readings) and for what else the machine does: if it is busy in one window it catches
 * up in the next, while a frozen operator that is in the way stays in it. So the best of three windows counts.
 */
const RATIO_MIN = 0.8;
const WINDOWS = 3;

/** Less than the devices of one operator, so that the bound is reached. */
const HELD_PER_TENANT_MAX = 12;

const of = (name: string): TenantId => name as TenantId;

let field: Field;
let headEnd: HeadEndProcesses;
let edges: Child;

beforeAll(async () => {
  field = new Field(TENANTS);
  const startedAtMs = Date.now();
  const originMs = dayNamed('2026-05-01').start * 1_000;
  const speed = 86_400_000 / DAY_MS;
  headEnd = await startProcesses(field, {
    clock: { kind: 'simulated', originMs, startedAtMs, speed },
    logLevel: 'error',
    front: { limits: { answerTimeoutMs: 4_000, heldPerTenantMax: HELD_PER_TENANT_MAX, heldPerClientMax: 8 } },
    router: () => ({
      later: { minSeconds: 1, maxSeconds: 2 },
      mdm: { requestMs: 2_000, breaker: { openMs: 500, openMsMax: 1_000 } },
      limits: { answerWithinMs: 3_000 },
    }),
  });
  const source = {
    kind: 'emulated',
    ...RUN,
    tenants: TENANTS.map((id) => ({ id })),
    sampling: 'close',
    slice: { index: 0, of: 1 },
  } as const;
  const devices = await enrolmentsOf(source);
  await provisionFleet({ devices, data: field.directory, pki: field.pki, nowMs: Date.now() });
  const spec = headEnd.fleetSpec({
    data: field.directory,
    source,
    run: { kind: 'continuous' },
    limits: { concurrency: devices.length, openMax: devices.length, retryBaseMs: 100, retryMaxMs: 1_000 },
  });
  edges = await headEnd.supervisor.start(spec);
  await until(
    'the rate is steady',
    async () => {
      const { taken } = await window();
      return TENANTS.every((tenant) => taken(tenant) >= 0.9 * OFFERED);
    },
    120_000,
  );
});

afterAll(async () => {
  for (const child of headEnd?.supervisor.children ?? []) child.kill('SIGCONT');
  await headEnd?.stop();
  field?.remove();
});

interface Window {
  /** Records that the MDM of a tenant accepted in it. */
  taken(tenant: TenantId): number;
  takenOf(tenants: readonly TenantId[]): number;
}

/** So many whole simulated days. */
async function window(): Promise<Window> {
  const before = counted();
  await delay(WINDOW_DAYS * DAY_MS);
  const after = counted();
  const taken = (tenant: TenantId): number => after.get(tenant)! - before.get(tenant)!;
  return {
    taken,
    takenOf: (tenants) => tenants.reduce((sum, tenant) => sum + taken(tenant), 0),
  };
}

const counted = (): Map<TenantId, number> =>
  new Map(TENANTS.map((tenant) => [tenant, headEnd.records(tenant).length]));

const accepted = (): Map<TenantId, AcceptedRecord[]> =>
  new Map(TENANTS.map((tenant) => [tenant, headEnd.records(tenant)]));

/** Front counters while something goes on; they come twice a second. */
async function watched<T>(tenant: TenantId, act: () => Promise<T>): Promise<{ result: T; heldMost: number }> {
  let heldMost = 0;
  const look = (): void => {
    heldMost = Math.max(heldMost, headEnd.front.counters[`tenant.${tenant}.held`] ?? 0);
  };
  const timer = setInterval(look, 100);
  try {
    return { result: await act(), heldMost };
  } finally {
    clearInterval(timer);
  }
}

const unanswered = (reason: string): number => headEnd.front.counters[`unanswered.${reason}`] ?? 0;

/** Every reading of a day that had been closed by now, of one operator, is at its MDM. */
async function recovered(tenant: TenantId, closedBefore: LocalDay): Promise<void> {
  const streams = streamsOf(RUN).filter(({ owner }) => owner === tenant);
  await until(
    `${tenant} has everything up to ${closedBefore.name}`,
    () => {
      const names = new Set(headEnd.records(tenant).map((record) => contentOf(record).name));
      return streams.every(({ device }) => names.has(`${device}/${tenant}/${closedBefore.name}`));
    },
    60_000,
  );
}

/** The last day that all of the others' devices have closed: that of their newest records. */
function newestDay(tenants: readonly TenantId[]): LocalDay {
  const days = tenants.flatMap((tenant) =>
    headEnd
      .records(tenant)
      .slice(-1)
      .map((record) => contentOf(record).name),
  );
  return dayNamed(days.map((name) => name.split('/')[2]!).toSorted()[0]!);
}

describe.each([
  {
    frozen: of('ores'),
    what: 'router and MDM',
    children: (t: TenantId) => [headEnd.router(t), headEnd.mdm(t)],
  },
  { frozen: of('farys'), what: 'MDM', children: (t: TenantId) => [headEnd.mdm(t)] },
])('while the $what of $frozen stand still', ({ frozen, what, children }) => {
  const others = TENANTS.filter((tenant) => tenant !== frozen);

  it('the other six keep their rate, what is held for the frozen one is bounded, and it recovers', async () => {
    const before = await window();
    const unansweredBefore = { held: unanswered('held-tenant'), timeout: unanswered('timeout') };
    for (const child of children(frozen)) child.kill('SIGSTOP');
    const beforeFreeze = headEnd.records(frozen).length;

    try {
      const { result: ratios, heldMost } = await watched(frozen, async () => {
        const windows: number[] = [];
        while (windows.length < WINDOWS && !(Math.max(...windows) >= RATIO_MIN)) {
          const during = await window();
          windows.push(
            Math.min(
              during.takenOf(others) / before.takenOf(others),
              // No single one of them pays either; with 60 readings each the edges of a window weigh more.
              ...others.map((tenant) => during.taken(tenant) / before.taken(tenant) + 0.1),
            ),
          );
        }
        return windows;
      });
      expect(Math.max(...ratios), `of ${ratios.join(', ')}`).toBeGreaterThanOrEqual(RATIO_MIN);

      // A request that was under way may still have ended; then nothing more came.
      expect(headEnd.records(frozen).length - beforeFreeze).toBeLessThanOrEqual(HELD_PER_TENANT_MAX);
      expect(heldMost).toBeGreaterThan(0);
      expect(heldMost).toBeLessThanOrEqual(HELD_PER_TENANT_MAX);
      if (what === 'router and MDM') {
        expect(unanswered('timeout')).toBeGreaterThan(unansweredBefore.timeout);
        expect(unanswered('held-tenant')).toBeGreaterThan(unansweredBefore.held);
      }
      // No process was restarted for it: standing still is not dying.
      for (const child of headEnd.supervisor.children) expect(child.restarts, child.spec.name).toBe(0);
    } finally {
      for (const child of children(frozen)) child.kill('SIGCONT');
    }
    await recovered(frozen, newestDay(others));
  });
});

describe('afterwards', () => {
  it('every reading that a device let go of is at its MDM once, and none is anywhere else', async () => {
    await edges.stop();
    const names = [...accepted().values()].flat().map((record) => contentOf(record).name.split('/')[2]!);
    const days = names.toSorted();
    const first = dayNamed(days[0]!);
    const count = dayNamed(days.at(-1)!).ordinal - first.ordinal + 1;
    const { settled, pending, parked } = outboxesOf(join(field.directory, 'devices'), streamsOf(RUN), first);
    expect(parked).toEqual([]);
    expect(settled.length).toBeGreaterThan(8 * OFFERED);
    // One day at most of each stream may still be on its way.
    expect(pending.length).toBeLessThanOrEqual(2 * RUN.meters);
    const { lost, ...rest } = judge(emulatedIndexes(RUN, daysFrom(first.name, count)), accepted());
    expect({ ...rest, lost: [] }).toEqual(INNOCENT);
    expect(new Set(lost).intersection(new Set<string>(settled))).toEqual(new Set());
  });
});
