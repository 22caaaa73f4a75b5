/**
 * An edge with 32 sources at a telegram a second: what of a core it takes, and how much memory, until after a
 * midnight whose days were sealed, sent and receipted. Beside it, at the same sockets in the same seconds, a bare
 * process that does no more than the CRC of each telegram.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { dayAfter, dayNamed, type LocalDay } from '../gateway/edge/days/calendar.ts';
import { issueDevices } from '../pki/development/development.ts';
import type { TenantId } from '../protocol/identity.ts';
import { startEdge, stopEdge } from './edge/process.ts';
import { buildProgram, FROM_SOURCES } from './edge/program.ts';
import type { FloorCounts, MetersClock, MetersReady, MetersRequest } from './edge/protocol.ts';
import type { Bench, BenchRequest, Figure } from './lib/bench.ts';
import { cpuNanoseconds, residentKib } from './lib/cpu.ts';
import { type HeadEnd, startHeadEnd } from './lib/head-end.ts';
import { round } from './lib/statistics.ts';

const HOME = 'ores' as TenantId;
const WATER = 'farys' as TenantId;
const CPU_GOAL = { atMost: 5 } as const;
const MEMORY_GOAL = { atMost: 120 } as const;

const FIRST_DAY = dayNamed('2026-05-12');

/** Until the code is compiled and the heap has its size. */
const FULL = { warmUpMs: 30_000, runMs: 90_000, jitterMs: 10_000 } as const;
const QUICK = { warmUpMs: 1_000, runMs: 2_000, jitterMs: 500 } as const;
type Size = typeof FULL | typeof QUICK;

/** Between the end of the measuring and midnight, and from there until everything must have its receipt. */
const BEFORE_MIDNIGHT_MS = 2_000;
const DELIVERED_WITHIN_MS = 60_000;
const LOOK_EVERY_MS = 250;

interface Shape {
  readonly name: string;
  readonly devices: number;
  /** Of each device, beside its P1 port. */
  readonly modbus: number;
  readonly blockBytes: number | null;
  readonly built: boolean;
  readonly goals: boolean;
}

const SHAPES: readonly Shape[] = [
  { name: '32 devices', devices: 32, modbus: 0, blockBytes: null, built: true, goals: true },
  {
    name: '32 devices, telegrams in blocks of 64 bytes',
    devices: 32,
    modbus: 0,
    blockBytes: 64,
    built: true,
    goals: false,
  },
  {
    name: '8 devices of a P1 port and three Modbus meters',
    devices: 8,
    modbus: 3,
    blockBytes: null,
    built: true,
    goals: false,
  },
  {
    name: '32 devices, from a checkout',
    devices: 32,
    modbus: 0,
    blockBytes: null,
    built: false,
    goals: false,
  },
];

interface Measured {
  readonly shape: string;
  /** Of one core, of the edge and of the floor. */
  readonly cpuPercent: number;
  readonly floorPercent: number;
  readonly telegramBytes: number;
  readonly telegramsWrong: number;
  /** The most that was resident until midnight, and until every day had its receipt. */
  readonly steadyMib: number;
  readonly peakMib: number;
}

async function measure(
  shape: Shape,
  day: LocalDay,
  headEnd: HeadEnd,
  program: string,
  { nodeFlags, profile }: Pick<BenchRequest, 'nodeFlags' | 'profile'>,
  { warmUpMs, runMs, jitterMs }: Size,
): Promise<Measured> {
  const water = shape.modbus === 0 ? WATER : null;
  const identities = await issueDevices(
    headEnd.pki,
    Array.from({ length: shape.devices }, () => ({ home: HOME, guests: water === null ? [] : [water] })),
    { nowMs: Date.now() },
  );
  const request: MetersRequest = {
    p1: shape.devices,
    modbus: shape.devices * shape.modbus,
    mbus: water !== null,
    blockBytes: shape.blockBytes,
  };
  const started: ChildProcess[] = [];
  const play = (module: string, argument: unknown): ChildProcess => {
    const child = fork(new URL(module, import.meta.url), [JSON.stringify(argument)]);
    started.push(child);
    return child;
  };
  const before = await delivered(headEnd);
  try {
    const meters = play('./edge/meters.ts', request);
    const [ready] = (await once(meters, 'message')) as [MetersReady];
    const floor = play('./edge/floor.ts', ready.p1);
    await once(floor, 'message');
    const startedAtMs = Date.now();
    const originMs = day.end * 1_000 - BEFORE_MIDNIGHT_MS - warmUpMs - runMs - START_MS;
    const clock: MetersClock = { originMs, startedAtMs, speed: 1 };
    meters.send(clock);
    const edge = await startEdge({
      program,
      nodeFlags: [...nodeFlags, ...profiling(profile, shape)],
      folder: join(headEnd.folder, `edge-${day.name}`),
      port: headEnd.port,
      identities,
      water,
      clock,
      meters: ready,
      jitterMs,
    });
    try {
      const watch = new Watch(edge.pid!);
      await delay(warmUpMs);
      const cpu = await shares([edge.pid!, floor.pid!], runMs);
      const steadyMib = watch.mostMib;
      const wanted = identities.length * (water === null ? 1 : 2);
      const lateMs = startedAtMs + (day.end * 1_000 - originMs) + DELIVERED_WITHIN_MS;
      while ((await delivered(headEnd)) - before < wanted) {
        if (Date.now() > lateMs) throw new Error('the days were not delivered in time');
        await delay(LOOK_EVERY_MS);
      }
      watch.stop();
      floor.send('how many');
      const [counts] = (await once(floor, 'message')) as [FloorCounts];
      return {
        shape: shape.name,
        cpuPercent: round(cpu[0]!, 2),
        floorPercent: round(cpu[1]!, 2),
        telegramBytes: ready.telegramBytes,
        telegramsWrong: counts.wrong,
        steadyMib: round(steadyMib, 1),
        peakMib: round(watch.mostMib, 1),
      };
    } finally {
      await stopEdge(edge);
    }
  } finally {
    for (const child of started) child.disconnect();
  }
}

