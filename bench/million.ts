/**
 * A million daily indexes of ten thousand meters through the real front, routers and simulated MDMs: each arrives
 * exactly once, and the memory of the processes in between stays where it was.
 */
import { fork } from 'node:child_process';
import { MIDNIGHT_SECONDS } from '../gateway/router/testing/household.ts';
import { recipientOf } from '../pki/trust.ts';
import type { TenantId } from '../protocol/identity.ts';
import { recipientText } from './day/protocol.ts';
import type { Bench, BenchOutcome } from './lib/bench.ts';
import { residentKib } from './lib/cpu.ts';
import { type HeadEnd, startHeadEnd } from './lib/head-end.ts';
import { median, round } from './lib/statistics.ts';
import type { BacklogMessage, BacklogSetup } from './million/protocol.ts';

const TENANTS = ['ores', 'fluvius'] as TenantId[];
const FULL = { meters: 10_000, indexes: 1_000_000 } as const;
const QUICK = { meters: 40, indexes: 400 } as const;
const BACKLOG = 10;
const AT_ONCE = 32;
/** The last third of the warm part of the run beside the first. */
const GOAL = { atMost: 1.05 } as const;
const SAMPLE_EVERY_MS = 2_000;
const SAY_EVERY = 20_000;

/** Resident KiB of each process at a moment of the run. */
interface Sample {
  readonly delivered: number;
  readonly kib: Readonly<Record<string, number>>;
}

function setupOf({ pki, port }: HeadEnd, meters: number, indexes: number): BacklogSetup {
  const owners = TENANTS.map((tenant) => ({
    tenant,
    recipient: recipientText(
      recipientOf(pki.owners.get(tenant)!.certificate, {
        tenant,
        root: pki.root.pem,
        atMs: Date.now(),
        development: true,
      }),
    ),
  }));
  return { port, pki: pki.layout.directory, owners, meters, indexes, backlog: BACKLOG, atOnce: AT_ONCE };
}

/** Let the meters send everything; resolves with the seconds that it took. */
async function send(
  setup: BacklogSetup,
  progress: (line: string) => void,
  sample: (delivered: number) => void,
): Promise<number> {
  const child = fork(new URL('./million/meters.ts', import.meta.url), {
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
  });
  child.stdin!.end(JSON.stringify(setup));
  let delivered = 0;
  let startedMs = 0;
  let timer: NodeJS.Timeout | undefined;
  try {
    return await new Promise((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`the meters ended with ${code}`)));
      child.on('message', (message: BacklogMessage) => {
        if ('failed' in message) return reject(new Error(message.failed));
        if ('enrolled' in message) {
          progress(`${message.enrolled} meters are enrolled`);
          startedMs = performance.now();
          timer = setInterval(() => sample(delivered), SAMPLE_EVERY_MS);
          return;
        }
        delivered = message.delivered;
        if (delivered % SAY_EVERY === 0) progress(`${delivered} of ${setup.indexes}`);
        if (message.done) resolve((performance.now() - startedMs) / 1_000);
      });
    });
  } finally {
    clearInterval(timer);
    child.removeAllListeners('exit');
    child.kill();
  }
}

async function run(request: Parameters<Bench['run']>[0]): Promise<BenchOutcome> {
  const { quick, nodeFlags, profile, progress } = request;
  const size = quick ? QUICK : FULL;
  const indexes = request.indexes ?? size.indexes;
  const headEnd = await startHeadEnd({
    tenants: TENANTS,
    nowMs: (MIDNIGHT_SECONDS + 60) * 1_000,
    ageDaysMax: 60,
    nodeFlags,
    profile,
  });
  try {
    const pids: Readonly<Record<string, number>> = {
      front: headEnd.frontPid,
      ...Object.fromEntries([...headEnd.routerPids].map(([tenant, pid]) => [`router ${tenant}`, pid])),
    };
    const samples: Sample[] = [];
    const sample = (delivered: number): void => {
      const kib = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, residentKib(pid)]));
      samples.push({ delivered, kib });
    };
    const seconds = await send(setupOf(headEnd, size.meters, indexes), progress, sample);
    sample(indexes);
    if (headEnd.restarts() > 0) throw new Error('a process of the head-end died during the run');
    const counts = await Promise.all(TENANTS.map((tenant) => headEnd.mdmCounts(tenant)));
    const sum = (of: (count: (typeof counts)[number]) => number): number =>
      counts.reduce((total, count) => total + of(count), 0);
    const accepted = sum((count) => count.accepted);
    if (accepted !== indexes || sum((count) => count.duplicates + count.misrouted) !== 0)
      throw new Error(`${accepted} of ${indexes} indexes are at their MDMs`);
    // Warm once every meter has connected: until then the front is still meeting new certificates.
    const warm = Math.max(indexes / 4, Math.min(size.meters * BACKLOG, indexes / 2));
    const part = (from: number, to: number, name: string): number => {
      const at = (share: number): number => warm + share * (indexes - warm);
      const within = samples.filter(({ delivered }) => delivered >= at(from) && delivered <= at(to));
      return median((within.length === 0 ? samples : within).map(({ kib }) => kib[name]!));
    };
    const early = (name: string): number => part(0, 1 / 3, name);
    const late = (name: string): number => part(2 / 3, 1, name);
    const names = Object.keys(pids);
    return {
      ratios: names.map((name) => ({
        name: `${name}: resident memory, last third to the first, once every meter has connected`,
        value: round(late(name) / early(name), 3),
        goal: GOAL,
      })),
      figures: [
        { name: 'at their MDMs, each once', value: accepted, unit: 'indexes' },
        {
          name: 'through the whole chain, meters included',
          value: round(indexes / seconds, 0),
          unit: 'indexes a second',
        },
        ...names.map((name) => ({
          name: `${name}: resident memory in the last third`,
          value: round(late(name) / 1_024, 0),
          unit: 'MiB',
        })),
      ],
      absent: [],
      notes: [
        `${size.meters} meters of ${TENANTS.join(' and ')}, ${BACKLOG} days in one connection, ${AT_ONCE} meters at once; the process that plays the meters seals and signs every reading and shares the machine with everything else. The memory of the simulated MDMs, which remember every key, is not held against the goal.`,
      ],
      details: { seconds: round(seconds, 1), samples: samples.length },
    };
  } finally {
    await headEnd.stop();
  }
}

export const bench: Bench = {
  what: 'A million daily indexes of ten thousand meters through front, routers and simulated MDMs: each arrives once, with flat memory.',
  run,
};
