import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { RefusalCode } from '../../../protocol/receipt.ts';
import { Counters } from '../../runtime/counters.ts';
import { type Log, silentLog } from '../../runtime/log.ts';
import { OutboxContent } from './content.ts';
import { nodeFiles, type OutboxFiles } from './files.ts';
import { encodeFrame, type OutboxRecord } from './frames.ts';
import type { OutboxStatus } from './inspect.ts';
import { COMPACT_BYTES_MIN, FRAME_BYTES_MAX, OUTBOX_LIMITS, type OutboxLimits } from './limits.ts';
import { type Lock, takeLock } from './lock.ts';
import { OutboxFile } from './outbox-file.ts';
import { namesOf, newcomerOf, type Resident, residentOf, withinFrame } from './residents.ts';
import { planRoom, type RoomPlan } from './room.ts';
import type { NewEntry, OutboxEntry, OutboxState, SealedForm } from './state.ts';

export type { OutboxStatus } from './inspect.ts';
export type { NewEntry, OutboxEntry } from './state.ts';

export type Settlement = { readonly entry: OutboxEntry } & (
  | { readonly verdict: 'delivered' | 'duplicate' }
  | { readonly verdict: 'refused'; readonly code: RefusalCode }
);

export interface OutboxOptions {
  readonly directory: string;
  readonly device: DeviceId;
  readonly limits?: Partial<OutboxLimits>;
  readonly log?: Log;
  readonly counters?: Counters;
  readonly files?: OutboxFiles;
  /**
   * Flush what is found. A process that was killed may have stored a day that is not on the disk yet; whoever keeps
   * other files by what the outbox says must not let a power cut take it back.
   */
  readonly flush?: boolean;
}

/**
 * Sealed readings that wait for their receipt, in one append-only file per device. An entry counts once it is on
 * the disk; it leaves when a valid receipt came, or is parked when its owner refused it. What the file holds
 * readable are owners, days and numbers, never a reading.
 *
 * It also remembers up to which day each owner's days are closed and the last number given out: so a day is not
 * closed twice and a number not used twice, whenever the process was killed.
 */
export class Outbox {
  /** Bytes of an unfinished write that were cut when it was opened. */
  readonly tornBytes: number;
  readonly #limits: OutboxLimits;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #content: OutboxContent;
  readonly #file: OutboxFile;
  readonly #state: OutboxState;
  readonly #lock: Lock;
  #busy = false;
  #parkedDropped = 0;
  #dropped = 0;

  private constructor(options: OutboxOptions, path: string, lock: Lock) {
    this.#limits = { ...OUTBOX_LIMITS, ...options.limits };
    this.#log = options.log ?? silentLog;
    this.#counters = options.counters ?? new Counters();
    this.#file = new OutboxFile(path, options.files ?? nodeFiles, this.#log);
    this.#content = new OutboxContent(options.device, this.#file);
    this.#state = this.#content.state;
    this.#lock = lock;
    this.tornBytes = this.#content.load(options.flush === true);
  }

  /** @throws ERR_OUTBOX_LOCKED, ERR_OUTBOX_DAMAGED, ERR_OUTBOX_FORMAT, ERR_OUTBOX_WRITE, ERR_OUTBOX_READ */
  static open(options: OutboxOptions): Outbox {
    const path = `${options.directory}/outbox`;
    const lock = lockOf(path);
    try {
      return new Outbox(options, path, lock);
    } catch (error) {
      lock.release();
      throw error;
    }
  }

  get path(): string {
    return this.#file.path;
  }

  /** Waiting for their receipt, oldest first. */
  pending(): readonly OutboxEntry[] {
    return this.#state.pending();
  }

  /** Refused by their owner: kept and not sent again. */
  parked(): readonly (OutboxEntry & { readonly refused: RefusalCode | null })[] {
    return this.#state.parked();
  }

  get pendingCount(): number {
    return this.#state.pendingCount;
  }

  get parkedDropped(): number {
    return this.#parkedDropped;
  }

  status(): OutboxStatus {
    return {
      pending: this.pendingCount,
      parked: this.parked().length,
      bytes: this.#file.bytes,
      bytesMax: this.#limits.bytesMax,
      thinned: this.#state.thinnedCount,
      dropped: this.#dropped,
      failing: this.#file.failing,
    };
  }

