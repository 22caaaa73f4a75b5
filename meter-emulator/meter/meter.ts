import type { P1Keys } from '../../gateway/edge/p1/glo-keys.ts';
import { type Clock, systemClock } from '../../gateway/runtime/clock.ts';
import { type Random, seededRandom } from '../../gateway/runtime/random.ts';
import type { DevicePlan } from '../fleet.ts';
import { type MeterConditions, withConditions } from '../p1/conditions.ts';
import { DIALECT_PORTS } from '../p1/dialects.ts';
import type { P1Dialect, P1MeterState } from '../p1/encode.ts';
import { Cadence } from './cadence.ts';
import { BYTES_PER_SECOND, mediumOf } from './dialect-ports.ts';
import { FaultBox, type MeterFaults } from './fault-box.ts';
import {
  atAnotherSpeed,
  type MeterFault,
  STRAY_EVERY_MS,
  spoilt,
  strayByte,
  type TelegramFault,
} from './faults.ts';
import { Household } from './household.ts';
import { LINE_TICK_MS, Line } from './line.ts';
import { ModbusFace, type ModbusPort, phasesOf } from './modbus.ts';
import { type Endpoint, type MeterPort, type Outlet, openOutlet } from './outlet.ts';
import { type TelegramMaker, telegramMaker } from './telegram.ts';

export type { MeterConditions } from '../p1/conditions.ts';
export type { MeterFaults } from './fault-box.ts';
export type { ModbusPort } from './modbus.ts';
export type { Endpoint, MeterPort } from './outlet.ts';

export interface MeterOptions {
  /** Which household: same seed and time, same registers. */
  readonly seed: number;
  readonly dialect?: P1Dialect;
  /** May be simulated, and run faster than real time. */
  readonly clock?: Clock;
  /** Where its customer port leads to: none, one or several. */
  readonly ports: readonly MeterPort[];
  /** Encrypt what is sent (general-glo-ciphering); encrypted dialects need them. */
  readonly keys?: P1Keys;
  /** Seconds between telegrams in place of the dialect's own. */
  readonly everySeconds?: number;
  readonly phases?: 1 | 3;
  /** What operator and customer change about a meter while it runs. */
  readonly conditions?: () => MeterConditions;
  /** The share of all telegrams that each of these faults hits. */
  readonly shares?: Readonly<Partial<Record<TelegramFault, number>>>;
  /** Modbus interfaces beside the customer port; the household then has the phases of the profiles. */
  readonly modbus?: readonly ModbusPort[];
  /** The pace of the line in place of the dialect's own; infinite sends a telegram at once. */
  readonly bytesPerSecond?: number;
  readonly onEvent?: (event: MeterEvent) => void;
}

export type MeterEvent =
  | {
      readonly kind: 'telegram';
      /** The meter's own time. */
      readonly atMs: number;
      readonly bytes: number;
      readonly fault: TelegramFault | null;
    }
  | { readonly kind: 'fault'; readonly fault: MeterFault; readonly state: 'begun' | 'ended' }
  /** What was pulled could not be put back yet: its place is taken. It is tried again. */
  | { readonly kind: 'trouble'; readonly message: string };

const DIALECT_USUAL: P1Dialect = 'emucs-2.1.1';

/** How soon it is tried again to put back what was pulled. */
const PLUG_AGAIN_MS = 250;

/** While one of these lasts, no byte leaves the meter. */
const MUTE: readonly MeterFault[] = ['silence', 'unplug', 'closed'];

/**
 * A household's electricity meter with its customer port on pseudo-terminals and TCP ports. It is SIMULATED: its
 * header and its serial numbers say so.
 */
export class EmulatedPhysicalMeter {
  readonly dialect: P1Dialect;
  readonly periodSeconds: number;
  /** Telegrams that began to be sent, spoilt ones too. */
  telegrams = 0;
  readonly #options: MeterOptions;
  readonly #clock: Clock;
  readonly #household: Household;
  readonly #header: string;
  readonly #outlets: readonly Outlet[];
  readonly #modbus: ModbusFace[] = [];
  readonly #line: Line;
  readonly #cadence: Cadence;
  readonly #random: Random;
  readonly #bytesOf: TelegramMaker;
  readonly #faults: FaultBox;
  readonly #timer: NodeJS.Timeout;
  #lastStrayMs = 0;
  #plugging: Promise<void> = Promise.resolve();
  #stopped = false;

