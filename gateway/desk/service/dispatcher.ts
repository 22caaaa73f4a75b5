import type { CommandId } from '../../../protocol/command/id.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import type { RecipientKey } from '../../../protocol/sealing.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { Desk } from '../desk.ts';
import { EXPIRE_MAX } from '../flight.ts';
import type { Meter } from '../registry/meter.ts';
import type { DeskStore, StoredCommand } from '../store/port.ts';
import { PresenceHints } from './presence.ts';
import type { Road, RoadAnswer } from './road.ts';

/**
 * Brings queued commands to their devices: when a device wakes, when it has answered, when something is queued for
 * one that is connected, and by a slow walk over all that wait, for whatever was missed.
 *
 * A command is claimed, which writes that it may have left, only once the front has said that its device is there.
 * So a device that is away costs no writes, and a front that hangs leaves few commands of which nobody knows more.
 */

export interface DispatcherOptions {
  readonly desk: Pick<Desk, 'claim' | 'returned' | 'expire'>;
  readonly store: Pick<DeskStore, 'meter' | 'waitingDevices'>;
  readonly road: Road;
  /** Whom commands of a meter are sealed to; undefined where that is not known. */
  readonly recipientOf: (meter: Meter) => RecipientKey | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
  /** Devices that are asked or written to at once, beside those that just spoke. */
  readonly atOnceMax: number;
  /** Commands that were written and not answered yet, over all devices. */
  readonly unansweredMax: number;
  /** Devices of the walk a second. */
  readonly walkPerSecond: number;
}

/** Devices that wait for their turn; beyond it the walk finds them. */
const WAITING_MAX = 20_000;
/** Devices with something for a later moment; beyond it the walk finds them. */
const LATER_MAX = 20_000;
/** A device that does not read, or a front that does not answer, is left alone for about so long. */
const REST_MS = 2_000;
const TICK_MS = 1_000;
/** A meter answers within seconds. One that does not keeps its own commands waiting, and nobody else's. */
const UNANSWERED_FOR_MS = 30_000;
/** Of EXPIRE_MAX each: what ended while a desk was away is ended within seconds, and others get their turn. */
const EXPIRE_ROUNDS_MAX = 4;

