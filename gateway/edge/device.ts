import type { DeviceIdentity } from '../../pki/identity.ts';
import { HesError, isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { Counters } from '../runtime/counters.ts';
import { type Log, silentLog } from '../runtime/log.ts';
import { systemRandom } from '../runtime/random.ts';
import { Checkpoint, type Restored } from './checkpoint/checkpoint.ts';
import { CommandWakes } from './command-wakes.ts';
import { type CommandStatus, Commands, type EdgeCommands } from './commands.ts';
import { DayCloser } from './day-closer.ts';
import { dayOfOrdinal, type LocalDay } from './days/calendar.ts';
import { DayAccumulator, type DayNotice, type Doubt, type DueDay } from './days/day.ts';
import type { EdgeDeviceOptions } from './device-options.ts';
import { LatestReadings } from './latest.ts';
import { Notices } from './notices.ts';
import type { Operations } from './operations/operations.ts';
import type { Notice } from './operations/step.ts';
import { nodeFiles } from './outbox/files.ts';
import { Outbox, type OutboxStatus } from './outbox/outbox.ts';
import { OwnerNotes } from './owner-notes.ts';
import { SCHEDULE_LIMITS, WakeSchedule } from './schedule.ts';
import { sealerOf } from './seal.ts';
import type { Snapshot } from './source.ts';
import { UPLINK_LIMITS } from './uplink/limits.ts';
import { type ReadingName, type WakeResult, Waker } from './uplink/waker.ts';

export type { CommandStatus, EdgeCommands } from './commands.ts';
export type { EdgeDeviceOptions, EdgeLimits } from './device-options.ts';
export type { ReadingName, SettledReading, WakeResult } from './uplink/waker.ts';

/**
 * The meter side of the uplink: snapshots in, sealed days out.
 *
 * Of a day in progress nothing is on disk, or with `checkpoint` only what this device can open; of a closed one only
 * what its owner can open. `observe` never waits and
 * never fails for a disk or a network. `closeDay` and `wake` may be called at any time and as often as one likes.
 */
export class EdgeDevice {
  readonly device: DeviceIdentity['device'];
  /** What was left of the running day by the process before this one. */
  readonly restored: Restored;
  readonly #checkpoint: Checkpoint | null;
  readonly #options: EdgeDeviceOptions;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  readonly #days: DayAccumulator;
  readonly #schedule: WakeSchedule;
  readonly #waker: Waker;
  readonly #closer: DayCloser;
  readonly #ownerNotes: OwnerNotes;
  readonly #closing = new AbortController();
  /** Closings and wakes run one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #commands: Commands | null = null;
  #wakes: CommandWakes | null = null;
  /** Airplane mode ended, and the index as it stands was not sealed since. */
  #owesIndex = false;

  private constructor(options: EdgeDeviceOptions, outbox: Outbox) {
    const { identity, limits, random = systemRandom } = options;
    this.device = identity.device;
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#counters = options.counters ?? new Counters();
    this.#clock = options.clock ?? systemClock;
    this.#outbox = outbox;
    this.#schedule = new WakeSchedule(this.#clock, random, { ...SCHEDULE_LIMITS, ...limits?.schedule });
    const notices = new Notices({
      device: this.device,
      development: options.development === true,
      clock: this.#clock,
      log: this.#log,
      counters: this.#counters,
      change: (change) => this.changeIdentity(change),
    });
    this.#waker = new Waker({
      outbox,
      schedule: this.#schedule,
      headEnd: options.headEnd,
      limits: { ...UPLINK_LIMITS, ...limits?.uplink },
      log: this.#log,
      counters: this.#counters,
      onNotice: (tenant, signed) => notices.arrived(tenant, signed),
    });
    this.#checkpoint = options.checkpoint === true ? this.#newCheckpoint() : null;
    const { restored, state } = this.#checkpoint?.load() ?? { restored: 'none', state: [] };
    this.restored = restored;
    this.#days = new DayAccumulator({
      owners: options.owners,
      closedThrough: outbox.through(),
      restored: state,
      notice: (notice, owner) => this.#notice(notice, owner),
      ...(options.missedDays === undefined ? {} : { missedDays: options.missedDays }),
    });
    this.#ownerNotes = new OwnerNotes(this.device, outbox, this.#days, this.#log);
    this.#closer = new DayCloser({
      device: this.device,
      days: this.#days,
      outbox,
      sealer: () => sealerOf(this.#identity(), this.#clock.nowMs(), options.development === true),
      lean: options.lean ?? this.#checkpoint !== null,
      log: this.#log,
      counters: this.#counters,
      closed: () => this.#keepDay(),
    });
    if (outbox.pendingCount > 0) this.#schedule.added();
    options.renewal?.onRenewed(() => this.identityChanged());
    options.renewal?.silentWhile(() => this.#commands?.speaksOfResultsOnly === true);
  }

  /** @throws ERR_OUTBOX_LOCKED, ERR_OUTBOX_DAMAGED, ERR_OUTBOX_FORMAT, ERR_OUTBOX_READ, ERR_OUTBOX_WRITE */
  static open(options: EdgeDeviceOptions): EdgeDevice {
    const { directory, log, files, limits } = options;
    const outbox = Outbox.open({
      directory,
      device: options.identity.device,
      flush: options.checkpoint === true,
      ...(limits?.outbox === undefined ? {} : { limits: limits.outbox }),
      ...(log === undefined ? {} : { log }),
      ...(options.counters === undefined ? {} : { counters: options.counters }),
      ...(files === undefined ? {} : { files }),
    });
    try {
      return new EdgeDevice(options, outbox);
    } catch (error) {
      outbox.close();
      throw error;
    }
  }

  /**
   * As `open`, and where `commands` are given the device takes commands from its first wake on.
   * @throws as `open`; ERR_JOURNAL_READ, ERR_JOURNAL_FORMAT, ERR_JOURNAL_DAMAGED: without its counters, and without
   *   knowing whether it is in airplane mode, a device neither obeys nor speaks
   */
  static async start(options: EdgeDeviceOptions & { readonly commands?: EdgeCommands }): Promise<EdgeDevice> {
    const device = EdgeDevice.open(options);
    if (options.commands === undefined) return device;
    try {
      await device.#obey(options.commands);
      return device;
    } catch (error) {
      await device.close();
      throw error;
    }
  }

  /** What the device does with commands, and its state; null where it takes none. */
  get operations(): Operations | null {
    return this.#commands?.operations ?? null;
  }

  /** Whether a connection stands at this moment. */
  get connected(): boolean {
    return this.#waker.isConnected;
  }

  /** Null where it takes no commands. */
  commandStatus(): CommandStatus | null {
    return this.#commands?.status(this.connected) ?? null;
  }

  /** Whether a connection is kept from now on. */
  setStay(stay: boolean): void {
    this.#requireOpen();
    if (this.#wakes === null) return;
    this.#wakes.stay = stay;
    if (!stay) void this.#inTurn(() => this.#waker.close());
  }

  /**
   * Another identity of this device is in its place: what was parsed or begun with the one before is let go of, and a
   * connection under another certificate once nothing is in hand over it.
   */
  identityChanged(): void {
    if (this.#closing.signal.aborted) return;
    this.#commands?.release();
    this.#wakes?.renewed();
    this.#checkpoint?.renew();
    void this.#inTurn(() => this.#waker.renewed(this.#identity()));
    setImmediate(() => this.#waker.sendResults());
  }

  /**
   * Put a changed identity in the place of the present one, durably, and go on with it. Read, changed and written in
   * one step: whoever else changes it loses nothing.
   * @returns false where this device cannot replace its identity
   */
  changeIdentity(change: (now: DeviceIdentity) => DeviceIdentity): boolean {
    const { identity } = this.#options;
    if (!('load' in identity) || identity.save === undefined) return false;
    const now = identity.load();
    const changed = change(now);
    if (changed === now) return true;
    identity.save(changed);
    this.identityChanged();
    return true;
  }

  /**
   * Take what the meters show; in airplane mode nothing of it is kept.
   * @throws ERR_EDGE_TIME, ERR_EDGE_METERS, ERR_EDGE_CLOSED; what the owner map throws
   */
  observe(snapshot: Snapshot): void {
    this.#requireOpen();
    if (this.#commands?.speaksOfResultsOnly === true) return;
    if (this.#days.observe(snapshot)) this.#keepDay();
    this.#ownerNotes.note((work) => this.#inTurn(work));
    if (this.#owesIndex) this.#giveIndex();
  }

  /** Days that ended and are not in the outbox yet, oldest first. */
  due(): readonly DueDay[] {
    return this.#days.due();
  }

  /** Readings that wait for their receipt. */
  pending(): number {
    return this.#outbox.pendingCount;
  }

  /** Readings that their owner refused. */
  parked(): number {
    return this.#outbox.parked().length;
  }

  /** Which readings wait, oldest first. */
  waiting(): readonly ReadingName[] {
    return this.#outbox.pending();
  }

  /** Which readings their owner refused. */
  parkedReadings(): readonly ReadingName[] {
    return this.#outbox.parked();
  }

  /** How full the outbox is, what it gave up, and whether the disk takes writes. */
  outboxStatus(): OutboxStatus {
    const status = this.#outbox.status();
    return { ...status, failing: status.failing || this.#checkpoint?.failing === true };
  }

  /** The ordinal of the last day that is closed for an owner; undefined for one that was never seen. */
  closedThrough(owner: TenantId): number | undefined {
    return this.#outbox.throughOf(owner);
  }

  /**
   * Seal every day that has ended, up to `day` where one is given, and put it into the outbox. What it returns is
   * on the disk: the number of readings stored. A day that cannot be stored stays due, and so do those after it.
   * @throws ERR_OUTBOX_FULL, ERR_OUTBOX_WRITE, ERR_OUTBOX_LOCKED, ERR_EDGE_OWNER, ERR_EDGE_CLOSED, ERR_PAYLOAD_SCHEMA, ERR_TRUST_*
   */
  closeDay(day?: LocalDay): Promise<number> {
    this.#requireOpen();
    return this.#inTurn(() => this.#closeDays(day?.ordinal ?? Number.POSITIVE_INFINITY));
  }

  /** When (in ms of `clock`) the next wake is worth it, or null while nothing waits. */
  nextWakeMs(): number | null {
    const owners = new Set(this.#outbox.pending().map(({ owner }) => owner));
    return this.#wakes === null ? this.#schedule.nextMs(owners) : this.#wakes.nextMs(owners, this.connected);
  }

  /**
   * Connect, send what waits and is due, take the receipts; with commands until none is in hand. Never throws for the network: the result says what
   * happened, and `nextWakeMs` when to try again.
   */
  wake(signal?: AbortSignal): Promise<WakeResult> {
    this.#requireOpen();
    const closing = this.#closing.signal;
    const either = signal === undefined ? closing : AbortSignal.any([signal, closing]);
    return this.#inTurn(async () => {
      const result = await this.#waker.wake(() => this.#identity(), either);
      if (result.connections > 0 || this.connected) this.#wakes?.reached();
      return result;
    });
  }

  /** End a running wake, wait for it, keep the running day and let go of the outbox. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#tail;
    await this.#waker.close();
    await this.#commands?.operations.close();
    await this.#checkpoint?.close(this.#days);
    this.#outbox.close();
  }

  async #closeDays(through: number): Promise<number> {
    let readings = 0;
    try {
      await this.#closer.close(through, (stored) => {
        readings += stored;
      });
    } finally {
      if (readings > 0) this.#schedule.added();
    }
    return readings;
  }

  async #obey(commands: EdgeCommands): Promise<void> {
    const { directory, development = false, files, owners, random = systemRandom } = this.#options;
    const { realSeconds, snapshot } = commands;
    const clock = this.#clock;
    const readings = new LatestReadings({
      owners,
      clock,
      realSeconds,
      snapshot,
      seen: () => this.#days.latest(),
    });
    const commanded = await Commands.open({
      commands,
      directory,
      development,
      clock,
      readings,
      files,
      identity: () => this.#identity(),
      log: this.#log,
      counters: this.#counters,
      closedThroughSeconds: () => this.#closedThroughSeconds(),
      onNotice: (notice) => this.#hear(notice, commands.onNotice),
      changeIdentity: (change) => this.changeIdentity(change),
    });
    const wakes = new CommandWakes({ commands, commanded, schedule: this.#schedule, clock, random });
    this.#closer.withhold(commanded.withheld);
    this.#commands = commanded;
    this.#wakes = wakes;
    this.#waker.obey({ commanded, signal: this.#closing.signal, stay: () => wakes.stay });
  }

  /** The end of the last day that is closed for everybody (metering time); 0 where none ever was. */
  #closedThroughSeconds(): number {
    const through = Math.max(-1, ...this.#outbox.through().values());
    return through < 0 ? 0 : dayOfOrdinal(through).end;
  }

  /** Something happened at the meter, or came of a command: whoever stays connected tells it at once. */
  #hear(notice: Notice, tell: EdgeCommands['onNotice']): void {
    this.#counters.count(`edge.notice.${notice}`);
    if (notice === 'airplane-ended') this.#owesIndex = true;
    this.#wakes?.heard(notice);
    setImmediate(() => this.#waker.sendResults());
    tell?.(notice);
  }

  /** At the end of airplane mode: the index as it stands, of every owner, at once. */
  #giveIndex(): void {
    this.#owesIndex = false;
    void this.#inTurn(async () => {
      try {
        await this.#closer.closeNow(() => this.#schedule.hurry());
      } catch (error) {
        if (!isHesError(error)) throw error;
        const { device } = this;
        this.#log.error(
          { err: error, device },
          'the index after airplane mode is not stored: midnight’s follows',
        );
      }
    });
  }

  #newCheckpoint(): Checkpoint {
    const { directory, files = nodeFiles } = this.#options;
    const identity = () => this.#identity();
    return new Checkpoint({ directory, identity, files, log: this.#log, counters: this.#counters });
  }

  #keepDay(): void {
    this.#checkpoint?.save(this.#days);
  }

  #notice(notice: DayNotice | Doubt, owner: TenantId | null): void {
    this.#counters.count(`edge.notice.${notice}`);
    this.#log.warn({ device: this.device, owner, notice }, 'a day is not as it should be');
  }

  #identity(): DeviceIdentity {
    const { identity } = this.#options;
    return 'load' in identity ? identity.load() : identity;
  }

  #requireOpen(): void {
    if (this.#closing.signal.aborted) throw new HesError('ERR_EDGE_CLOSED', 'the device was closed');
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work);
    this.#tail = result.catch(() => {});
    return result;
  }
}
