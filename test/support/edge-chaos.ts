import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { clockAfter } from '../../gateway/cli/up/clock.ts';
import { dayAfter, dayNamed, type LocalDay } from '../../gateway/edge/days/calendar.ts';
import type { Child } from '../../gateway/runtime/child.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { impatient } from './chaos-fleet.ts';
import { SteeredClock } from './edge-clock.ts';
import { Conductor } from './edge-conductor.ts';
import { type Account, type EdgeJudgement, type EdgeTally, judgeEdges, ownersOf } from './edge-oracle.ts';
import { CuttableNetwork } from './edge-proxy.ts';
import { type ChaosSource, type ModbusChaosMeter, ModbusChaosSource, P1ChaosSource } from './edge-sources.ts';
import { askStatus } from './edge-status.ts';
import { drawStory, type Event, type StoryOptions } from './edge-story.ts';
import { modbusSubject, p1Subject } from './edge-subjects.ts';
import { Field } from './field.ts';
import { type HeadEndProcesses, startProcesses } from './processes.ts';
import type { AcceptedRecord } from './records.ts';

/** Two electricity operators, and a water company whose meter hangs behind one of theirs. */
export const CHAOS_TENANTS = ['ores', 'fluvius', 'farys'] as TenantId[];
const [ORES, FLUVIUS, FARYS] = CHAOS_TENANTS as [TenantId, TenantId, TenantId];

/** M-Bus channel of the emulated household on which the guest's meter is. */
const GUEST_CHANNEL = 1;

const MODBUS = { profile: 'abb-b23', serial: '700000042' } as const;

const HES = new URL('../../gateway/cli/hes.ts', import.meta.url);

const HOUR_MS = 3_600_000;

/**
 * What an edge waits for in the field, a test cannot; and its clock leaps, so that no silence of hours may be taken
 * for trouble of a port.
 */
const IMPATIENT_EDGE = {
  schedule: { closeAfterSeconds: 300, jitterMs: 0, backoffBaseMs: 50, backoffMaxMs: 500 },
  timing: {
    telegramMs: HOUR_MS,
    silenceMs: HOUR_MS,
    detectMs: HOUR_MS,
    reopenMs: 24 * HOUR_MS,
    tickMs: 100,
    backoff: { baseMs: 20, maxMs: 60, minMs: 5 },
  },
} as const;

/** The clock goes on after the last telegram, so that what waits for its time is sent. */
const DRAIN_STEP_SECONDS = 1;
const DRAIN_STEP_MS = 50;
const DRAIN_WITHIN_MS = 120_000;

export interface ChaosRunOptions {
  readonly seed: number;
  readonly from: string;
  readonly days: number;
  /** What is to happen: as often as this, drawn from the seed, or as written. */
  readonly story: StoryOptions['counts'] | readonly Event[];
  /** For a test of the oracle: whatever the edge keeps of a running day is taken away while it is dead. */
  readonly forgetful?: boolean;
  /** Modbus meters, each a device of its own, in place of one of each kind. */
  readonly modbus?: readonly ModbusChaosMeter[];
}

/** What a run has come to. */
export interface ChaosResult {
  readonly judgement: EdgeJudgement;
  readonly tally: EdgeTally;
  readonly story: readonly Event[];
  readonly done: Conductor['done'];
  readonly kills: number;
  readonly days: readonly LocalDay[];
  readonly counters: Child['counters'];
}

/** An edge process with three meters, a head-end of real processes, and what a story does to them. */
export class ChaosRun {
  readonly #options: ChaosRunOptions;
  readonly #field = new Field(CHAOS_TENANTS);
  #headEnd: HeadEndProcesses | null = null;
  readonly #sources: ChaosSource[] = [];
  #network: CuttableNetwork | null = null;

  constructor(options: ChaosRunOptions) {
    this.#options = options;
  }

