import { type HesError, isHesError } from '../../../protocol/errors.ts';
import type { Timestamp } from '../../../protocol/reading.ts';
import { type Backoff, backoff, sleep } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import { offsetMinutesAt } from '../days/calendar.ts';
import type { MeterSnapshot, Snapshot } from '../source.ts';
import { ModbusBus } from './bus.ts';
import type { ModbusSourceConfig } from './config.ts';
import { modbusError } from './faults.ts';
import { ModbusMeter, type RegisterBus } from './meter.ts';
import { loadProfile, type ModbusProfile } from './profile.ts';
import { profileNamed } from './profiles.ts';

export interface ModbusSourceOptions {
  readonly config: ModbusSourceConfig;
  readonly observe: (snapshot: Snapshot) => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Pick<Log, 'info' | 'warn'>;
  readonly counters: Counters;
  readonly signal: AbortSignal;
  /** For tests; otherwise the line of the configuration. */
  readonly bus?: RegisterBus & { close(): Promise<void> };
}

/** How a meter stands, for `hes edge status`: never a reading. */
export interface ModbusMeterStatus {
  readonly profile: string;
  readonly unit: number;
  readonly channel: number;
  /** When it was last read, or null. */
  readonly lastReadMs: number | null;
  /** Null while it is read; otherwise the code of what is wrong. */
  readonly fault: string | null;
}

/** A meter that is away is asked for again after at most this, so that the next quarter-hour has its sample. */
const RETRY_MAX_MS = 30_000;
const RETRY_BASE_MS = 1_000;

/**
 * Reads the meters of one line for as long as the signal lets it, at whole multiples of the interval, so that a
 * sample falls on each quarter-hour. One meter's fault is its own: the others are read on. What is wrong is said
 * once, and once when it is right again; every failed reading is counted.
 */
export class ModbusSource {
  readonly #options: ModbusSourceOptions;
  readonly #bus: RegisterBus & { close(): Promise<void> };
  readonly #meters: readonly WatchedMeter[];

  private constructor(options: ModbusSourceOptions, profiles: readonly ModbusProfile[]) {
    const { config } = options;
    this.#options = options;
    this.#bus = options.bus ?? new ModbusBus(config.endpoint, { answerWithinMs: config.answerWithinMs });
    this.#meters = config.meters.map(
      (meter, index) => new WatchedMeter(options, this.#bus, meter, profiles[index]!),
    );
  }

  /** @throws ERR_MODBUS_PROFILE, ERR_CONFIG and its kin for a profile file */
  static async open(options: ModbusSourceOptions): Promise<ModbusSource> {
    const profiles = await Promise.all(options.config.meters.map(profileOf));
    return new ModbusSource(options, profiles);
  }

  status(): ModbusMeterStatus[] {
    return this.#meters.map((meter) => meter.status());
  }

  /** Resolves when the signal was given and the line is closed. */
  async run(): Promise<void> {
    const { signal, config, clock } = this.#options;
    const everyMs = config.everySeconds * 1_000;
    try {
      while (!signal.aborted) {
        await this.poll();
        const nowMs = clock.nowMs();
        await sleep(everyMs - (nowMs % everyMs), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await this.#bus.close();
    }
  }

  /** One round: every meter that is due, one after the other, as a line has one master. */
  async poll(): Promise<void> {
    const meters: MeterSnapshot[] = [];
    let at: Timestamp | null = null;
    for (const meter of this.#meters) {
      if (this.#options.signal.aborted || !meter.isDue()) continue;
      const snapshot = await meter.read();
      if (snapshot === null) continue;
      // A round takes longer when a meter is silent: the time is that of the first that answered.
      at ??= timestamp(this.#options.clock.nowMs());
      meters.push(snapshot);
    }
    if (at !== null) this.#options.observe({ at, meterTime: null, meters });
  }
}

class WatchedMeter {
  readonly #options: ModbusSourceOptions;
  readonly #config: ModbusSourceConfig['meters'][number];
  readonly #meter: ModbusMeter;
  readonly #backoff: Backoff;
  /** Known until the meter fails: to put another meter in its place, one has to disconnect it. */
  #serial: string | null = null;
  #lastReadMs: number | null = null;
  #fault: string | null = null;
  /** Codes told since the meter was last read: a bad line changes its faults with every question. */
  readonly #told = new Set<string>();
  #dueMs = 0;

  constructor(
    options: ModbusSourceOptions,
    bus: RegisterBus,
    config: ModbusSourceConfig['meters'][number],
    profile: ModbusProfile,
  ) {
    this.#options = options;
    this.#config = config;
    this.#meter = new ModbusMeter(bus, profile, config.unit ?? profile.line.unit);
    this.#backoff = backoff({ baseMs: RETRY_BASE_MS, maxMs: RETRY_MAX_MS, random: options.random });
  }

  /** A time further ahead than it can have been drawn is of a clock that was set back since. */
  isDue(): boolean {
    const waitMs = this.#dueMs - this.#options.clock.nowMs();
    return waitMs <= 0 || waitMs > RETRY_MAX_MS;
  }

  async read(): Promise<MeterSnapshot | null> {
    try {
      const snapshot = await this.#snapshot();
      this.#succeeded();
      return snapshot;
    } catch (error) {
      if (!isHesError(error)) throw error;
      this.#failed(error);
      return null;
    }
  }

  async #snapshot(): Promise<MeterSnapshot> {
    const { serial, ean, channel } = this.#config;
    this.#serial ??= serial ?? (await this.#meter.serialNumber());
    if (this.#serial === null) throw modbusError('ERR_MODBUS_SERIAL', 'the meter tells no serial number');
    const { registers, instants } = await this.#meter.read();
    return {
      medium: this.#meter.profile.medium,
      channel,
      serial: this.#serial,
      ean: ean ?? null,
      registers,
      peaks: [],
      instants,
      flags: 0,
    };
  }

  #succeeded(): void {
    this.#options.counters.count('modbus.read');
    this.#lastReadMs = this.#options.clock.nowMs();
    this.#backoff.reset();
    this.#dueMs = 0;
    if (this.#fault !== null) this.#options.log.info(this.#named(), 'the meter is read again');
    this.#fault = null;
    this.#told.clear();
  }

  #failed(error: HesError): void {
    const { log, counters, clock } = this.#options;
    counters.count(`modbus.failed.${error.code}`);
    this.#serial = null;
    this.#dueMs = clock.nowMs() + this.#backoff.nextMs();
    if (!this.#told.has(error.code)) log.warn({ ...this.#named(), code: error.code }, error.message);
    this.#told.add(error.code);
    this.#fault = error.code;
  }

  #named(): { profile: string; unit: number } {
    return { profile: this.#meter.profile.name, unit: this.#meter.unit };
  }

  status(): ModbusMeterStatus {
    return {
      ...this.#named(),
      channel: this.#config.channel,
      lastReadMs: this.#lastReadMs,
      fault: this.#fault,
    };
  }
}

async function profileOf({
  profile,
  profileFile,
}: ModbusSourceConfig['meters'][number]): Promise<ModbusProfile> {
  return profileFile === undefined ? profileNamed(profile!) : loadProfile(profileFile);
}

function timestamp(nowMs: number): Timestamp {
  const epochSeconds = Math.floor(nowMs / 1_000);
  return { epochSeconds, offsetMinutes: offsetMinutesAt(epochSeconds) };
}
