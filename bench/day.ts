/**
 * A meter's day through the real chain: connect with mutual TLS, publish a sealed reading, take the receipt,
 * disconnect. What counts is the CPU time of the front's and the router's process together, all threads, beside
 * what Mosquitto spends on the bare connect, publish, PUBACK and disconnect of the same bytes from the same meters,
 * plus the cryptography of one reading, which Mosquitto does not do. All in turns, round after round.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { MIDNIGHT_SECONDS } from '../gateway/router/testing/household.ts';
import { issueDevice } from '../pki/development/development.ts';
import { recipientOf } from '../pki/trust.ts';
import type { TenantId } from '../protocol/identity.ts';
import type { DaysOrder, DaysReport, MetersAnswer, MetersMessage, MetersSetup } from './day/protocol.ts';
import { recipientText } from './day/protocol.ts';
import type { Bench, BenchOutcome, Figure, Ratio } from './lib/bench.ts';
import { cpuNanoseconds } from './lib/cpu.ts';
import { type HeadEnd, startHeadEnd } from './lib/head-end.ts';
import { MOSQUITTO_ABSENT, mosquittoIsHere, startPeer } from './lib/mosquitto.ts';
import { projections } from './lib/projection.ts';
import { median, round } from './lib/statistics.ts';
import { createFloor } from './router/floor.ts';
import { createBenchRouter } from './router/pipeline.ts';

const TENANT = 'ores' as TenantId;
/** Enough that nobody's caches hold one meter alone. */
const METERS = 64;
const AT_ONCE = 8;
const GOAL = { atMost: 1.35 } as const;
/** Sockets are still being closed when the last meter has gone. */
const SETTLE_MS = 50;

const FULL = { warmUpDays: 3_000, rounds: 11, days: 400, floorSteps: 1_000 } as const;
const QUICK = { warmUpDays: 64, rounds: 2, days: 32, floorSteps: 50 } as const;

const KINDS = [
  { name: 'full', resume: false },
  { name: 'resumed', resume: true },
] as const;
type Kind = (typeof KINDS)[number];

/** CPU microseconds of one day. */
interface Round {
  readonly front: number;
  readonly router: number;
  readonly mosquitto: number | null;
  readonly floor: number;
}

/** The process that plays the meters. */
class Meters {
  readonly #child = fork(new URL('./day/meters.ts', import.meta.url), {
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
  });

  constructor(setup: MetersSetup) {
    this.#child.stdin!.end(JSON.stringify(setup));
  }

  /** Days at one address, and the CPU microseconds that each of these processes spent on one. */
  async live(order: DaysOrder, pids: readonly number[]): Promise<{ report: DaysReport; each: number[] }> {
    await this.#ask({ prepare: order });
    const before = pids.map(cpuNanoseconds);
    const answer = await this.#ask({ go: true });
    await delay(SETTLE_MS);
    if (!('report' in answer)) throw new Error('failed' in answer ? answer.failed : 'no report');
    const { report } = answer;
    return { report, each: pids.map((pid, at) => (cpuNanoseconds(pid) - before[at]!) / 1_000 / report.days) };
  }

  async #ask(message: MetersMessage): Promise<MetersAnswer> {
    this.#child.send(message);
    const [answer] = (await once(this.#child, 'message')) as [MetersAnswer];
    return answer;
  }

  stop(): void {
    this.#child.disconnect();
  }
}

function setupOf({ pki }: HeadEnd): MetersSetup {
  const nowMs = Date.now();
  const recipient = recipientOf(pki.owners.get(TENANT)!.certificate, {
    tenant: TENANT,
    root: pki.root.pem,
    atMs: nowMs,
    development: true,
  });
  return {
    tenant: TENANT,
    identities: Array.from({ length: METERS }, () => issueDevice(pki, { home: TENANT, guests: [], nowMs })),
    recipient: recipientText(recipient),
    atOnce: AT_ONCE,
  };
}

/** CPU microseconds of the cryptography of one reading, in this process. */
function floorMeasure(steps: number): () => number {
  const router = createBenchRouter(TENANT, { devices: 1, signersMax: 1 });
  const floor = createFloor(router.sample);
  router.remove();
  return () => {
    const { user, system } = process.cpuUsage();
    for (let at = 0; at < steps; at++) floor(at);
    const spent = process.cpuUsage({ user, system });
    return (spent.user + spent.system) / steps;
  };
}

