import { HesError, isHesError } from '../../../protocol/errors.ts';
import { backoff } from '../../runtime/backoff.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { EdgeCommands } from '../commands.ts';
import { dayOfOrdinal } from '../days/calendar.ts';
import { EdgeDevice, type EdgeLimits } from '../device.ts';
import type { Installation } from '../operations/installation.ts';
import type { OutboxFiles } from '../outbox/files.ts';
import type { Renewal } from '../renewal/renewal.ts';
import type { Snapshot } from '../source.ts';
import type { HeadEnd } from '../uplink/tls.ts';
import { Chore } from './chore.ts';
import type { EdgeSource } from './edge-source.ts';
import type { EdgeServiceErrorCode } from './errors.ts';
import { Gather } from './gather.ts';
import type { LoadedIdentity } from './identity.ts';
import type { MeteringTime } from './metering-time.ts';
import { withMeters } from './read-only.ts';
import type { DeviceStatus, ReceiptStatus, WakeStatus } from './status.ts';

export interface RunnerOptions {
  readonly directory: string;
  readonly loaded: LoadedIdentity;
  readonly sources: readonly EdgeSource[];
  readonly headEnd: HeadEnd;
  readonly development: boolean;
  readonly limits: EdgeLimits;
  /** How long after its end a day is closed. */
  readonly closeAfterSeconds: number;
  /** How it takes commands; a recording takes none. */
  readonly commands?: EdgeCommands;
  /** What renews its keys. */
  readonly renewal?: Renewal;
  readonly time: MeteringTime;
  readonly log: Log;
  readonly counters: Counters;
  readonly random: Random;
  /** A source failed in a way that nobody foresaw. */
  readonly fatal: (error: unknown) => void;
  /** Steps with nobody's clock: a retry does not wait for a year because somebody set the date. */
  readonly monotonicMs?: () => number;
  readonly clock?: Clock;
  /** For tests: a disk that is full. */
  readonly files?: OutboxFiles;
}

/** After trouble with the disk: soon at first, and often enough to have a day closed by morning. */
const RETRY = { baseMs: 2_000, maxMs: 300_000, minMs: 500 } as const;

/**
 * One device of the service: its sources, its days and its wakes. Whatever goes wrong in it is its own: it is said
 * once, counted, shown in the status, and tried again.
 *
 * Nothing waits on a timer of hours: every second it is looked whether something is due, so a clock that is set, or
 * a machine that slept, is caught up with at the next look.
 */
export class DeviceRunner {
  readonly #options: RunnerOptions;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #gather: Gather;
  readonly #stopping = new AbortController();
  readonly #close: Chore;
  readonly #wake: Chore;
  readonly #open: Chore;
  #device: EdgeDevice | null = null;
  #running: Promise<unknown> | null = null;
  #installation: Installation | null = null;
  #ticking = false;
  /** Codes of what is wrong at the moment, by what it keeps from being done. */
  readonly #troubles = new Map<'open' | 'observe' | 'close' | 'wake', string>();
  #lastReceipt: ReceiptStatus | null = null;
  #lastWake: WakeStatus | null = null;
  #sourcesEnded = false;
  /** Whoever waits for the end of a run is not one of eight million: no jitter. */
  #hurried = false;
  #refused = 0;

