import type { DeviceIdentity } from '../../pki/identity.ts';
import { HesError, isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { Counters } from '../runtime/counters.ts';
import { type Log, silentLog } from '../runtime/log.ts';
import { type Random, systemRandom } from '../runtime/random.ts';
import type { LocalDay } from './calendar.ts';
import { DayAccumulator, type DayNotice, type DueDay, type MissedDays, type OwnerMap } from './day.ts';
import type { OutboxFiles } from './outbox/files.ts';
import type { OutboxLimits } from './outbox/limits.ts';
import { type NewEntry, Outbox, type OutboxEntry, type Settlement } from './outbox/outbox.ts';
import { SCHEDULE_LIMITS, type ScheduleLimits, WakeSchedule } from './schedule.ts';
import { type Sealer, sealDay, sealerOf } from './seal.ts';
import type { Snapshot } from './source.ts';
import type { HeadEnd, TlsMemory } from './uplink/connection.ts';
import { deliver, type OwnerBatch, type OwnerOutcome } from './uplink/deliver.ts';
import { UPLINK_LIMITS, type UplinkLimits } from './uplink/limits.ts';

export interface EdgeLimits {
  readonly outbox?: Partial<OutboxLimits>;
  readonly uplink?: Partial<UplinkLimits>;
  readonly schedule?: Partial<ScheduleLimits>;
}

export interface EdgeDeviceOptions {
  /** The device's own folder: its outbox lies in it. */
  readonly directory: string;
  /** Its keys and certificates, or where to get them when they are needed: 10,000 of them are 60 MiB of text. */
  readonly identity: DeviceIdentity | { readonly device: DeviceIdentity['device']; load(): DeviceIdentity };
  readonly owners: OwnerMap;
  readonly headEnd: HeadEnd;
  /** The real time: for certificates, backoff and `later`. Metering time comes with each snapshot. */
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  readonly counters?: Counters;
  readonly limits?: EdgeLimits;
  /** Whether keys of a development PKI may be used. */
  readonly development?: boolean;
  /** `skip` for recordings: no index for a day in which nothing was seen. */
  readonly missedDays?: MissedDays;
  readonly files?: OutboxFiles;
}

/** A reading by whose it is and the ordinal of the day that it closes. */
export interface ReadingName {
  readonly owner: TenantId;
  readonly day: number;
}

/** A reading that left the outbox, or was parked in it. */
export interface SettledReading extends ReadingName {
  readonly verdict: Settlement['verdict'];
}

/** What came of one wake, in readings. */
export interface WakeResult {
  readonly settled: readonly SettledReading[];
  readonly delivered: number;
  readonly duplicates: number;
  /** Parked: kept and not sent again. */
  readonly refused: number;
  /** Asked to come back later: still in the outbox. */
  readonly later: number;
  /** Not answered: still in the outbox. */
  readonly failed: number;
  readonly failure: HesError | null;
  readonly receiptsIgnored: number;
  /** Connections made, and how many of them resumed a TLS session. */
  readonly connections: number;
  readonly resumed: number;
}

/**
 * The meter side of the uplink: snapshots in, sealed days out.
 *
 * Of a day in progress nothing is on disk; of a closed one only what its owner can open. `observe` never waits and
 * never fails for a disk or a network. `closeDay` and `wake` may be called at any time and as often as one likes.
 */
export class EdgeDevice {
  readonly device: DeviceIdentity['device'];
  readonly #options: EdgeDeviceOptions;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  readonly #days: DayAccumulator;
  readonly #schedule: WakeSchedule;
  readonly #uplinkLimits: UplinkLimits;
  readonly #tls: TlsMemory = { session: undefined };
  readonly #closing = new AbortController();
  /** Closings and wakes run one after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #noting = false;
  #diskFailing = false;

  private constructor(options: EdgeDeviceOptions, outbox: Outbox) {
    const { identity, limits, random = systemRandom } = options;
    this.device = identity.device;
    this.#options = options;
    this.#log = options.log ?? silentLog;
    this.#counters = options.counters ?? new Counters();
    this.#clock = options.clock ?? systemClock;
    this.#outbox = outbox;
    this.#uplinkLimits = { ...UPLINK_LIMITS, ...limits?.uplink };
    this.#schedule = new WakeSchedule(this.#clock, random, { ...SCHEDULE_LIMITS, ...limits?.schedule });
    this.#days = new DayAccumulator({
      owners: options.owners,
      closedThrough: outbox.through(),
      notice: (notice, owner) => this.#notice(notice, owner),
      ...(options.missedDays === undefined ? {} : { missedDays: options.missedDays }),
    });
    if (outbox.pendingCount > 0) this.#schedule.added();
  }

  /** @throws ERR_OUTBOX_LOCKED, ERR_OUTBOX_DAMAGED, ERR_OUTBOX_FORMAT, ERR_OUTBOX_READ, ERR_OUTBOX_WRITE */
  static open(options: EdgeDeviceOptions): EdgeDevice {
    const { directory, log, files, limits } = options;
    const outbox = Outbox.open({
      directory,
      device: options.identity.device,
      ...(limits?.outbox === undefined ? {} : { limits: limits.outbox }),
      ...(log === undefined ? {} : { log }),
      ...(files === undefined ? {} : { files }),
    });
    return new EdgeDevice(options, outbox);
  }

  /** Take what the meters show. @throws ERR_EDGE_TIME, ERR_EDGE_METERS, ERR_EDGE_CLOSED; what the owner map throws */
  observe(snapshot: Snapshot): void {
    this.#requireOpen();
    this.#days.observe(snapshot);
    this.#noteOwners();
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
    return this.#schedule.nextMs(new Set(this.#outbox.pending().map(({ owner }) => owner)));
  }

  /**
   * Connect, send what waits and is due, take the receipts. Never throws for the network: the result says what
   * happened, and `nextWakeMs` when to try again.
   */
  wake(signal?: AbortSignal): Promise<WakeResult> {
    this.#requireOpen();
    const closing = this.#closing.signal;
    return this.#inTurn(() =>
      this.#wake(signal === undefined ? closing : AbortSignal.any([signal, closing])),
    );
  }

  /** End a running wake, wait for it and let go of the outbox. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    await this.#tail;
    this.#outbox.close();
  }

  async #closeDays(through: number): Promise<number> {
    let sealer: Sealer | undefined;
    let stored = 0;
    for (const sameDay of byDay(this.#days.due())) {
      if (sameDay[0]!.day.ordinal > through) break;
      const entries: NewEntry[] = [];
      for (const due of sameDay) {
        const draft = this.#days.draft(due);
        if (draft === undefined || this.#outbox.isClosed(due.owner, due.day.ordinal)) continue;
        sealer ??= sealerOf(this.#identity(), this.#clock.nowMs(), this.#options.development === true);
        entries.push(sealDay(sealer, draft, this.#outbox.nextSequence(due.owner, due.day.ordinal)));
      }
      stored += await this.#store(entries);
      for (const due of sameDay) this.#days.closed(due);
    }
    if (stored > 0) this.#schedule.added();
    return stored;
  }

  async #store(entries: readonly NewEntry[]): Promise<number> {
    try {
      const stored = await this.#outbox.append(entries);
      this.#counters.count('edge.sealed', stored);
      return stored;
    } catch (error) {
      if (isHesError(error)) {
        this.#counters.count(`edge.unstored.${error.code}`);
        this.#log.error({ err: error, device: this.device }, 'a day could not be stored and stays open');
      }
      throw error;
    }
  }

  async #wake(signal: AbortSignal): Promise<WakeResult> {
    const batches = this.#batches();
    this.#schedule.woke();
    const tally = { delivered: 0, duplicates: 0, refused: 0, later: 0, failed: 0 };
    const readings: SettledReading[] = [];
    let failure: HesError | null = null;
    const settled = (outcome: OwnerOutcome): void => {
      readings.push(...this.#settle(outcome, tally));
      const batch = batches.find(({ owner }) => owner === outcome.owner)!;
      if (outcome.failure !== null) tally.failed += batch.entries.length - outcome.receipts.length;
      else tally.later += batch.entries.length - outcome.receipts.length;
      failure ??= outcome.failure;
    };
    if (batches.length === 0)
      return { ...tally, settled: [], failure, receiptsIgnored: 0, connections: 0, resumed: 0 };
    const result = await deliver({
      headEnd: this.#options.headEnd,
      identity: this.#identity(),
      memory: this.#tls,
      limits: this.#uplinkLimits,
      signal,
      batches,
      read: (entry) => this.#outbox.read(entry),
      settled,
    });
    for (const [name, count] of Object.entries({ ...tally, receiptsIgnored: result.receiptsIgnored }))
      if (count > 0) this.#counters.count(`edge.${name}`, count);
    return { ...tally, settled: readings, failure, ...result };
  }

  #batches(): OwnerBatch[] {
    const batches = new Map<TenantId, OutboxEntry[]>();
    for (const entry of this.#outbox.pending()) {
      if (!this.#schedule.isDue(entry.owner)) continue;
      const known = batches.get(entry.owner);
      if (known === undefined) batches.set(entry.owner, [entry]);
      else known.push(entry);
    }
    return [...batches].map(([owner, entries]) => ({ owner, entries }));
  }

  #settle(
    { owner, receipts, laterSeconds, failure }: OwnerOutcome,
    tally: Record<'delivered' | 'duplicates' | 'refused' | 'later', number>,
  ): SettledReading[] {
    const settlements: Settlement[] = [];
    for (const { entry, receipt } of receipts) {
      if (receipt.verdict === 'later') tally.later++;
      else if (receipt.verdict === 'refused') {
        tally.refused++;
        settlements.push({ entry, verdict: 'refused', code: receipt.code });
        this.#log.warn(
          { device: this.device, owner, code: receipt.code },
          'an owner refused a reading: parked',
        );
      } else {
        tally[receipt.verdict === 'delivered' ? 'delivered' : 'duplicates']++;
        settlements.push({ entry, verdict: receipt.verdict });
      }
    }
    this.#outbox.settle(settlements);
    if (laterSeconds !== null) this.#schedule.later(owner, laterSeconds);
    else if (failure === null) this.#schedule.succeeded(owner);
    else if (failure.code !== 'ERR_UPLINK_ABORTED') this.#schedule.failed(owner);
    return settlements.map(({ entry, verdict }) => ({ owner, day: entry.day, verdict }));
  }

  /**
   * An owner seen for the first time is noted on disk, or its first day would be skipped by a kill before midnight.
   * A disk that takes no writes is tried again with the next snapshot, and spoken of once.
   */
  #noteOwners(): void {
    if (this.#noting || this.#unnoted().length === 0) return;
    this.#noting = true;
    void this.#inTurn(async () => {
      try {
        for (const [owner, through] of this.#unnoted()) await this.#outbox.opened(owner, through);
        this.#diskFailing = false;
      } catch (error) {
        if (!this.#diskFailing)
          this.#log.error({ err: error, device: this.device }, 'the outbox takes no writes');
        this.#diskFailing = true;
      } finally {
        this.#noting = false;
      }
    });
  }

  #unnoted(): (readonly [TenantId, number])[] {
    return this.#days.through().filter(([owner, through]) => {
      const noted = this.#outbox.throughOf(owner);
      return noted === undefined || noted > through;
    });
  }

  #notice(notice: DayNotice, owner: TenantId): void {
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

/** Due days, those of the same day together: they are stored with one write. */
function byDay(due: readonly DueDay[]): DueDay[][] {
  const groups = new Map<number, DueDay[]>();
  for (const entry of due) {
    const known = groups.get(entry.day.ordinal);
    if (known === undefined) groups.set(entry.day.ordinal, [entry]);
    else known.push(entry);
  }
  return [...groups.values()];
}