/** The edge needs a moment to start; midnight waits for it. */
const START_MS = 8_000;

/** CPU time, user and system of all threads, as a percentage of the elapsed time. */
async function shares(pids: readonly number[], runMs: number): Promise<number[]> {
  const before = pids.map(cpuNanoseconds);
  const startedMs = performance.now();
  await delay(runMs);
  const elapsedMs = performance.now() - startedMs;
  return pids
    .map((pid, at) => (cpuNanoseconds(pid) - before[at]!) / 1e6 / elapsedMs)
    .map((share) => 100 * share);
}

/** Looks at the resident memory of a process, and keeps the most. */
class Watch {
  mostMib = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#timer = setInterval(() => {
      this.mostMib = Math.max(this.mostMib, residentKib(pid) / 1_024);
    }, LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

async function delivered(headEnd: HeadEnd): Promise<number> {
  const counts = await Promise.all([HOME, WATER].map((tenant) => headEnd.mdmCounts(tenant)));
  return counts.reduce((sum, { accepted }) => sum + accepted, 0);
}

function profiling(profile: string | undefined, { name }: Shape): string[] {
  if (profile === undefined) return [];
  const file = `edge ${name}`.replaceAll(/\W+/g, '-');
  return ['--cpu-prof', `--cpu-prof-dir=${profile}`, `--cpu-prof-name=${file}.cpuprofile`];
}

export const bench: Bench = {
  what: 'An edge with 32 sources at a telegram a second: CPU and memory, a midnight with the delivery of its days included.',

  async run({ quick, nodeFlags, profile, progress }) {
    const size = quick ? QUICK : FULL;
    const built = buildProgram();
    const headEnd = await startHeadEnd({
      tenants: [HOME, WATER],
      // Later than any of the days that are closed.
      nowMs: dayAfter(FIRST_DAY, SHAPES.length + 1).start * 1_000,
      ageDaysMax: 60,
      nodeFlags: [],
      profile: undefined,
    });
    const rows: Measured[] = [];
    try {
      for (const [at, shape] of SHAPES.entries()) {
        progress(shape.name);
        const program = shape.built ? built : FROM_SOURCES;
        const day = dayAfter(FIRST_DAY, at);
        rows.push(await measure(shape, day, headEnd, program, { nodeFlags, profile }, size));
      }
    } finally {
      await headEnd.stop();
    }
    return {
      ratios: rows.flatMap((row, at) => {
        const { goals } = SHAPES[at]!;
        return [
          {
            name: `${row.shape}: per cent of a core`,
            value: row.cpuPercent,
            ...(goals ? { goal: CPU_GOAL } : {}),
          },
          {
            name: `${row.shape}: MiB resident, at most`,
            value: row.peakMib,
            ...(goals ? { goal: MEMORY_GOAL } : {}),
          },
          {
            name: `${row.shape}: CPU to that of reading and CRC alone`,
            value: round(row.cpuPercent / row.floorPercent, 1),
          },
        ];
      }),
      figures: rows.flatMap(({ shape, floorPercent, steadyMib }): Figure[] => [
        { name: `${shape}: floor`, value: floorPercent, unit: '% of a core' },
        { name: `${shape}: resident before midnight, at most`, value: steadyMib, unit: 'MiB' },
      ]),
      absent: [],
      notes: [
        `Each telegram is a full e-MUCS one of ${rows[0]!.telegramBytes} bytes with thirteen months of peaks, gas and water; each source is a TCP connection of its own; ${size.runMs / 1_000} s after ${size.warmUpMs / 1_000} s.`,
        'The floor is a bare process at the same sockets in the same seconds, which checks the CRC and forgets the telegram. With Modbus it has a quarter of the sources: the others are asked and it asks nobody.',
        'The memory counts to the receipt of every day of a midnight that follows: what seals, connects and sends is loaded by then.',
        'As `npm pack` ships it, but for the last: Node strips the types of a checkout at its start and keeps what it needs for that.',
      ],
      details: { rows },
    };
  },
};
