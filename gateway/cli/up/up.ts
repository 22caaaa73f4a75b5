import { statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { enrolmentsOf } from '../../../meter-emulator/input.ts';
import { provisionFleet } from '../../../meter-emulator/provision.ts';
import type { FleetReport } from '../../../meter-emulator/start.ts';
import { type DevelopmentPki, openDevelopmentPki } from '../../../pki/development/development.ts';
import { HesError } from '../../../protocol/errors.ts';
import { busDirectory, makeDirectory } from '../../bus/local/paths.ts';
import { dayAt, dayNamed } from '../../edge/days/calendar.ts';
import { simulatedClock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { Supervisor } from '../../runtime/supervisor.ts';
import { EXIT } from '../exit.ts';
import { clockAfter, DayKeeper, realTime, runningClock, type SimulatedClockConfig } from './clock.ts';
import { type DataFolder, openDataFolder } from './data.ts';
import { makeDeskFolder, publishAddresses, withdrawAddresses, writeRegistries } from './desks.ts';
import { Interrupt } from './interrupt.ts';
import { LogLines } from './log-lines.ts';
import { readOptions, type UpFlags, type UpOptions } from './options.ts';
import { fleetSource, type Ground, type Plan, planProcesses } from './plan.ts';
import { freePorts } from './ports.ts';
import { checkReportPlace, isComplete, renderReport, writeReport } from './report.ts';
import { Screen } from './screen.ts';
import { Watch } from './watch.ts';

/** Outboxes of emulated devices may be as old as their bound allows. */
const AGE_DAYS_MAX = 60;

/** Recordings are old by nature: as old as a configuration may allow. */
const RECORDING_AGE_DAYS_MAX = 36_500;

/**
 * `hes up`: everything of a head-end on one machine, as processes of one tree. With `--once` it ends with a report;
 * without, it runs until Ctrl-C.
 *
 * @returns the exit code
 */
export async function up(flags: UpFlags): Promise<number> {
  const options = await readOptions(flags);
  if (options.report !== undefined) checkReportPlace(options.report);
  // A bounded run has its own devices, and its own records.
  const bounded = options.once || options.telegrams !== undefined;
  const data = openDataFolder(options.config.data, { ownDevices: bounded });
  try {
    if (bounded && options.mdmOut !== undefined) emptyFile(options.mdmOut);
    return await new Run(options, data).run();
  } finally {
    data.release();
  }
}

/** Records of an earlier run would be taken for this one's. What is wrong with the path, the MDM says. */
function emptyFile(path: string): void {
  try {
    if (statSync(path).isFile()) truncateSync(path);
  } catch {
    // not there yet, or not to be written
  }
}

/** "Any free port" is chosen here and once: a front that was started again must be where its meters look for it. */
function withPort(options: UpOptions, free: number): UpOptions {
  const { listen } = options.config;
  return { ...options, config: { ...options.config, listen: { ...listen, port: listen.port || free } } };
}

/** One run, from the first process to the last. */
class Run {
  readonly #options: UpOptions;
  readonly #data: DataFolder;
  readonly #screen = new Screen();
  readonly #lines: LogLines;
  readonly #supervisor: Supervisor;
  readonly #interrupt = new Interrupt();
  readonly #startedAtMs = Date.now();
  readonly #clock: SimulatedClockConfig;
  readonly #fleetEnded = Promise.withResolvers<FleetReport>();
  /** Rejects where starting a process again would not help. */
  readonly #broken = Promise.withResolvers<never>();

  constructor(options: UpOptions, data: DataFolder) {
    this.#options = options;
    this.#data = data;
    this.#lines = new LogLines(this.#screen, options.logLevel);
    this.#supervisor = new Supervisor({
      log: createLog({ name: 'up', level: options.logLevel, destination: this.#lines }),
      onLine: (_child, line) => this.#lines.write(line),
    });
    this.#clock = this.#startClock();
    // It may come before anybody waits for it.
    this.#broken.promise.catch(() => undefined);
  }

  async run(): Promise<number> {
    try {
      const watch = await this.#start();
      return this.#options.once ? await this.#once(watch) : await this.#untilInterrupted(watch);
    } catch (error) {
      if (this.#interrupt.signal.aborted) return EXIT.interrupted;
      throw error;
    } finally {
      this.#screen.clear();
      this.#lines.quiet();
      withdrawAddresses(this.#data.path);
      await this.#supervisor.stop();
    }
  }

  /** Commands go to meters that live with the clock. */
  get #hasDesks(): boolean {
    return !this.#options.once && this.#options.telegrams === undefined;
  }

  /** Bottom up: whoever is asked is there before whoever asks. */
  async #start(): Promise<Watch> {
    // Of a run that was killed.
    withdrawAddresses(this.#data.path);
    const ground = await this.#ground();
    const plan = planProcesses(ground);
    const { signal } = this.#interrupt;
    this.#say('starting the front, the routers and the simulated MDMs …');
    await Promise.all([plan.mdm, plan.front].map((spec) => spec && this.#supervisor.start(spec)));
    await Promise.all(plan.routers.map((spec) => this.#supervisor.start(spec)));
    signal.throwIfAborted();
    await this.#enrol(ground.pki);
    const port = Number(this.#supervisor.child('front')!.details['port']);
    if (ground.desks !== undefined) this.#say('starting the desks and the fleet …');
    const desks = this.#startDesks(ground, plan);
    // Waited for below; one that cannot start must not be a rejection that nobody hears until then.
    desks.catch(() => undefined);
    const fleet = await this.#supervisor.start({
      ...plan.fleet(port),
      onNotice: (notice) => this.#fleetEnded.resolve(notice as FleetReport),
    });
    void fleet.ended.then(({ failure }) => {
      if (failure !== undefined) this.#broken.reject(new HesError(failure.code, failure.message));
    });
    await desks;
    if (ground.desks !== undefined)
      publishAddresses(this.#data.path, { desks: ground.desks.ports, cas: ground.caPorts });
    signal.throwIfAborted();
    return new Watch({
      supervisor: this.#supervisor,
      screen: this.#screen,
      tenants: this.#options.tenants,
      simulated: [...ground.mdmPorts.keys()],
      once: this.#options.once || this.#options.telegrams !== undefined,
      seed: this.#options.config.fleet.seed,
      title: () => this.#title(port),
      footer: 'Ctrl-C ends it',
    });
  }

  /** Beside the fleet: whatever a desk has for a device that was sooner, it brings when it is there. */
  async #startDesks({ desks, run, devices }: Ground, plan: Plan): Promise<void> {
    const source = fleetSource(this.#options);
    if (desks === undefined || source.kind !== 'emulated') return;
    await writeRegistries({ source, tenants: this.#options.tenants, data: devices, run });
    const specs = plan.ca === undefined ? plan.desks : [...plan.desks, plan.ca];
    await Promise.all(specs.map((spec) => this.#supervisor.start(spec)));
  }

  async #ground(): Promise<Ground> {
    const { tenants, config, telegrams, days } = this.#options;
    const { pki, created } = openDevelopmentPki({
      directory: join(this.#data.path, 'pki'),
      tenants,
      nowMs: this.#startedAtMs,
      development: true,
    });
    if (created) this.#say(`made a development PKI in ${pki.layout.directory}`);
    const sockets = busDirectory(this.#data.path);
    makeDirectory(sockets);
    const simulated = tenants.filter((tenant) => config.tenants?.[tenant]?.mdm === undefined);
    const [frontPort, ...ports] = await freePorts(1 + simulated.length + 2 * tenants.length);
    const deskPorts = ports.slice(simulated.length, simulated.length + tenants.length);
    const caPorts = ports.slice(simulated.length + tenants.length);
    return {
      options: withPort(this.#options, frontPort!),
      pki,
      busDirectory: sockets,
      run: this.#data.run,
      devices: this.#data.devices,
      clock: this.#clock,
      ageDaysMax:
        telegrams === undefined && !this.#options.realTime
          ? Math.min(AGE_DAYS_MAX + days, RECORDING_AGE_DAYS_MAX)
          : RECORDING_AGE_DAYS_MAX,
      ...(this.#hasDesks
        ? {
            desks: {
              directory: makeDeskFolder(this.#data.path),
              ports: new Map(tenants.map((tenant, index) => [tenant, deskPorts[index]!])),
            },
            caPorts: new Map(tenants.map((tenant, index) => [tenant, caPorts[index]!])),
          }
        : {}),
      mdmPorts: new Map(simulated.map((tenant, index) => [tenant, ports[index]!])),
    };
  }

  #startClock(): SimulatedClockConfig {
    const { telegrams, once, days, config } = this.#options;
    const startedAtMs = this.#startedAtMs;
    // A recording of today ends its day early: its router stands where that day is over.
    if (telegrams !== undefined) return clockAfter(dayAt(Math.floor(startedAtMs / 1_000)), 2, startedAtMs);
    if (this.#options.realTime) return realTime(startedAtMs);
    if (once) return clockAfter(dayNamed(config.fleet.from), days, startedAtMs);
    const { from, speed } = config.fleet;
    return runningClock({ data: this.#data.path, from, daysPerMinute: speed, startedAtMs });
  }

  async #enrol(pki: DevelopmentPki): Promise<void> {
    await provisionFleet({
      devices: await enrolmentsOf(fleetSource(this.#options)),
      data: this.#data.devices,
      pki,
      nowMs: this.#startedAtMs,
      signal: this.#interrupt.signal,
      onProgress: ({ done, total }) => this.#screen.draw([`enrolling emulated devices: ${done} of ${total}`]),
    });
    this.#screen.clear();
  }

  async #once(watch: Watch): Promise<number> {
    watch.begin();
    try {
      await Promise.race([
        this.#fleetEnded.promise,
        this.#overdue(),
        this.#interrupt.happened,
        this.#broken.promise,
      ]);
      // Whoever pressed Ctrl-C waits, and readings go on coming: then nothing would stand still.
      if (!this.#interrupt.signal.aborted) await watch.settle();
    } finally {
      watch.end();
    }
    const report = watch.report(this.#options.days, Date.now() - this.#startedAtMs);
    if (this.#options.report !== undefined) writeReport(this.#options.report, report);
    if (this.#options.json) process.stdout.write(`${JSON.stringify(report)}\n`);
    else for (const line of renderReport(report)) process.stdout.write(`${line}\n`);
    if (this.#interrupt.signal.aborted) return EXIT.interrupted;
    return isComplete(report) ? EXIT.ok : EXIT.incomplete;
  }

  /** The fleet keeps the deadline itself; this is for one that dies again and again. */
  async #overdue(): Promise<void> {
    await delay(this.#options.deadlineMs + OVERDUE_GRACE_MS, undefined, {
      signal: this.#interrupt.signal,
      ref: false,
    }).catch(() => undefined);
  }

  async #untilInterrupted(watch: Watch): Promise<number> {
    const keeper =
      this.#options.telegrams === undefined
        ? new DayKeeper(this.#data.path, simulatedClock(this.#clock))
        : undefined;
    keeper?.begin();
    watch.begin();
    try {
      await Promise.race([this.#interrupt.happened, this.#broken.promise]);
    } finally {
      watch.end();
      keeper?.end();
    }
    return EXIT.ok;
  }

  #title(port: number): string {
    const { telegrams, config } = this.#options;
    const front = `front on ${config.listen.host}:${port}`;
    if (telegrams !== undefined) return `HES · ${front} · recorded telegrams of ${telegrams.tenant}`;
    if (this.#options.once) return `HES · ${front}`;
    const { name } = dayAt(Math.floor(simulatedClock(this.#clock).nowMs() / 1_000));
    return `HES · ${front} · ${this.#options.realTime ? 'today' : 'simulated day'} ${name} · emulated meters, seed ${config.fleet.seed}`;
  }

  /** Steps of the start, for people; a pipe gets results only. */
  #say(line: string): void {
    if (this.#screen.live) this.#screen.print(line);
  }
}

const OVERDUE_GRACE_MS = 10_000;
