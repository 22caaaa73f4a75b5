import type { DeviceIdentity } from '../../../pki/identity.ts';
import type { HesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Outbox, OutboxEntry, Settlement } from '../outbox/outbox.ts';
import type { WakeSchedule } from '../schedule.ts';
import { type Commanded, CommandLane } from './command-lane.ts';
import { asHesError, deliver, type OwnerBatch, type OwnerOutcome } from './deliver.ts';
import type { ExchangeOptions } from './exchange.ts';
import type { UplinkLimits } from './limits.ts';
import { type Connect, type LinkCount, Links, onceFailed } from './links.ts';
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
  /** Commands that came since the last wake. */
  readonly commands: number;
  /** Results and reports that got their receipt since the last wake. */
  readonly results: number;
}

type Tally = Record<'delivered' | 'duplicates' | 'refused' | 'later' | 'failed', number>;

export interface WakerOptions {
  readonly outbox: Outbox;
  readonly schedule: WakeSchedule;
  readonly headEnd: HeadEnd;
  readonly limits: UplinkLimits;
  readonly log: Log;
  readonly counters: Counters;
  /** Takes the notices of operators. */
  readonly onNotice?: ExchangeOptions['onNotice'];
}

/** What a wake is for, where a device takes commands. */
export interface CommandedWakes {
  readonly commanded: Commanded;
  /** The end of the device. */
  readonly signal: AbortSignal;
  /** Whether a connection outlasts its wake. */
  readonly stay: () => boolean;
}

const NO_WAKE = {
  settled: [],
  delivered: 0,
  duplicates: 0,
  refused: 0,
  later: 0,
  failed: 0,
  failure: null,
  receiptsIgnored: 0,
  connections: 0,
  resumed: 0,
  commands: 0,
  results: 0,
} as const satisfies WakeResult;

/**
 * One wake of a device: what is due goes out, what was proven delivered leaves the outbox, the rest stays. A device
 * under command subscribes beside that, and the wake goes on until no command and no result is in hand: a head-end
 * answers the SUBSCRIBE, and gives the receipt of a result, only after it sent the next command (docs/adr/0155).
 */
export class Waker {
  readonly #options: WakerOptions;
  readonly #tls: TlsMemory = { session: undefined };
  readonly #links: Links;
  #wakes: CommandedWakes | null = null;
  #lane: CommandLane | null = null;
  #strays = 0;

  constructor(options: WakerOptions) {
    this.#options = options;
    this.#links = new Links(
      (exchange) => this.#lane?.attach(exchange),
      () => {
        // Who stays comes back; who does not comes back with whatever waits.
        if (this.#wakes?.stay() === true) options.schedule.failed('head-end');
      },
    );
  }

  /** From now on with commands. */
  obey(wakes: CommandedWakes): void {
    const { schedule, log, counters } = this.#options;
    const { commanded, signal } = wakes;
    const silenced = (): void => void this.#links.close();
    this.#wakes = wakes;
    this.#lane = new CommandLane({ commanded, schedule, log, counters, signal, silenced });
  }

  get isConnected(): boolean {
    return this.#links.current !== undefined;
  }

  /** Send results over the connection that stands, if one does. */
  sendResults(): void {
    this.#lane?.send();
  }

  /** The certificate may be another by now: then the connection of the old one ends when nothing is in hand over it. */
  async renewed({ tls }: Pick<DeviceIdentity, 'tls'>): Promise<void> {
    if (this.#tls.certificate === tls.certificate) return;
    await this.#lane?.idle();
    await this.#links.close();
  }

  /** Let go of a connection that was kept. */
  async close(): Promise<void> {
    await this.#links.close();
    await this.#lane?.idle();
  }

  async wake(identityOf: () => DeviceIdentity, signal: AbortSignal): Promise<WakeResult> {
    const { outbox, schedule, counters, limits } = this.#options;
    const lane = this.#lane;
    const commanded = this.#wakes?.commanded;
    if (commanded?.silent === true) return NO_WAKE;
    schedule.woke();
    const mayRead = (): boolean => commanded?.speaksOfResultsOnly !== true;
    const batches = mayRead() ? this.#batches() : [];
    if (batches.length === 0 && lane === null) return NO_WAKE;
    const tally: Tally = { delivered: 0, duplicates: 0, refused: 0, later: 0, failed: 0 };
    const readings: SettledReading[] = [];
    let failure: HesError | null = null;
    const settled = (outcome: OwnerOutcome): void => {
      const batch = batches.find(({ owner }) => owner === outcome.owner)!;
      readings.push(...this.#settle(outcome, batch.entries.length, tally));
      failure ??= outcome.failure;
    };
    const count: LinkCount = { connections: 0, resumed: 0 };
    // Read when it is needed: a connection that stands knows who it is.
    let loaded: DeviceIdentity | undefined;
    const identity = (): DeviceIdentity => (loaded ??= identityOf());
    const connect = this.#connect(identity, signal, count);
    if (lane !== null) failure = await this.#begin(connect, lane);
    const home = (): TenantId => identity().home;
    const read = (entry: OutboxEntry) => outbox.read(entry);
    await deliver({ home, batches, read, settled, connect, window: limits.window, signal, mayRead });
    if (lane !== null) await this.#obeyed(lane);
    if (this.#wakes?.stay() !== true) await this.#links.close();
    const receiptsIgnored = this.#strays;
    this.#strays = 0;
    for (const [name, number] of Object.entries({ ...tally, receiptsIgnored }))
      if (number > 0) counters.count(`edge.${name}`, number);
    const { commands, results } = lane?.take() ?? NO_WAKE;
    return { ...tally, settled: readings, failure, receiptsIgnored, ...count, commands, results };
  }

  #connect(identity: () => DeviceIdentity, signal: AbortSignal, count: LinkCount): Connect {
    const { headEnd, limits, onNotice } = this.#options;
    const lane = this.#lane;
    const options = (): ExchangeOptions => ({
      headEnd,
      identity: identity(),
      memory: this.#tls,
      limits,
      signal,
      onStray: () => void this.#strays++,
      onNotice,
      onCommand: lane === null ? undefined : (tenant, sealed) => lane.arrived(tenant, sealed),
    });
    return onceFailed(() => this.#links.take(options, count), asHesError);
  }

  /** Commands and results go with the first flight; whoever cannot be reached is left alone for a while. */
  async #begin(connect: Connect, lane: CommandLane): Promise<HesError | null> {
    const { schedule } = this.#options;
    try {
      await connect();
      schedule.succeeded('head-end');
      lane.send();
      return null;
    } catch (error) {
      const failure = asHesError(error);
      if (failure.code !== 'ERR_UPLINK_ABORTED') schedule.failed('head-end');
      return failure;
    }
  }

  /** Until nothing is in hand over the connection that stands. */
  async #obeyed(lane: CommandLane): Promise<void> {
    for (let exchange = this.#links.current; exchange !== undefined; ) {
      const granted = await exchange.subscribed;
      if (!granted && exchange.failure === undefined) this.#options.counters.count('edge.subscribe.refused');
      await lane.idle();
      const { current } = this.#links;
      if (current === exchange) return;
      exchange = current;
    }
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