  /** The last closed day (ordinal) of every owner that was ever seen. */
  through(): ReadonlyMap<TenantId, number> {
    return new Map([...this.#state.owners].map(([owner, { through }]) => [owner, through]));
  }

  throughOf(owner: TenantId): number | undefined {
    return this.#state.owners.get(owner)?.through;
  }

  /**
   * The number for the index of a day: the day's own ordinal, or the next free one. Taken from the day, it rises
   * even on a device whose outbox was lost, and an index that is made again has the same number as before.
   */
  nextSequence(owner: TenantId, day: number): number {
    return Math.max((this.#state.owners.get(owner)?.lastSequence ?? 0) + 1, day);
  }

  isClosed(owner: TenantId, day: number): boolean {
    return day <= (this.throughOf(owner) ?? -1);
  }

  /**
   * Remember, durably, that nothing is owed to an owner up to a day: when it is first seen, or when a wrong clock
   * had closed days that have not been yet.
   * @throws ERR_OUTBOX_WRITE
   */
  async opened(owner: TenantId, through: number): Promise<void> {
    this.#checkLock();
    const state = { through, lastSequence: this.#state.owners.get(owner)?.lastSequence ?? 0 };
    await this.#alone(() => this.#content.setOwner(owner, state));
  }

  /**
   * Store sealed readings; they are on the disk when this resolves. Entries of days that are closed already are
   * left out, so that a close may be asked for twice. Where there is no room, the oldest profiles make it, and then
   * the oldest readings (room.ts): loudly. Nothing is stored and nothing given up when it throws.
   * @throws ERR_OUTBOX_FULL, ERR_OUTBOX_WRITE, ERR_OUTBOX_LOCKED
   */
  async append(entries: readonly NewEntry[]): Promise<number> {
    const fresh = withinFrame(
      entries.filter(({ owner, day, again }) => again === true || !this.isClosed(owner, day)),
    );
    if (fresh.length === 0) return 0;
    this.#checkLock();
    await this.#alone(async () => {
      const plan = this.#planFor(fresh);
      if (plan.thin.size + plan.drop.size === 0)
        return await this.#content.append(fresh, this.#limits.bytesMax);
      this.#content.rewrite(plan, fresh);
      this.#sayGivenUp(plan);
    });
    return fresh.length;
  }

  /** @throws ERR_OUTBOX_READ */
  read(entry: OutboxEntry): SealedForm {
    return this.#content.read(this.#state.find(entry)!);
  }

  /**
   * Take out what is at its owner, and park what was refused. This is not flushed: if a power cut undoes it, the
   * reading is sent once more and answered with `duplicate`. A disk that is full does not stop it either.
   */
  settle(settlements: readonly Settlement[]): void {
    const records: OutboxRecord[] = [];
    for (const settlement of settlements) {
      const stored = this.#state.find(settlement.entry);
      if (stored === undefined) continue;
      const { owner, sequence } = stored;
      if (settlement.verdict === 'refused') {
        stored.refused = settlement.code;
        records.push({ kind: 'parked', owner, sequence, code: settlement.code });
      } else {
        this.#state.remove(stored);
        records.push({ kind: 'delivered', owner, sequence });
      }
    }
    records.push(...this.#dropParked());
    if (records.length === 0) return;
    const frame = encodeFrame(records);
    const { bytes, suspect } = this.#file;
    const full = bytes + frame.length > this.#limits.bytesMax;
    const wasteful = bytes > COMPACT_BYTES_MIN && bytes > 2 * this.#state.liveBytes;
    if (!this.#busy && (suspect || wasteful || full) && this.#tryCompact()) return;
    this.#file.note(frame);
  }

  close(): void {
    this.#lock.release();
  }

  /** Beyond the bound the oldest refused reading goes: a fault that lasts must not push out good readings. */
  #dropParked(): OutboxRecord[] {
    const parked = this.#state.parked();
    const excess = parked.slice(0, Math.max(0, parked.length - this.#limits.parkedMax));
    for (const stored of excess) {
      this.#state.remove(stored);
      this.#parkedDropped++;
      this.#log.error({ owner: stored.owner, code: stored.refused }, 'gave up the oldest refused reading');
    }
    return excess.map(({ owner, sequence }) => ({ kind: 'dropped', owner, sequence }));
  }

  /** @throws ERR_OUTBOX_FULL */
  #planFor(fresh: readonly NewEntry[]): RoomPlan<Resident> {
    const newcomers = fresh.map(newcomerOf);
    const residents = [...this.#state.entries.map(residentOf), ...newcomers];
    const bytes = newcomers.reduce((sum, each) => sum + each.bytes, 0);
    if (bytes <= FRAME_BYTES_MAX) {
      const plan = planRoom(residents, this.#state.fixedBytes, this.#limits);
      if (plan !== undefined) return plan;
    }
    const { entriesMax, bytesMax } = this.#limits;
    const { pendingCount: pending } = this;
    throw new HesError(
      'ERR_OUTBOX_FULL',
      'the outbox has no room: the day stays open until readings are delivered',
      { context: { pending, entriesMax, liveBytes: this.#state.liveBytes, bytesMax } },
    );
  }

  #sayGivenUp({ thin, drop }: RoomPlan<Resident>): void {
    this.#dropped += drop.size;
    if (thin.size > 0) {
      this.#counters.count('edge.outbox.thinned', thin.size);
      this.#log.error({ readings: namesOf(thin) }, 'the outbox is full: gave up the oldest profiles');
    }
    if (drop.size > 0) {
      this.#counters.count('edge.outbox.dropped', drop.size);
      this.#log.error({ readings: namesOf(drop) }, 'the outbox is full: gave up the oldest readings');
    }
  }

  #tryCompact(): boolean {
    try {
      this.#content.rewrite();
      return true;
    } catch (error) {
      this.#log.warn({ err: error }, 'the outbox could not be made smaller: tried again later');
      return false;
    }
  }

  /** `settle` may come in between, and then neither makes a new file nor waits: it only appends. */
  async #alone(work: () => Promise<void>): Promise<void> {
    if (this.#busy) throw new HesError('ERR_OUTBOX_WRITE', 'another write of this outbox is still running');
    this.#busy = true;
    try {
      await work();
    } finally {
      this.#busy = false;
    }
  }

  #checkLock(): void {
    if (!this.#lock.held())
      throw new HesError('ERR_OUTBOX_LOCKED', `the lock of ${this.path} is no longer this process's`);
  }
}

/** @throws ERR_OUTBOX_LOCKED, ERR_OUTBOX_WRITE */
function lockOf(path: string): Lock {
  try {
    return takeLock(`${path}.lock`);
  } catch (cause) {
    if (isHesError(cause)) throw cause;
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw new HesError('ERR_OUTBOX_WRITE', `the disk refused the lock of ${path} (${reason})`, { cause });
  }
}