  constructor(options: RunnerOptions) {
    const { loaded, sources, log, counters, random, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    this.#log = log.child({ device: loaded.identity.device });
    this.#gather = new Gather({
      channels: sources.map(({ channels }) => channels),
      observe: (snapshot) => this.#observe(snapshot),
      collided: (channel) => {
        counters.count('edge.channelTaken');
        this.#log.warn(
          { channel },
          'the P1 port shows a meter on a channel that edge.yaml gives to a Modbus meter: it is left out',
        );
      },
    });
    const { monotonicMs = () => performance.now() } = options;
    const chore = () => new Chore(backoff({ ...RETRY, random }), monotonicMs);
    this.#close = chore();
    this.#wake = chore();
    this.#open = chore();
  }

  /** Take the outbox and let the sources run. @throws ERR_OUTBOX_*, ERR_JOURNAL_*, ERR_EDGE_DATA */
  async start(): Promise<void> {
    const device = await this.#opened();
    if (this.#stopping.signal.aborted) return device.close();
    this.#device = device;
    this.#troubles.delete('open');
    const { restored } = device;
    if (restored !== 'none') this.#log.info({ restored }, 'a running day was found');
    this.#running = this.#runSources();
    this.#running.catch((error: unknown) => this.#options.fatal(error));
  }

  /** It could not be started; from now on it is tried again. */
  failed(error: unknown): void {
    this.#failed('open', error, 'the device cannot be opened; it is tried again');
  }

  /** Look whether something is due. */
  tick(): void {
    if (this.#stopping.signal.aborted) return;
    if (this.#device === null) {
      this.#open.attempt(
        () => this.start(),
        (error) => this.failed(error),
      );
      return;
    }
    this.#closeDays(this.#device);
    // Of an open device, which knows whether it is silent.
    this.#options.renewal?.tick();
    this.#tickOperations(this.#device);
    this.#wakeUp(this.#device);
  }

  /** All of its sources came to their end, and nothing of what they gave waits any more. */
  get isDone(): boolean {
    const device = this.#device;
    if (!this.#sourcesEnded || device === null || this.#close.isBusy || this.#wake.isBusy) return false;
    const isAnswered = (device.commandStatus()?.waiting ?? 0) === 0;
    return device.due().length === 0 && device.pending() === 0 && isAnswered;
  }

  /** Whether an owner refused something in this run, an input could not be read to its end or has a day left open. */
  get isIncomplete(): boolean {
    const unread = this.#options.sources.some((source) => {
      const status = source.status();
      return source.isUnfinished() || (source.ends && status.kind === 'p1' && status.state !== 'ended');
    });
    return this.#refused > 0 || unread;
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    // What a command asked for is told as not done, and goes on with the next start.
    await this.#options.renewal?.close();
    await this.#running?.catch(() => undefined);
    await Promise.all([this.#open.idle(), this.#close.idle(), this.#wake.idle()]);
    await this.#device?.close();
  }

  status(): DeviceStatus {
    const { loaded, sources } = this.#options;
    const { identity, certificates } = loaded;
    const device = this.#device;
    const owners = [identity.home, ...identity.guests];
    return {
      device: identity.device,
      home: identity.home,
      guests: identity.guests,
      trouble: this.#troubles.values().next().value ?? null,
      sources: sources.map((source) => source.status()),
      lastReceipt: this.#lastReceipt,
      lastWake: this.#lastWake,
      outbox: device?.outboxStatus() ?? null,
      lastClosedDay: Object.fromEntries(
        owners.flatMap((owner) => {
          const through = device?.closedThrough(owner);
          return through === undefined ? [] : [[owner, dayOfOrdinal(through).name]];
        }),
      ),
      openDays: device?.due().length ?? 0,
      nextWakeMs: device?.nextWakeMs() ?? null,
      certificates,
      renewal: this.#options.renewal?.status() ?? null,
      commands: device?.commandStatus() ?? null,
    };
  }

  get #isRecorded(): boolean {
    return this.#options.sources.some(({ recorded }) => recorded);
  }

  async #opened(): Promise<EdgeDevice> {
    const { commands, loaded, directory, headEnd, limits, development, counters, random, files } =
      this.#options;
    const { identity, owners, port } = loaded;
    try {
      this.#installation = this.#isRecorded ? null : (commands?.installation ?? null);
      return await EdgeDevice.start({
        directory,
        identity: port ?? identity,
        owners,
        headEnd,
        clock: this.#clock,
        random,
        log: this.#options.log,
        counters,
        limits,
        development,
        missedDays: this.#isRecorded ? 'skip' : 'close',
        // A recording is simply read again.
        checkpoint: !this.#isRecorded,
        ...(this.#options.renewal === undefined ? {} : { renewal: this.#options.renewal }),
        ...(files === undefined ? {} : { files }),
        ...(commands === undefined || this.#isRecorded ? {} : { commands }),
      });
    } catch (cause) {
      if (isHesError(cause)) throw cause;
      const why = (cause as NodeJS.ErrnoException).code;
      if (why === undefined) throw cause;
      const code: EdgeServiceErrorCode = 'ERR_EDGE_DATA';
      throw new HesError(code, `${directory} cannot be made or written by this user (${why})`, { cause });
    }
  }

  async #runSources(): Promise<void> {
    const { sources } = this.#options;
    await Promise.all(
      sources.map((source, index) =>
        source.run((snapshot) => this.#gather.take(index, snapshot), this.#stopping.signal),
      ),
    );
    if (this.#stopping.signal.aborted) return;
    this.#sourcesEnded = true;
    this.#hurried = true;
    this.tick();
  }

  #observe(snapshot: Snapshot): void {
    const device = this.#device!;
    try {
      device.observe(snapshot);
    } catch (error) {
      if (!isHesError(error)) throw error;
      this.#failed('observe', error, 'what a source shows is not taken');
      return;
    }
    this.#troubles.delete('observe');
    this.#install(device, snapshot);
    this.#closeDays(device);
  }

  /** Meters show themselves: what hangs on the device is known once it was seen. */
  #install({ operations }: EdgeDevice, snapshot: Snapshot): void {
    if (operations === null || this.#installation === null) return;
    const installation = withMeters(this.#installation, snapshot, this.#options.loaded.owners);
    if (installation === this.#installation) return;
    this.#installation = installation;
    this.#quietly(operations.install(installation));
  }

  /** What time alone brings to what was commanded. */
  #tickOperations({ operations }: EdgeDevice): void {
    if (operations === null || this.#ticking) return;
    this.#ticking = true;
    this.#quietly(
      operations.tick(this.#clock.nowMs()).finally(() => {
        this.#ticking = false;
      }),
    );
  }

  /** Too much waits already, or the device is closing: it comes again with the next look. */
  #quietly(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (!isHesError(error)) this.#options.fatal(error);
    });
  }

  /** Days that ended long enough ago; for a recording all that ended. */
  #closeDays(device: EdgeDevice): void {
    const due = device.due();
    if (due.length === 0) return;
    const { time, closeAfterSeconds } = this.#options;
    const untilSeconds = this.#isRecorded ? Number.POSITIVE_INFINITY : time.seconds - closeAfterSeconds;
    const last = due.findLast(({ day }) => day.end <= untilSeconds);
    if (last === undefined) return;
    this.#close.attempt(
      async () => {
        const closed = await device.closeDay(last.day);
        this.#troubles.delete('close');
        this.#hurried ||= this.#sourcesEnded;
        if (closed > 0) this.#log.info({ readings: closed, through: last.day.name }, 'closed');
      },
      (error) => this.#failed('close', error, 'a day cannot be closed; it is tried again'),
    );
  }

  #wakeUp(device: EdgeDevice): void {
    const nextMs = device.nextWakeMs();
    if (nextMs === null) return;
    const isHurried = this.#hurried && !this.#close.isBusy;
    if (nextMs > this.#clock.nowMs() && !isHurried) return;
    this.#wake.attempt(
      async () => {
        this.#hurried = false;
        const { settled, delivered, duplicates, refused, later, failed, failure } = await device.wake(
          this.#stopping.signal,
        );
        this.#troubles.delete('wake');
        const atMs = this.#clock.nowMs();
        this.#lastWake = { atMs, failure: failure?.code ?? null };
        for (const { owner, day, verdict } of settled)
          this.#lastReceipt = { owner, day: dayOfOrdinal(day).name, verdict, atMs };
        this.#refused += refused;
        this.#log.info(
          { delivered, duplicates, refused, later, failed, ...(failure && { failure: failure.code }) },
          failure === null ? 'woke' : 'woke, and not all was answered',
        );
      },
      (error) => this.#failed('wake', error, 'the outbox cannot be sent; it is tried again'),
    );
  }

  /** Counted each time, said when it is another trouble than before. */
  #failed(what: 'open' | 'observe' | 'close' | 'wake', error: unknown, text: string): void {
    const code = isHesError(error) ? error.code : 'ERR_UNEXPECTED';
    this.#options.counters.count(`edge.trouble.${what}.${code}`);
    if (this.#troubles.get(what) !== code) this.#log.error({ err: error }, text);
    this.#troubles.set(what, code);
  }
}
