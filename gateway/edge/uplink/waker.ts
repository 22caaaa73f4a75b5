import type { DeviceIdentity } from '../../../pki/identity.ts';
import type { HesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Outbox, OutboxEntry, Settlement } from '../outbox/outbox.ts';
import type { WakeSchedule } from '../schedule.ts';
import { deliver, type OwnerBatch, type OwnerOutcome } from './deliver.ts';
import type { UplinkLimits } from './limits.ts';
import type { HeadEnd, TlsMemory } from './tls.ts';

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
  /** Asked to come back later, or not sent because of that: still in the outbox. */
  readonly later: number;
  /** Not answered: still in the outbox. */
  readonly failed: number;
  /** The first reason of a failure. */
  readonly failure: HesError | null;
  readonly receiptsIgnored: number;
  /** Connections made, and how many of them resumed a TLS session. */
  readonly connections: number;
  readonly resumed: number;
}

type Tally = Record<'delivered' | 'duplicates' | 'refused' | 'later' | 'failed', number>;

export interface WakerOptions {
  readonly outbox: Outbox;
  readonly schedule: WakeSchedule;
  readonly headEnd: HeadEnd;
  readonly limits: UplinkLimits;
  readonly log: Log;
  readonly counters: Counters;
}

/** One wake of a device: what is due goes out, what was proven delivered leaves the outbox, the rest stays. */
export class Waker {
  readonly #options: WakerOptions;
  readonly #tls: TlsMemory = { session: undefined };

  constructor(options: WakerOptions) {
    this.#options = options;
  }

  async wake(identityOf: () => DeviceIdentity, signal: AbortSignal): Promise<WakeResult> {
    const { outbox, schedule, headEnd, limits, counters } = this.#options;
    schedule.woke();
    const batches = this.#batches();
    const tally: Tally = { delivered: 0, duplicates: 0, refused: 0, later: 0, failed: 0 };
    const readings: SettledReading[] = [];
    let failure: HesError | null = null;
    const settled = (outcome: OwnerOutcome): void => {
      const batch = batches.find(({ owner }) => owner === outcome.owner)!;
      readings.push(...this.#settle(outcome, batch.entries.length, tally));
      failure ??= outcome.failure;
    };
    if (batches.length === 0)
      return { ...tally, settled: [], failure, receiptsIgnored: 0, connections: 0, resumed: 0 };
    const identity = identityOf();
    const memory = this.#tls;
    const read = (entry: OutboxEntry) => outbox.read(entry);
    const result = await deliver({ headEnd, identity, memory, limits, signal, batches, read, settled });
    for (const [name, count] of Object.entries({ ...tally, receiptsIgnored: result.receiptsIgnored }))
      if (count > 0) counters.count(`edge.${name}`, count);
    return { ...tally, settled: readings, failure, ...result };
  }

  /** What waits, by owner, without the owners that want to be left alone. */
  #batches(): OwnerBatch[] {
    const batches = new Map<TenantId, OutboxEntry[]>();
    for (const entry of this.#options.outbox.pending()) {
      if (!this.#options.schedule.isDue(entry.owner)) continue;
      const known = batches.get(entry.owner);
      if (known === undefined) batches.set(entry.owner, [entry]);
      else known.push(entry);
    }
    return [...batches].map(([owner, entries]) => ({ owner, entries }));
  }

  #settle(outcome: OwnerOutcome, sent: number, tally: Tally): SettledReading[] {
    const { outbox, schedule, log } = this.#options;
    const { owner, receipts, laterSeconds, failure } = outcome;
    const settlements: Settlement[] = [];
    for (const { entry, receipt } of receipts) {
      if (receipt.verdict === 'later') tally.later++;
      else if (receipt.verdict === 'refused') {
        tally.refused++;
        settlements.push({ entry, verdict: 'refused', code: receipt.code });
        log.warn({ owner, code: receipt.code }, 'an owner refused a reading: it is parked');
      } else {
        tally[receipt.verdict === 'delivered' ? 'delivered' : 'duplicates']++;
        settlements.push({ entry, verdict: receipt.verdict });
      }
    }
    tally[failure === null ? 'later' : 'failed'] += sent - receipts.length;
    outbox.settle(settlements);
    if (laterSeconds !== null) schedule.later(owner, laterSeconds);
    else if (failure === null) schedule.succeeded(owner);
    // Whoever ended the wake was not the owner: it is tried again whenever the next wake is.
    else if (failure.code !== 'ERR_UPLINK_ABORTED') schedule.failed(owner);
    return settlements.map(({ entry, verdict }) => ({ owner, day: entry.day, verdict }));
  }
}
