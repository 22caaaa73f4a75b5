/**
 * A hundred thousand meters change their tariff: the worked example of deploy/examples/campaigns, step by step, with
 * the command line's own parts in this process and a desk with its meters in another.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { walloonLines } from '../deploy/examples/campaigns/walloon-2026.ts';
import { signedItems } from '../gateway/cli/campaign/approve.ts';
import { writeBundle } from '../gateway/cli/campaign/bundle.ts';
import { parseCsv } from '../gateway/cli/campaign/csv.ts';
import { readLines } from '../gateway/cli/campaign/lines.ts';
import { wantedOf } from '../gateway/cli/campaign/settings.ts';
import { signCampaign } from '../gateway/cli/campaign/sign.ts';
import { standingsOf } from '../gateway/cli/campaign/standing.ts';
import { trustOf } from '../gateway/cli/campaign/trust.ts';
import { uploadBundle } from '../gateway/cli/campaign/upload.ts';
import { CommandsCheck, submittedManifest } from '../gateway/cli/campaign/verify.ts';
import { CAMPAIGN_VIEW, campaignPath, SHOWN_CAMPAIGN } from '../gateway/cli/campaign/views.ts';
import { takeCounters } from '../gateway/cli/desk-client/counters.ts';
import { type AtDesk, openDesk } from '../gateway/cli/desk-client/open.ts';
import { signManifest } from '../gateway/desk/campaigns/manifest.ts';
import type { TenantId } from '../protocol/identity.ts';
import { signEs256, verifyEs256 } from '../protocol/signed.ts';
import { type DeskSetup, deviceOf, type FromDesk } from './campaign/protocol.ts';
import type { Bench, BenchOutcome } from './lib/bench.ts';
import { cpuNanoseconds, residentKib } from './lib/cpu.ts';
import { round } from './lib/statistics.ts';

const TENANT = 'ores' as TenantId;
const FULL = { meters: 100_000, floor: 20_000, withinMs: 1_800_000 } as const;
const QUICK = { meters: 400, floor: 200, withinMs: 120_000 } as const;
const AIRPLANE_OF = 50;
const COURSE = { waves: [10, 100, 1_000], errorLimitPermille: 50, waveSeconds: 2 * 86_400 } as const;
/** A command with its head and arguments, under its COSE structure. */
const FLOOR_BYTES = 300;
const LOOK_EVERY_MS = 250;
const NONE = { at: () => {}, end: () => {} };

async function timed<T>(work: () => Promise<T> | T): Promise<readonly [T, number]> {
  const startedMs = performance.now();
  const value = await work();
  return [value, (performance.now() - startedMs) / 1_000];
}

/** CPU seconds of the cryptography alone, each time of this process: asked before and after what is measured. */
interface Floor {
  sign(): number;
  verify(): number;
}

const cpuSeconds = (): number => cpuNanoseconds(process.pid) / 1e9;

function createFloor(count: number): Floor {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const bytes = createHash('sha256').update('floor').digest();
  const message = Buffer.concat(Array.from({ length: FLOOR_BYTES / bytes.length + 1 }, () => bytes));
  const signature = signEs256(message, privateKey);
  const cost = (work: () => unknown): number => {
    const before = cpuSeconds();
    for (let n = 0; n < count; n += 1) work();
    return (cpuSeconds() - before) / count;
  };
  const sign = () => cost(() => signEs256(message, privateKey));
  const verify = () => cost(() => verifyEs256(message, publicKey, signature));
  // Compiled before it counts.
  sign();
  verify();
  return { sign, verify };
}

interface Beside<T> {
  readonly value: T;
  /** By the clock. */
  readonly seconds: number;
  /** CPU seconds, which others on the machine do not lengthen; and the floor's for one. */
  readonly cpu: number;
  readonly floor: number;
}

async function beside<T>(floor: () => number, work: () => Promise<T>): Promise<Beside<T>> {
  const before = floor();
  const cpuBefore = cpuSeconds();
  const [value, seconds] = await timed(work);
  const cpu = cpuSeconds() - cpuBefore;
  return { value, seconds, cpu, floor: (before + floor()) / 2 };
}

async function startDesk(setup: DeskSetup): Promise<ChildProcess> {
  const child = fork(new URL('./campaign/desk.ts', import.meta.url));
  child.send(setup);
  const [message] = (await once(child, 'message')) as [FromDesk];
  if ('failed' in message) throw new Error(message.failed);
  return child;
}