async function run({
  quick,
  nodeFlags,
  profile,
  progress,
}: Parameters<Bench['run']>[0]): Promise<BenchOutcome> {
  const size = quick ? QUICK : FULL;
  const floor = floorMeasure(size.floorSteps);
  const headEnd = await startHeadEnd({
    tenants: [TENANT],
    nowMs: (MIDNIGHT_SECONDS + 60) * 1_000,
    ageDaysMax: 60,
    nodeFlags,
    profile,
  });
  const mosquitto = await startPeer(headEnd.pki, TENANT);
  const meters = new Meters(setupOf(headEnd));
  const ours = [headEnd.frontPid, headEnd.routerPids.get(TENANT)!];
  const theirs = mosquitto === undefined ? [] : [mosquitto.pid];
  const reports = new Map<string, DaysReport>();
  try {
    const day = async (who: 'ours' | 'mosquitto', { name, resume }: Kind, days: number) => {
      const isOurs = who === 'ours';
      const order = { port: isOurs ? headEnd.port : mosquitto!.port, days, resume, receipts: isOurs };
      const { report, each } = await meters.live(order, isOurs ? ours : theirs);
      reports.set(`${who} ${name}`, report);
      return each as [number, number];
    };
    progress('warming up');
    for (const kind of KINDS) {
      await day('ours', kind, size.warmUpDays);
      if (mosquitto !== undefined) await day('mosquitto', kind, size.warmUpDays / 4);
      floor();
    }
    const rounds: Record<Kind['name'], Round[]> = { full: [], resumed: [] };
    for (let at = 0; at < size.rounds; at++) {
      for (const kind of KINDS) {
        const [front, router] = await day('ours', kind, size.days);
        const [peer] = mosquitto === undefined ? [null] : await day('mosquitto', kind, size.days);
        rounds[kind.name].push({ front, router, mosquitto: peer, floor: floor() });
      }
      progress(`round ${at + 1} of ${size.rounds}`);
    }
    if (headEnd.restarts() > 0) throw new Error('a process of the head-end died during the run');
    return outcome(rounds, reports);
  } finally {
    meters.stop();
    await mosquitto?.stop();
    await headEnd.stop();
  }
}

function outcome(rounds: Record<Kind['name'], Round[]>, reports: Map<string, DaysReport>): BenchOutcome {
  const ratios: Ratio[] = [];
  const figures: Figure[] = [];
  const ourMicroseconds: Record<string, number> = {};
  for (const { name } of KINDS) {
    const of = (pick: (round: Round) => number): number => median(rounds[name].map(pick));
    const add = (what: string, microseconds: number): void =>
      void figures.push({
        name: `${name} handshake: ${what}`,
        value: round(microseconds / 1_000, 3),
        unit: 'CPU ms a day',
      });
    const hasPeer = rounds[name][0]!.mosquitto !== null;
    ratios.push({
      name: `${name} handshake: front and router to Mosquitto and crypto floor`,
      value: hasPeer
        ? round(
            of(({ front, router, mosquitto, floor }) => (front + router) / (mosquitto! + floor)),
            3,
          )
        : null,
      goal: GOAL,
    });
    ourMicroseconds[name] = of(({ front, router }) => front + router);
    add(
      'front',
      of(({ front }) => front),
    );
    add(
      'router',
      of(({ router }) => router),
    );
    if (hasPeer)
      add(
        'Mosquitto, bare',
        of(({ mosquitto }) => mosquitto!),
      );
    add(
      'crypto floor',
      of(({ floor }) => floor),
    );
  }
  const [first] = reports.values();
  const notes = [...reports].map(
    ([who, { days, resumed, negotiated, medianMs }]) =>
      `${who}: ${negotiated.protocol}, ${negotiated.cipher}, ${negotiated.group}; ${resumed} of ${days} days of the last round resumed; a day took ${medianMs} ms with ${AT_ONCE} meters at once.`,
  );
  return {
    ratios,
    figures,
    absent: mosquittoIsHere ? [] : [MOSQUITTO_ABSENT],
    notes: [
      `A day is ${first!.sealedBytes} sealed bytes: two quarter-hour profiles of electricity, one of gas. The simulated MDM is a process of its own and not counted.`,
      ...notes,
      ...projections(ourMicroseconds['full']!, ourMicroseconds['resumed']!),
    ],
    details: { rounds, reports: Object.fromEntries(reports) },
  };
}

export const bench: Bench = {
  what: "A meter's day through the real chain, beside Mosquitto's bare connect, publish and disconnect plus the crypto floor: CPU of front and router processes together.",
  run,
};