  private constructor(
    options: MeterOptions,
    household: Household,
    bytesOf: TelegramMaker,
    outlets: readonly Outlet[],
  ) {
    const { seed, dialect = DIALECT_USUAL, clock = systemClock, everySeconds, bytesPerSecond } = options;
    this.#options = options;
    this.dialect = dialect;
    this.#clock = clock;
    this.#household = household;
    this.#outlets = outlets;
    const { periodSeconds, line, header, crc } = DIALECT_PORTS[dialect];
    this.#header = header;
    this.periodSeconds = everySeconds ?? periodSeconds;
    this.#line = new Line(bytesPerSecond ?? BYTES_PER_SECOND[line], (bytes) => {
      for (const outlet of outlets) outlet.write(bytes);
    });
    this.#cadence = new Cadence(this.periodSeconds * 1_000, clock.nowMs(), performance.now());
    this.#random = seededRandom('emulated meter', seed);
    this.#bytesOf = bytesOf;
    this.#faults = new FaultBox(
      {
        begun: (fault) => this.#faultBegun(fault),
        due: (fault) => (fault === 'unplug' ? this.#queue(() => this.#plug()) : this.#faults.over(fault)),
        ended: (fault) => this.#faultEnded(fault),
      },
      crc,
    );
    for (const [fault, share] of Object.entries(options.shares ?? {}))
      this.#faults.share(fault as TelegramFault, share);
    this.#timer = setInterval(() => this.#tick(), LINE_TICK_MS);
  }

  /**
   * @throws ERR_EMULATED_METER_SOCAT, ERR_EMULATED_METER_PATH, ERR_EMULATED_METER_LISTEN,
   * ERR_EMULATED_METER_HOUSEHOLD, ERR_EMULATED_METER_KEYS
   */
  static async start(options: MeterOptions): Promise<EmulatedPhysicalMeter> {
    const { seed, dialect = DIALECT_USUAL, keys, modbus = [] } = options;
    const household = new Household(seed, {
      phases: options.phases ?? phasesFor(modbus),
      medium: mediumOf(dialect),
    });
    const bytesOf = telegramMaker(dialect, keys ?? null, seed);
    const outlets: Outlet[] = [];
    let meter: EmulatedPhysicalMeter | null = null;
    try {
      for (const port of options.ports) outlets.push(await openOutlet(port));
      const opened = new EmulatedPhysicalMeter(options, household, bytesOf, outlets);
      meter = opened;
      for (const port of modbus) opened.#modbus.push(await ModbusFace.open(port, () => opened.state()));
      return opened;
    } catch (error) {
      await meter?.stop();
      for (const outlet of outlets) await outlet.unplug();
      throw error;
    }
  }

  get faults(): MeterFaults {
    return this.#faults;
  }

  /** In the order in which they were ordered. */
  get modbus(): readonly ModbusFace[] {
    return this.#modbus;
  }

  /** In the order of the ports. */
  get endpoints(): readonly Endpoint[] {
    return this.#outlets.map(({ endpoint }) => endpoint);
  }

  /** Whose meters hang here, on which channels. */
  get plan(): DevicePlan {
    return this.#household.plan;
  }

  get phases(): 1 | 3 {
    return this.#household.phases;
  }

  get readers(): number {
    return this.#outlets.reduce((sum, outlet) => sum + outlet.readers(), 0);
  }

  get nowMs(): number {
    return this.#clock.nowMs();
  }

  /** What a telegram of that moment says (milliseconds of the meter's clock). */
  state(atMs: number = this.#clock.nowMs()): P1MeterState {
    const state = { ...this.#household.stateAt(atMs), header: this.#header };
    const conditions = this.#options.conditions?.();
    return conditions === undefined ? state : withConditions(state, conditions);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#faults.stop();
    this.#line.stop();
    await this.#plugging;
    await this.#unplug();
  }

  #tick(): void {
    if (this.#line.busy) return;
    const realMs = performance.now();
    const isMute =
      MUTE.some((fault) => this.#faults.has(fault)) || this.#options.conditions?.().port === false;
    const isNoisy = this.#faults.has('noise');
    if (isNoisy && !isMute && realMs - this.#lastStrayMs >= STRAY_EVERY_MS) {
      this.#lastStrayMs = realMs;
      this.#line.send(strayByte(this.#random));
    }
    // Asked in any case: what was due while nothing could be sent is not sent later.
    const atMs = this.#cadence.due(this.#clock.nowMs(), realMs);
    if (atMs !== null && !isMute && !isNoisy) this.#send(atMs);
  }

  #send(atMs: number): void {
    const state = this.state(atMs);
    if (this.#faults.has('wrong-speed')) {
      this.#line.send(atAnotherSpeed(this.#bytesOf(state).length));
      return;
    }
    const fault = this.#faults.nextSpoil(this.#random);
    const bytes = this.#bytesOf(state, (plain) =>
      fault === null ? plain : spoilt(plain, fault, this.#random),
    );
    this.telegrams += 1;
    this.#line.send(bytes);
    this.#tell({ kind: 'telegram', atMs, bytes: bytes.length, fault });
  }

  #faultBegun(fault: MeterFault): void {
    if (MUTE.includes(fault)) this.#line.stop();
    if (fault === 'unplug') this.#queue(() => this.#unplug());
    if (fault === 'silence') for (const { device } of this.#modbus) device.standing = { kind: 'silence' };
    this.#tell({ kind: 'fault', fault, state: 'begun' });
  }

  #faultEnded(fault: MeterFault): void {
    if (fault === 'silence') for (const { device } of this.#modbus) device.standing = null;
    this.#tell({ kind: 'fault', fault, state: 'ended' });
  }

  /** Pulling and plugging one after the other, whatever is asked for meanwhile. */
  #queue(work: () => Promise<void>): void {
    this.#plugging = this.#plugging.then(work);
  }

  async #unplug(): Promise<void> {
    for (const outlet of [...this.#outlets, ...this.#modbus]) await outlet.unplug();
  }

  async #plug(): Promise<void> {
    if (this.#stopped) return;
    try {
      for (const outlet of [...this.#outlets, ...this.#modbus]) await outlet.plug();
      this.#faults.over('unplug');
    } catch (error) {
      this.#tell({ kind: 'trouble', message: (error as Error).message });
      this.#faults.prolong('unplug', PLUG_AGAIN_MS);
    }
  }

  #tell(event: MeterEvent): void {
    this.#options.onEvent?.(event);
  }
}

/** Profiles of three-phase meters want three phases; without a profile any household will do. */
function phasesFor(modbus: readonly ModbusPort[]): 1 | 3 | undefined {
  if (modbus.length === 0) return undefined;
  return modbus.some(({ profile }) => phasesOf(profile) === 3) ? 3 : 1;
}
