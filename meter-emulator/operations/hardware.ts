import type { Action, ActionResult, Hardware } from '../../gateway/edge/operations/step.ts';
import type { OutboxFiles } from '../../gateway/edge/outbox/files.ts';
import type { Renewal } from '../../gateway/edge/renewal/renewal.ts';
import type { Clock } from '../../gateway/runtime/clock.ts';
import { GearFile, type Position } from './gear.ts';

/** A real test watches the pressure for some minutes; here somebody waits at a terminal. */
export const LEAK_TEST_MS = 5_000;

/** The meter's clock is the computer's: what it is told may differ by so much, and is not set. */
const CLOCK_WITHIN_SECONDS = 300;

export interface SimulatedHardwareOptions {
  /** The device's own folder. */
  readonly directory: string;
  /** Channels on which something answers: 0 is the device's own meter. */
  readonly channels: readonly number[];
  /** Those of them that have a valve. */
  readonly valves: readonly number[];
  readonly clock: Clock;
  readonly leakTestMs?: number;
  /** What is behind a gas valve holds its pressure unless told. */
  readonly isTight?: (channel: number) => boolean;
  readonly onLeakTested: (channel: number, tight: boolean) => void;
  readonly files?: OutboxFiles;
  /** Where it asks for certificates of new keys; without that it makes none. */
  readonly renewal?: Pick<Renewal, 'perform' | 'standing'>;
}

type Kind = Action['kind'];
type Perform<K extends Kind> = (action: Extract<Action, { kind: K }>) => ActionResult | Promise<ActionResult>;
type Standing<K extends Kind> = (action: Extract<Action, { kind: K }>) => boolean | undefined;

/**
 * SIMULATED hardware of a meter: breaker, valves with their leak test, limiter, customer port. It moves nothing but a
 * note of where things are, which stays as a latching contact stays.
 */
export class SimulatedHardware implements Hardware {
  readonly simulated = true;
  readonly #options: SimulatedHardwareOptions;
  readonly #file: GearFile;
  readonly #tests = new Map<number, NodeJS.Timeout>();

  constructor(options: SimulatedHardwareOptions) {
    this.#options = options;
    this.#file = new GearFile(options.directory, options.valves, options.files);
  }

  readonly #rows: { readonly [K in Kind]: { perform: Perform<K>; standing: Standing<K> } } = {
    breaker: {
      perform: ({ position }) => this.#moved({ breaker: position }),
      standing: ({ position }) => known(this.#file.gear.breaker, position),
    },
    valve: {
      perform: ({ channel, position }) => {
        if (!this.#options.valves.includes(channel)) return 'channel';
        this.#stopTest(channel);
        return this.#moved({ valves: { ...this.#file.gear.valves, [channel]: position } });
      },
      standing: ({ channel, position }) => known(this.#valve(channel), position),
    },
    'leak-test': {
      perform: ({ channel }) => this.#test(channel),
      standing: ({ channel }) => this.#tests.has(channel),
    },
    limiter: {
      perform: ({ powerW }) => this.#moved({ limiterW: powerW }),
      standing: ({ powerW }) => this.#file.gear.limiterW === powerW,
    },
    port: {
      perform: ({ on }) => this.#moved({ port: on }),
      standing: ({ on }) => this.#file.gear.port === on,
    },
    clock: {
      perform: ({ time }) => (this.#isNow(time) ? 'done' : 'hardware'),
      standing: ({ time }) => this.#isNow(time),
    },
    // Nothing simulated: the key is made here, and the CA is asked for its certificate.
    credential: {
      perform: ({ key }) => this.#options.renewal?.perform(key) ?? 'hardware',
      standing: ({ key }) => this.#options.renewal?.standing(key) ?? false,
    },
    reach: {
      perform: ({ channel }) => (this.#options.channels.includes(channel) ? 'done' : 'channel'),
      standing: () => false,
    },
  };

  /** Whether the street has power. */
  get power(): boolean {
    return this.#file.gear.power;
  }

  perform(action: Action): ActionResult | Promise<ActionResult> {
    if (!this.power) return 'hardware';
    return (this.#rows[action.kind].perform as Perform<Kind>)(action);
  }

  standing(action: Action): boolean | undefined {
    return (this.#rows[action.kind].standing as Standing<Kind>)(action);
  }

  /** The street's power fails or comes back: contacts stay where they are, a test that runs is lost. */
  async setPower(on: boolean): Promise<void> {
    if (!on) this.stop();
    if (on !== this.power) await this.#file.move({ power: on });
  }

  /** Let go of what runs. */
  stop(): void {
    for (const channel of this.#tests.keys()) this.#stopTest(channel);
  }

  async #moved(change: Parameters<GearFile['move']>[0]): Promise<ActionResult> {
    await this.#file.move(change);
    return 'done';
  }

  /** Gas is let in a little and its pressure watched: the valve stays ready until it is known to be tight. */
  async #test(channel: number): Promise<ActionResult> {
    const { valves, leakTestMs = LEAK_TEST_MS, isTight = () => true, onLeakTested } = this.#options;
    if (!valves.includes(channel)) return 'channel';
    await this.#file.move({ valves: { ...this.#file.gear.valves, [channel]: 2 } });
    this.#stopTest(channel);
    const timer = setTimeout(() => {
      this.#tests.delete(channel);
      onLeakTested(channel, isTight(channel));
    }, leakTestMs);
    // Nobody waits for a test when the process ends: it is begun again at the next start.
    timer.unref();
    this.#tests.set(channel, timer);
    return 'done';
  }

  #stopTest(channel: number): void {
    clearTimeout(this.#tests.get(channel));
    this.#tests.delete(channel);
  }

  #valve(channel: number): Position | null {
    const { valves } = this.#file.gear;
    return valves[channel] === undefined ? 1 : valves[channel];
  }

  #isNow(time: number): boolean {
    return Math.abs(time - this.#options.clock.nowMs() / 1_000) <= CLOCK_WITHIN_SECONDS;
  }
}

const known = (position: Position | null, asked: Position): boolean | undefined =>
  position === null ? undefined : position === asked;
