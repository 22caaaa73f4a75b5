/**
 * Routine commands for awake meters through the real chain: signed by the prepayment link, proposed in one bulk call
 * over its API, queued by the desk, carried by bus and front to meters that are connected, executed, and ended by the
 * results that come back through front and router.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { systemClock } from '../gateway/runtime/clock.ts';
import type { DevelopmentPki } from '../pki/development/development.ts';
import { openOfficeIdentity, readOfficeIdentity, readPassphrase } from '../pki/office/identity.ts';
import type { DeviceId, TenantId } from '../protocol/identity.ts';
import { apiFace } from '../test/support/marco-api.ts';
import { Hand, type Proposal } from '../test/support/marco-desk.ts';
import type { AwakeSetup, EnrolledMeter, FromMeters, ToMeters } from './commands/protocol.ts';
import type { Bench, BenchOutcome } from './lib/bench.ts';
import { cpuNanoseconds, residentKib } from './lib/cpu.ts';
import { type HeadEnd, startHeadEnd } from './lib/head-end.ts';
import { median, round } from './lib/statistics.ts';

const TENANT = 'ores' as TenantId;
const FULL = { meters: 10_000, commands: 100_000, within: 1_200_000 } as const;
const QUICK = { meters: 40, commands: 400, within: 120_000 } as const;
/** Of so many commands fewer meters get as many each. */
const EACH = 10;
const CONNECTING_AT_ONCE = 32;
const SAMPLE_EVERY_MS = 1_000;
const ENROL_WITHIN_MS = 600_000;
const MEMORY_GOAL = { atMost: 1.05 } as const;
/** Before memory counts: every meter has had a command. */
const WARM_SHARE = 1 / 4;

interface Sample {
  readonly receipted: number;
  readonly kib: Readonly<Record<string, number>>;
}

/** The process that plays the meters. */
class Meters {
  readonly #child: ChildProcess;
  executed = 0;
  receipted = 0;
  retried = 0;
  #failed: string | undefined;
  #told: () => void = () => {};