export class Dispatcher {
  readonly #options: DispatcherOptions;
  readonly #hints = new PresenceHints();
  /** What this process knows to be in flight: its answer brings the next. */
  readonly #inFlight = new Map<DeviceId, CommandId>();
  /** Those of them that may be answered any moment, the oldest first. */
  readonly #unanswered = new Map<CommandId, number>();
  /** By device, whatever of it is not over. */
  readonly #dispatching = new Map<DeviceId, Promise<void>>();
  readonly #waiting = new Set<DeviceId>();
  readonly #later = new Map<DeviceId, number>();
  readonly #underWay = new Set<Promise<void>>();
  #walked: DeviceId | undefined;
  #timer: NodeJS.Timeout | undefined;
  #ticking: Promise<void> | undefined;
  #stopped = false;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    const { counters } = options;
    counters.gauge('dispatch.inFlight', () => this.#inFlight.size);
    counters.gauge('dispatch.waiting', () => this.#waiting.size);
  }

  start(): void {
    this.#timer = setInterval(() => {
      this.#ticking ??= this.#tick().finally(() => {
        this.#ticking = undefined;
      });
    }, TICK_MS);
  }

  /** What is being written is waited for, so that its answer is not lost; nothing new begins. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    this.#waiting.clear();
    await this.#ticking;
    await Promise.all(this.#underWay);
  }

  /** Each change of a command, once it is durable. */
  changed(command: StoredCommand): void {
    const { device, id, state } = command;
    if (state === 'sent') {
      this.#inFlight.set(device, id);
      this.#unanswered.set(id, this.#options.clock.nowMs());
    } else {
      if (this.#inFlight.get(device) === id) this.#inFlight.delete(device);
      if (this.#unanswered.delete(id)) this.#work();
    }
    if (state !== 'queued') return;
    const dueMs = Math.max(command.notBefore * 1_000, command.retryAtMs ?? 0);
    if (dueMs > this.#options.clock.nowMs()) this.#remember(device, dueMs);
    else this.#offer(device);
  }

  /**
   * The device listens. Resolves when its next command is on its way, or there is none. One that is on its way to a
   * session of before comes back first: it would be missing in this one.
   */
  async awake(device: DeviceId): Promise<void> {
    await this.#dispatching.get(device);
    await this.answered(device);
  }

  /** The device has answered a command, maybe sooner than the front said that it was written. Resolves as `awake`. */
  async answered(device: DeviceId): Promise<void> {
    this.#hints.awake(device, this.#options.clock.nowMs());
    await this.#tracked(this.#dispatch(device));
  }

  /** To be looked at when its turn comes; what is asleep is not asked again before its time. */
  #offer(device: DeviceId): void {
    if (this.#stopped || this.#waiting.size >= WAITING_MAX || this.#inFlight.has(device)) return;
    if (this.#hints.of(device, this.#options.clock.nowMs()) === 'absent') return;
    this.#waiting.add(device);
    this.#work();
  }

  #remember(device: DeviceId, dueMs: number): void {
    if (this.#later.size >= LATER_MAX) return;
    this.#later.set(device, Math.min(dueMs, this.#later.get(device) ?? Number.POSITIVE_INFINITY));
  }

  #work(): void {
    const { atOnceMax, unansweredMax } = this.#options;
    for (const device of this.#waiting) {
      if (this.#underWay.size >= atOnceMax) return;
      if (this.#underWay.size + this.#unanswered.size >= unansweredMax) return;
      this.#waiting.delete(device);
      void this.#tracked(this.#ask(device)).then(() => this.#work());
    }
  }

  /** What fails here is logged: whoever woke up or answered is not to suffer for it. */
  #tracked(work: Promise<void>): Promise<void> {
    const settled: Promise<void> = work
      .catch((error: unknown) => {
        this.#options.counters.count('dispatch.failed');
        this.#options.log.error({ err: error }, 'a dispatch failed here');
      })
      .finally(() => this.#underWay.delete(settled));
    this.#underWay.add(settled);
    return settled;
  }

  /** First whether the device is there, where that is not known. */
  async #ask(device: DeviceId): Promise<void> {
    const { store, road, clock, counters } = this.#options;
    if (this.#hints.of(device, clock.nowMs()) !== 'awake') {
      const meter = await store.meter(device);
      if (meter === undefined) return;
      counters.count('dispatch.probes');
      const moment = this.#hints.moment;
      const answer = await road.probe({ device, home: meter.home });
      if (!this.#learn(device, answer, moment)) return;
    }
    await this.#dispatch(device);
  }

  #dispatch(device: DeviceId): Promise<void> {
    const own = this.#send(device);
    const all: Promise<void> = Promise.allSettled([this.#dispatching.get(device), own]).then(() => {
      if (this.#dispatching.get(device) === all) this.#dispatching.delete(device);
    });
    this.#dispatching.set(device, all);
    return own;
  }

  async #send(device: DeviceId): Promise<void> {
    const { desk, store, road, recipientOf, counters } = this.#options;
    if (this.#stopped || this.#inFlight.has(device)) return;
    const meter = await store.meter(device);
    if (meter === undefined) return;
    const recipient = recipientOf(meter);
    if (recipient === undefined) return counters.count('dispatch.withoutKey');
    const claimed = await desk.claim(device);
    if (claimed === undefined) return;
    const { command, signed } = claimed;
    counters.count('dispatch.claimed');
    const moment = this.#hints.moment;
    const answer = await road.send({ device, home: meter.home, recipient }, signed);
    counters.count(`dispatch.${answer}`);
    // Before it is given back, so that being queued again does not call for it again.
    this.#learn(device, answer, moment);
    if (answer !== 'written' && answer !== 'unsure') await desk.returned(command.id);
  }

  /**
   * @param moment at which it was asked: what was heard of the device since is newer
   * @returns whether the device is there
   */
  #learn(device: DeviceId, answer: RoadAnswer, moment: number): boolean {
    const nowMs = this.#options.clock.nowMs();
    if (this.#hints.heardSince(device, moment)) return true;
    if (answer === 'present' || answer === 'written') {
      this.#hints.awake(device, nowMs);
      return true;
    }
    if (answer === 'absent') {
      this.#hints.absent(device, nowMs);
      return false;
    }
    // A front that hangs or died: of nobody is it known any more that he is there.
    if (answer !== 'busy') this.#hints.forgetAll();
    const restMs = REST_MS * (1 + this.#options.random());
    this.#hints.absent(device, nowMs, restMs);
    this.#remember(device, nowMs + restMs);
    return false;
  }

  async #tick(): Promise<void> {
    const { desk, store, clock, walkPerSecond, log } = this.#options;
    try {
      for (let round = 0; round < EXPIRE_ROUNDS_MAX; round++) if ((await desk.expire()) < EXPIRE_MAX) break;
      const nowMs = clock.nowMs();
      for (const [id, atMs] of this.#unanswered) {
        if (atMs + UNANSWERED_FOR_MS > nowMs) break;
        this.#unanswered.delete(id);
      }
      this.#work();
      for (const [device, dueMs] of this.#later) {
        if (dueMs > nowMs) continue;
        this.#later.delete(device);
        this.#offer(device);
      }
      const after = this.#walked === undefined ? {} : { after: this.#walked };
      const devices = await store.waitingDevices({ nowMs, limit: walkPerSecond, ...after });
      this.#walked = devices.length < walkPerSecond ? undefined : devices.at(-1);
      for (const device of devices) this.#offer(device);
    } catch (error) {
      log.error({ err: error }, 'a sweep over what waits failed here; the next one comes');
    }
  }
}