  async run(): Promise<ChaosResult> {
    const { seed, from, days, story: wish } = this.#options;
    const first = dayNamed(from);
    const last = dayAfter(first, days);
    const headEnd = await startProcesses(this.#field, {
      ...impatient(days),
      clock: clockAfter(first, days + 1, Date.now()),
      restart: { baseMs: 30, maxMs: 60 },
    });
    this.#headEnd = headEnd;
    const clock = new SteeredClock(join(this.#field.directory, 'clock'), first.start);
    const network = new CuttableNetwork(headEnd.port);
    this.#network = network;
    await network.mend();
    await this.#openSources();
    const data = join(this.#field.directory, 'edge');
    mkdirSync(data, { mode: 0o700 });
    const edge = await headEnd.supervisor.start(clock.seenBy(this.#edgeSpec(clock, network.port, data)));
    const conductor = new Conductor({
      clock,
      network,
      edge,
      sources: this.#sources,
      headEnd: [
        headEnd.front,
        ...CHAOS_TENANTS.flatMap((tenant) => [headEnd.router(tenant), headEnd.mdm(tenant)]),
      ],
      status: () => askStatus(join(data, 'edge.sock')),
      ...(this.#options.forgetful === true ? { whileDead: () => forgetRunningDay(data) } : {}),
    });
    const story = isWritten(wish)
      ? wish
      : drawStory({
          seed,
          from: first.start,
          until: last.start,
          counts: wish,
          sources: this.#sources.length,
        });
    const wanted = Array.from({ length: days }, (_, at) => dayAfter(first, at));
    const evenings = wanted.map(({ end }) => end - EVENING_SECONDS);
    await conductor.play(story, first.start, last.start + AFTERMATH_SECONDS, evenings);
    await this.#drain(clock, wanted);
    clock.close();
    const { judgement, tally } = judgeEdges(this.accounts, wanted, this.accepted());
    const { done, kills } = conductor;
    return { judgement, tally, story, done, kills, days: wanted, counters: edge.counters };
  }

  get accounts(): readonly Account[] {
    return this.#sources;
  }

  accepted(): ReadonlyMap<TenantId, AcceptedRecord[]> {
    return new Map(CHAOS_TENANTS.map((tenant) => [tenant, this.#headEnd!.records(tenant)]));
  }

  async stop(): Promise<void> {
    await this.#headEnd?.stop();
    await this.#network?.cut();
    for (const source of this.#sources) await source.unplug();
    this.#field.remove();
  }

  async #openSources(): Promise<void> {
    const { seed, modbus } = this.#options;
    if (modbus === undefined) {
      await this.#openP1Sources(seed);
      await this.#openModbusSource(seed + 3, MODBUS, MODBUS.profile);
    } else
      for (const [at, meter] of modbus.entries())
        await this.#openModbusSource(seed + at, meter, meter.profile);
  }

  async #openP1Sources(seed: number): Promise<void> {
    const guests = new Map([[GUEST_CHANNEL, FARYS]]);
    const serial = p1Subject({ name: 'serial', seed: seed + 1, home: ORES, channelOwners: guests });
    const bridge = p1Subject({ name: 'bridge', seed: seed + 2, home: FLUVIUS });
    const path = join(this.#field.directory, 'ttyP1');
    this.#sources.push(
      await P1ChaosSource.open(serial, this.#enrol(ORES, [FARYS]), { pty: { path } }),
      await P1ChaosSource.open(bridge, this.#enrol(FLUVIUS), { tcp: { port: 0 } }),
    );
  }

  async #openModbusSource(seed: number, meter: ModbusChaosMeter, name: string): Promise<void> {
    const subject = modbusSubject({ ...meter, name, seed, home: ORES });
    this.#sources.push(await ModbusChaosSource.open(subject, this.#enrol(ORES), meter));
  }

  #enrol(home: TenantId, others: readonly TenantId[] = []): DeviceId {
    const identity = this.#field.device(home, others);
    this.#field.save(identity);
    return identity.device;
  }

  #edgeSpec(clock: SteeredClock, port: number, data: string) {
    const file = join(this.#field.directory, 'edge.yaml');
    const config = {
      data,
      headEnd: { host: '127.0.0.1', port, servername: 'localhost' },
      development: true,
      clock: clock.config,
      devices: this.#sources.map(({ subject, device, config: source }) => ({
        identity: join(this.#field.directory, 'devices', device, 'identity.json'),
        owners: subject.guests.map((tenant) => ({ channel: GUEST_CHANNEL, tenant })),
        sources: [source],
      })),
      ...IMPATIENT_EDGE,
    };
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config));
    return {
      name: 'edge',
      module: HES,
      args: ['edge', 'run', '--config', file, '--log-level', 'error'],
      env: { PATH: process.env['PATH'] ?? '' },
      readyWithinMs: DRAIN_WITHIN_MS,
    };
  }

  /** Until every index is at its MDM, or will not come any more. */
  async #drain(clock: SteeredClock, days: readonly LocalDay[]): Promise<void> {
    const expected =
      this.#sources.reduce((sum, { subject }) => sum + ownersOf(subject).length, 0) * days.length;
    const endMs = performance.now() + DRAIN_WITHIN_MS;
    const total = (): number =>
      [...this.accepted().values()].reduce((sum, records) => sum + records.length, 0);
    while (total() < expected && performance.now() < endMs) {
      clock.set(clock.seconds + DRAIN_STEP_SECONDS);
      await delay(DRAIN_STEP_MS);
    }
    // What would come twice comes about now.
    await delay(20 * DRAIN_STEP_MS);
  }
}

/** A last word before midnight: if none comes after it, the day may close with that one. */
const EVENING_SECONDS = 25;

/** After the last day's end the meters speak on for a while: days close some minutes later. */
const AFTERMATH_SECONDS = 1_800;

/** What the edge keeps of the day in progress: everything but the outbox. */
function forgetRunningDay(data: string): void {
  for (const name of readdirSync(data, { recursive: true, encoding: 'utf8' }))
    if (/(?:^|\/)day(?:\.|$)/.test(name)) rmSync(join(data, name), { force: true });
}

const isWritten = (story: ChaosRunOptions['story']): story is readonly Event[] => Array.isArray(story);