  constructor(setup: AwakeSetup) {
    this.#child = fork(new URL('./commands/meters.ts', import.meta.url), {
      stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    });
    this.#child.stdin!.end(JSON.stringify(setup));
    this.#child.once('exit', (code) => this.#fail(`the meters ended with ${code}`));
    this.#child.on('message', (message: FromMeters) => {
      if ('failed' in message) this.#fail(message.failed);
      else if ('executed' in message) Object.assign(this, message);
      this.#told();
    });
  }

  #fail(why: string): void {
    this.#failed ??= why;
    this.#told();
  }

  async #next<T extends keyof FromMetersByKey>(key: T, withinMs: number): Promise<FromMetersByKey[T]> {
    const signal = AbortSignal.timeout(withinMs);
    for (;;) {
      const [message] = (await once(this.#child, 'message', { signal })) as [FromMeters];
      if ('failed' in message) throw new Error(message.failed);
      if (key in message) return (message as unknown as FromMetersByKey)[key];
    }
  }

  enrolled = (): Promise<readonly EnrolledMeter[]> => this.#next('enrolled', ENROL_WITHIN_MS);

  async connect(port: number): Promise<void> {
    this.#child.send({ connect: { port } } satisfies ToMeters);
    await this.#next('awake', ENROL_WITHIN_MS);
  }

  /** Until so many results have their receipts. */
  async until(receipted: number, withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs;
    while (this.receipted < receipted) {
      if (this.#failed !== undefined) throw new Error(this.#failed);
      if (performance.now() > endMs)
        throw new Error(`${this.receipted} of ${receipted} results have their receipts in time`);
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#told = resolve;
      await promise;
    }
  }

  stop(): void {
    this.#child.removeAllListeners('exit');
    this.#child.kill();
  }
}
interface FromMetersByKey {
  readonly enrolled: readonly EnrolledMeter[];
  readonly awake: number;
}

/** Balances of a park: each meter once, then each again. */
function sign(pki: DevelopmentPki, devices: readonly DeviceId[], count: number): Proposal[] {
  const { signer } = marco(pki);
  const hand = new Hand(TENANT, signer, systemClock);
  return Array.from({ length: count }, (_, at) => {
    const asOf = Math.floor(Date.now() / 1_000) - 30;
    const args = { balanceCents: 1_000 + (at % 5_000), asOf, topUpCents: null };
    return hand.propose(devices[at % devices.length]!, 'prepayment.balance', args);
  });
}

function marco(pki: DevelopmentPki) {
  const files = pki.layout.office.person(TENANT, 'marco');
  return openOfficeIdentity(readOfficeIdentity(files.identity), readPassphrase(files.passphrase));
}

interface Measured {
  readonly proposedSeconds: number;
  readonly doneSeconds: number;
  readonly samples: readonly Sample[];
  readonly cpuMs: Readonly<Record<string, number>>;
  readonly single: readonly number[];
  readonly retried: number;
}

/** One command at a time to an idle chain: from the proposal to its result's receipt. */
async function singles(headEnd: HeadEnd, meters: Meters, devices: readonly DeviceId[]): Promise<number[]> {
  const face = apiFace(headEnd.deskUrl(TENANT), marco(headEnd.pki));
  const took: number[] = [];
  try {
    for (const proposal of sign(headEnd.pki, devices, 20)) {
      const before = meters.receipted;
      const startedMs = performance.now();
      await face.propose(proposal);
      while ((await face.show((proposal as Proposal & { id: never }).id)).state !== 'executed') {
        // asked again at once: over loopback that is a millisecond
      }
      took.push(performance.now() - startedMs);
      await meters.until(before + 1, 60_000);
    }
    return took;
  } finally {
    face.close();
  }
}

async function measure(
  headEnd: HeadEnd,
  meters: Meters,
  devices: readonly DeviceId[],
  about: { readonly commands: number; readonly within: number; readonly progress: (line: string) => void },
): Promise<Measured> {
  const { commands, within, progress } = about;
  const single = await singles(headEnd, meters, devices);
  progress(`signing ${commands} balances`);
  const proposals = sign(headEnd.pki, devices, commands);
  const pids: Readonly<Record<string, number>> = {
    front: headEnd.frontPid,
    router: headEnd.routerPids.get(TENANT)!,
    desk: headEnd.deskPids.get(TENANT)!,
  };
  const before = meters.receipted;
  const samples: Sample[] = [];
  const sample = (): void => {
    const kib = Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, residentKib(pid)]));
    samples.push({ receipted: meters.receipted - before, kib });
  };
  const cpuBefore = cpuOf(pids);
  const timer = setInterval(sample, SAMPLE_EVERY_MS);
  const face = apiFace(headEnd.deskUrl(TENANT), marco(headEnd.pki));
  try {
    progress('proposing and delivering');
    const startedMs = performance.now();
    let proposedSeconds = 0;
    const proposed = (async () => {
      for (let at = 0; at < commands; at += devices.length) {
        const answers = await face.bulk(proposals.slice(at, at + devices.length));
        const refused = answers.find((answer) => 'refused' in answer);
        if (refused !== undefined) throw new Error(`a proposal was refused: ${JSON.stringify(refused)}`);
        progress(`${Math.min(commands, at + devices.length)} proposed, ${meters.receipted - before} done`);
      }
      proposedSeconds = (performance.now() - startedMs) / 1_000;
    })();
    await Promise.all([proposed, meters.until(before + commands, within)]);
    const doneSeconds = (performance.now() - startedMs) / 1_000;
    sample();
    const cpuAfter = cpuOf(pids);
    const cpuMs = Object.fromEntries(
      Object.keys(pids).map((name) => [name, (cpuAfter[name]! - cpuBefore[name]!) / 1e6 / commands]),
    );
    return { proposedSeconds, doneSeconds, samples, cpuMs, single, retried: meters.retried };
  } finally {
    clearInterval(timer);
    face.close();
  }
}

const cpuOf = (pids: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(pids).map(([name, pid]) => [name, cpuNanoseconds(pid)]));

/** Each is in the desk's store as executed, once: what the meters counted is not believed. */
async function checkEnded(headEnd: HeadEnd, executed: number, proposed: number): Promise<void> {
  if (executed !== proposed) throw new Error(`${executed} were executed of ${proposed}`);
  const face = apiFace(headEnd.deskUrl(TENANT), marco(headEnd.pki));
  try {
    for (const state of ['queued', 'sent', 'quarantined', 'awaiting-approval']) {
      const { items } = await face.get<{ items: readonly unknown[] }>(`/v1/commands?state=${state}&limit=1`);
      if (items.length > 0) throw new Error(`a command is still ${state}`);
    }
  } finally {
    face.close();
  }
}