interface Steps {
  readonly count: number;
  readonly seconds: Readonly<Record<Step, number>>;
  /** What of the CPU the cryptography alone would take. */
  readonly shares: { readonly sign: number; readonly verify: number };
  readonly bundleBytes: number;
  readonly deskKib: readonly number[];
  readonly done: number;
}
const STEPS = ['check', 'dryRun', 'sign', 'upload', 'verify', 'run'] as const;
type Step = (typeof STEPS)[number];

async function campaign(
  data: string,
  pid: number,
  {
    meters,
    floor,
    withinMs,
    progress,
  }: { meters: number; floor: Floor; withinMs: number; progress: (line: string) => void },
): Promise<Steps> {
  const operator = await openDesk({ data, as: 'ores/operator' });
  const approver = await openDesk({ data, as: 'ores/approver' });
  const deskKib: number[] = [];
  const remember = (): void => {
    deskKib.push(residentKib(pid));
  };
  remember();
  try {
    const listed = Array.from({ length: meters }, (_, n) => ({
      device: deviceOf(n),
      medium: 'electricity',
      home: TENANT,
    }));
    const csv = Buffer.from([...walloonLines(TENANT, listed)].join(''));
    const nowMs = Date.now();
    const wanted = wantedOf({ type: 'tariff.set', reason: 'Walloon tariffs 2026' }, TENANT, nowMs);
    const [{ drafts, faults }, check] = await timed(() => readLines(parseCsv(csv), wanted));
    if (faults.length > 0) throw new Error(`the file has ${faults.length} faults`);
    progress(`${drafts.length} lines checked`);

    const [stood, dryRun] = await timed(() =>
      standingsOf(operator.client, TENANT, drafts, { nowMs, told: () => {} }),
    );
    const ready = stood.filter(({ standing }) => standing === 'ready').map(({ draft }) => draft);
    progress(`${ready.length} are ready, ${stood.length - ready.length} in airplane mode`);

    const file = join(data, 'campaign.signed');
    const signing = await beside(floor.sign, async () => {
      const bundle = writeBundle(file);
      const toSign = {
        ...wanted,
        course: COURSE,
        parent: null,
        drafts: ready,
      };
      const counters = takeCounters(operator.person.file, nowMs, ready.length);
      const { signer } = operator.opened;
      const { proposal } = await signCampaign(toSign, { signer, counters, nowMs, bundle, progress: NONE });
      bundle.end(proposal);
    });
    const bundleBytes = statSync(file).size;
    progress(`signed in ${round(signing.seconds)} s`);

    const [uploaded, upload] = await timed(() =>
      uploadBundle(operator.client, file, { progressOf: () => NONE }),
    );
    if (uploaded.state !== 'awaiting-approval') throw new Error(`the campaign is ${uploaded.state}`);
    remember();
    progress(`uploaded in ${round(upload)} s`);

    const verifying = await beside(floor.verify, () => verifyAll(approver, uploaded.id));
    remember();
    progress(`verified by the approver in ${round(verifying.seconds)} s`);

    const [done, run] = await timed(async () => {
      const body = { signed: Buffer.from(verifying.value).toString('base64') };
      await approver.client.post(campaignPath(uploaded.id, 'approval'), body, CAMPAIGN_VIEW, { again: true });
      return ended(operator, uploaded.id, { withinMs, remember, progress });
    });
    if (readFileSync(file).length !== bundleBytes) throw new Error('the bundle changed');
    const seconds = { check, dryRun, sign: signing.seconds, upload, verify: verifying.seconds, run };
    const count = ready.length;
    const share = ({ cpu, floor }: Beside<unknown>): number => (floor * count) / cpu;
    const shares = { sign: share(signing), verify: share(verifying) };
    return { count, seconds, shares, bundleBytes, deskKib, done };
  } finally {
    operator.client.close();
    approver.client.close();
  }
}

