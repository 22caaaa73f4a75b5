import type { Installation } from '../../gateway/edge/operations/installation.ts';
import type { Operations } from '../../gateway/edge/operations/operations.ts';
import type { MeterState } from '../../gateway/edge/operations/state.ts';
import type { MeterView } from '../../gateway/edge/operations/view.ts';
import type { OutboxFiles } from '../../gateway/edge/outbox/files.ts';
import type { Renewal } from '../../gateway/edge/renewal/renewal.ts';
import { type Clock, systemClock } from '../../gateway/runtime/clock.ts';
import { HesError } from '../../protocol/errors.ts';
import type { EmulatorErrorCode } from '../errors.ts';
import { conditionsOf, type MeterConditions } from '../p1/conditions.ts';
import { buttonEvent } from './buttons.ts';
import { SimulatedHardware } from './hardware.ts';
import { valvesOf } from './installation.ts';

export interface CommandedMeterOptions {
  /** The device's own folder: the note of its hardware lies in it, once something was moved. */
  readonly directory: string;
  readonly installation: Installation;
  /** The real one: people sign by it, whatever time the registers live in. */
  readonly clock?: Clock;
  readonly leakTestMs?: number;
  readonly isTight?: (channel: number) => boolean;
  readonly files?: OutboxFiles;
  readonly renewal?: Pick<Renewal, 'perform' | 'standing'>;
}

/** What came of a press of the button. */
export type Pressed = 'closed' | 'leak-test' | 'next-screen' | 'nothing';

/**
 * An emulated meter that takes commands: simulated hardware, its button and its power. Its hardware is there before
 * the operations that move it, which come with the edge inside.
 */
export class CommandedMeter {
  readonly hardware: SimulatedHardware;
  readonly installation: Installation;
  readonly #clock: Clock;
  #operations: Operations | null = null;

  constructor({
    directory,
    installation,
    clock = systemClock,
    leakTestMs,
    isTight,
    files,
    renewal,
  }: CommandedMeterOptions) {
    this.installation = installation;
    this.#clock = clock;
    this.hardware = new SimulatedHardware({
      directory,
      channels: installation.meters.map(({ channel }) => channel),
      valves: valvesOf(installation),
      clock,
      onLeakTested: (channel, tight) => void this.#leakTested(channel, tight),
      ...(leakTestMs === undefined ? {} : { leakTestMs }),
      ...(isTight === undefined ? {} : { isTight }),
      ...(files === undefined ? {} : { files }),
      ...(renewal === undefined ? {} : { renewal }),
    });
  }

  /** The operations of the edge that was opened over this hardware. */
  attach(operations: Operations): void {
    this.#operations = operations;
  }

  /** @throws ERR_OPERATIONS_CLOSED before they are there */
  get operations(): Operations {
    if (this.#operations === null) throw new HesError('ERR_OPERATIONS_CLOSED', 'used before attach()');
    return this.#operations;
  }

  view(): MeterView {
    return this.operations.view(this.#clock.nowMs());
  }

  get power(): boolean {
    return this.hardware.power;
  }

  /** What its customer port shows; without power it is as silent as a closed one. */
  conditions(): MeterConditions {
    const conditions = conditionsOf(this.view());
    return this.power ? conditions : { ...conditions, port: false };
  }

  /** The one button, for so long. @throws ERR_EMULATED_POWER */
  async press(heldMs: number): Promise<Pressed> {
    this.#requirePower();
    const nowMs = this.#clock.nowMs();
    const event = buttonEvent(this.view(), heldMs);
    if (event.kind === 'button' && (await this.operations.happen(event, nowMs))) {
      const valve = this.view().valves.find(({ channel }) => channel === event.channel);
      return valve?.testing === true ? 'leak-test' : 'closed';
    }
    return (await this.operations.happen({ kind: 'next-screen' }, nowMs)) ? 'next-screen' : 'nothing';
  }

  /** Somebody at the meter ends airplane mode. @returns whether it was in it. @throws ERR_EMULATED_POWER */
  endAirplane(): Promise<boolean> {
    this.#requirePower();
    return this.operations.happen({ kind: 'end-airplane' }, this.#clock.nowMs());
  }

  /** The street's power. Supply comes back by itself as it was; gas after its leak test. */
  async setPower(on: boolean): Promise<void> {
    const was = this.power;
    await this.hardware.setPower(on);
    if (on && !was) await this.operations.powerRestored(this.#clock.nowMs());
  }

  async #leakTested(channel: number, tight: boolean): Promise<void> {
    await this.#operations
      ?.happen({ kind: 'leak-tested', channel, tight }, this.#clock.nowMs())
      // Closed meanwhile: then the test is begun again with the next start.
      .catch(() => undefined);
  }

  /** Whether time alone can change something: ten thousand meters that wait for nothing cost no tick. */
  get isLively(): boolean {
    return this.#operations !== null && waitsForTime(this.#operations.state);
  }

  /** A second has passed; `loadW` is the power that is taken, asked for only where a limit looks at it. */
  async tick(loadW: () => number): Promise<void> {
    if (!this.isLively || !this.power) return;
    const nowMs = this.#clock.nowMs();
    const { limiterW, breaker } = this.operations.state;
    if (limiterW !== null && breaker?.position === 1)
      await this.operations.happen({ kind: 'load', powerW: loadW() }, nowMs);
    await this.operations.tick(nowMs);
  }

  /** Let go of what runs; the operations are their edge's. */
  stop(): void {
    this.hardware.stop();
  }

  #requirePower(): void {
    if (!this.power)
      throw new HesError(
        'ERR_EMULATED_POWER' satisfies EmulatorErrorCode,
        'the meter has no power: its display is dark, and its button does nothing',
        { context: { device: this.installation.device } },
      );
  }
}

function waitsForTime({ nextTariff, message, limiterW, breaker, valves }: MeterState): boolean {
  return (
    nextTariff !== null ||
    message !== null ||
    limiterW !== null ||
    (breaker !== null && breaker.position !== 1) ||
    valves.some(({ position }) => position !== 1)
  );
}