async function run({
  quick,
  indexes,
  nodeFlags,
  profile,
  progress,
}: Parameters<Bench['run']>[0]): Promise<BenchOutcome> {
  const usual = quick ? QUICK : FULL;
  const commands = indexes ?? usual.commands;
  const size = { ...usual, commands, meters: Math.min(usual.meters, Math.ceil(commands / EACH)) };
  let meters: Meters | undefined;
  let devices: readonly DeviceId[] = [];
  const headEnd = await startHeadEnd({
    tenants: [TENANT],
    nowMs: Date.now(),
    ageDaysMax: 60,
    nodeFlags,
    profile,
    desks: {
      async registry(pki) {
        const setup = { pki: pki.layout.directory, tenant: TENANT, meters: size.meters };
        meters = new Meters({ ...setup, atOnce: CONNECTING_AT_ONCE });
        const enrolled = await meters.enrolled();
        devices = enrolled.map(({ device }) => device as DeviceId);
        progress(`${enrolled.length} meters are enrolled`);
        return enrolled.map(({ device, certificate }) => ({
          device: device as DeviceId,
          home: TENANT,
          medium: 'electricity' as const,
          channels: [{ channel: 0, medium: 'electricity' as const, owner: TENANT }],
          certificate,
          state: { creditMode: 'prepaid' as const },
        }));
      },
    },
  });
  try {
    await meters!.connect(headEnd.port);
    progress(`${size.meters} meters are awake`);
    const measured = await measure(headEnd, meters!, devices, { ...size, progress });
    if (headEnd.restarts() > 0) throw new Error('a process of the head-end died during the run');
    await checkEnded(headEnd, meters!.executed, size.commands + measured.single.length);
    return outcomeOf(measured, size);
  } finally {
    meters?.stop();
    await headEnd.stop();
  }
}

function outcomeOf(
  measured: Measured,
  { meters, commands }: { meters: number; commands: number },
): BenchOutcome {
  const { samples, cpuMs, proposedSeconds, doneSeconds, single, retried } = measured;
  const part = (from: number, to: number, name: string): number => {
    const at = (share: number): number => commands * (WARM_SHARE + share * (1 - WARM_SHARE));
    const within = samples.filter(({ receipted }) => receipted >= at(from) && receipted <= at(to));
    return median((within.length === 0 ? samples : within).map(({ kib }) => kib[name]!));
  };
  const names = Object.keys(cpuMs);
  return {
    ratios: names.map((name) => ({
      name: `${name}: resident memory, last third to the first, once warm`,
      value: round(part(2 / 3, 1, name) / part(0, 1 / 3, name), 3),
      // Front and routers have their goal in `million`, over ten times as many messages.
      ...(name === 'desk' ? { goal: MEMORY_GOAL } : {}),
    })),
    figures: [
      { name: 'results that were asked to come again', value: retried, unit: 'results' },
      { name: 'proposed, queued, delivered and executed, each once', value: commands, unit: 'commands' },
      {
        name: 'through the whole chain, meters included',
        value: round(commands / doneSeconds, 0),
        unit: 'commands/s',
      },
      {
        name: 'proposed by bulk calls meanwhile',
        value: round(commands / proposedSeconds, 0),
        unit: 'commands/s',
      },
      ...names.map((name) => ({ name: `${name}: a command`, value: round(cpuMs[name]!, 3), unit: 'CPU ms' })),
      {
        name: 'one to an idle chain, from its proposal to executed',
        value: round(median(single), 1),
        unit: 'ms',
      },
      ...names.map((name) => ({
        name: `${name}: resident memory in the last third`,
        value: round(part(2 / 3, 1, name) / 1_024, 0),
        unit: 'MiB',
      })),
    ],
    absent: [],
    notes: [
      `${meters.toLocaleString('en-US')} meters of one operator stay connected; balances of prepayment, signed beforehand, are proposed in bulk calls of a balance for each meter. The process that plays the meters opens each command, signs and seals its result, and shares the two cores with everything else.`,
    ],
    details: { proposedSeconds: round(proposedSeconds, 1), doneSeconds: round(doneSeconds, 1), single },
  };
}

export const bench: Bench = {
  what: 'Routine commands for ten thousand awake meters, from a signed proposal at the API to the result at the desk, through the real chain.',
  run,
};