/** As `hes op campaign approve` does it. @returns the signed manifest */
async function verifyAll(
  desk: AtDesk,
  id: ReturnType<typeof CAMPAIGN_VIEW.parse>['id'],
): Promise<Uint8Array> {
  const trust = trustOf(desk);
  const shown = await desk.client.get(campaignPath(id), SHOWN_CAMPAIGN);
  const submitted = submittedManifest(Buffer.from(shown.proposal, 'base64'), { id, tenant: TENANT, trust });
  const check = new CommandsCheck(submitted, trust);
  for await (const { device, signed } of signedItems(desk, id, 0))
    check.add({ device, signed: Buffer.from(signed, 'base64') });
  check.end();
  return signManifest(submitted.manifest, 'approve', desk.opened.signer);
}

/** @returns how many were executed */
async function ended(
  { client }: AtDesk,
  id: ReturnType<typeof CAMPAIGN_VIEW.parse>['id'],
  about: { readonly withinMs: number; remember(): void; progress(line: string): void },
): Promise<number> {
  const endMs = performance.now() + about.withinMs;
  let wave = -1;
  for (;;) {
    const view = await client.get(campaignPath(id), SHOWN_CAMPAIGN);
    about.remember();
    if (view.wave !== null && view.wave !== wave) {
      wave = view.wave;
      about.progress(`wave ${wave + 1} of ${view.waves.length}: ${view.waves[wave]!.size}`);
    }
    if (view.state === 'done') return view.totals.done;
    if (view.state !== 'running') throw new Error(`the campaign is ${view.state} (${view.code})`);
    if (performance.now() > endMs) throw new Error(`${view.totals.done} were executed in time`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

async function run({ quick, progress }: Parameters<Bench['run']>[0]): Promise<BenchOutcome> {
  const { meters, floor, withinMs } = quick ? QUICK : FULL;
  const data = mkdtempSync(join(tmpdir(), 'hes-bench-campaign-'));
  let desk: ChildProcess | undefined;
  try {
    desk = await startDesk({ data, meters, airplaneOf: AIRPLANE_OF });
    progress(`${meters} meters are registered`);
    const about = { meters, floor: createFloor(floor), withinMs, progress };
    return outcomeOf(await campaign(data, desk.pid!, about), meters);
  } finally {
    desk?.disconnect();
    rmSync(data, { recursive: true, force: true });
  }
}

function outcomeOf(
  { count, seconds, shares, bundleBytes, deskKib, done }: Steps,
  meters: number,
): BenchOutcome {
  const rate = (step: Step, of = count): number => Math.round(of / seconds[step]);
  const total = STEPS.reduce((sum, step) => sum + seconds[step], 0);
  return {
    ratios: [
      { name: 'executed, of those that could be reached', value: round(done / count), goal: { atLeast: 1 } },
      {
        name: 'signing into a durable file: CPU of bare ES256 signatures beside it',
        value: round(shares.sign),
        goal: { atLeast: 0.33 },
      },
      {
        name: 'fetched and verified by the approver: CPU of bare ES256 verifications beside it',
        value: round(shares.verify),
      },
    ],
    figures: [
      { name: 'lines of the file', value: meters, unit: 'lines' },
      { name: 'file checked whole', value: rate('check', meters), unit: 'lines a second' },
      { name: 'meters looked up in the registry', value: rate('dryRun', meters), unit: 'meters a second' },
      { name: 'commands signed', value: rate('sign'), unit: 'signatures a second' },
      { name: 'uploaded, verified and stored by the desk', value: rate('upload'), unit: 'commands a second' },
      { name: 'fetched and verified by the approver', value: rate('verify'), unit: 'commands a second' },
      { name: 'in waves through the queue, executed, ended', value: rate('run'), unit: 'commands a second' },
      { name: 'from the file to the last result', value: round(total), unit: 's' },
      { name: 'signed file', value: round(bundleBytes / 1_048_576), unit: 'MiB' },
      {
        name: 'desk with its meters: resident memory at most',
        value: round(Math.max(...deskKib) / 1_024),
        unit: 'MiB',
      },
    ],
    absent: [],
    notes: [
      `One meter of ${AIRPLANE_OF} is in airplane mode and is left out; waves of ${COURSE.waves.join(', ')} and the rest.`,
      'The desk, its durable store (an fsync for each commit) and the simulated meters, who sign each result, are one process; whoever signs, uploads and approves is the other. Bus, front and router are what `commands` measures.',
    ],
    details: { count, seconds, shares, deskKib },
  };
}

export const bench: Bench = {
  what: 'The Walloon tariff change for a park: file, dry run, signatures, upload, approval and waves, with a durable desk.',
  run,
};
