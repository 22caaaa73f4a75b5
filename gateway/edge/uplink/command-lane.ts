import type { HesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { WakeSchedule } from '../schedule.ts';
import { asHesError } from './deliver.ts';
import type { Exchange, Outgoing } from './exchange.ts';

/** A result or a report that waits: sealed for each attempt anew. */
export interface Parcel {
  readonly owner: TenantId;
  /** Its own among all of a device. */
  readonly name: string;
  /** @throws ERR_TRUST_*, ERR_EDGE_OWNER, ERR_RESULT_*, ERR_ENVELOPE_* */
  seal(): Outgoing;
  /** Its receipt is there, and says so. */
  settle(verdict: 'delivered' | 'duplicate' | 'refused'): Promise<void>;
}

/** A device under command, as the uplink sees it. */
export interface Commanded {
  /** Nothing may be sent at all. */
  readonly silent: boolean;
  /** Nothing but results may be sent. */
  readonly speaksOfResultsOnly: boolean;
  /** What waits, in the order in which it is to be sent. */
  parcels(): readonly Parcel[];
  receive(tenant: TenantId, sealed: Uint8Array): Promise<void>;
  /** The connection is over. */
  release(): void;
}

/**
 * Commands of one device that may be under way at once: a desk has one in flight, and a device has a home and a few
 * guests. What a head-end sends beyond it is let go; the desk that sent it hears nothing, and says so.
 */
export const COMMANDS_WAITING_MAX = 8;

export interface LaneOptions {
  readonly commanded: Commanded;
  readonly schedule: WakeSchedule;
  readonly log: Log;
  readonly counters: Counters;
  /** The end of the device. */
  readonly signal: AbortSignal;
  /** The last thing that may be said was said and heard. */
  readonly silenced: () => void;
}

/**
 * Commands as they come, and their results as they are there, over whatever connection stands: beside the readings
 * of a wake, and between wakes where the connection is kept.
 */
export class CommandLane {
  readonly #options: LaneOptions;
  #exchange: Exchange | undefined;
  #receiving = 0;
  #sending = false;
  /** Asked for while it was sending. */
  #again = false;
  /** So that an end can be waited for. */
  readonly #tasks = new Set<Promise<void>>();
  #received = 0;
  #receipted = 0;

  constructor(options: LaneOptions) {
    this.#options = options;
  }

  /** Results and reports that may be sent at this moment. */
  due(): readonly Parcel[] {
    const { commanded, schedule } = this.#options;
    return commanded.parcels().filter(({ owner }) => schedule.isDue(`${owner} results`));
  }

  /** A connection stands: what waits goes over it. */
  attach(exchange: Exchange): void {
    this.#exchange = exchange;
    exchange.onClose(() => {
      if (this.#exchange !== exchange) return;
      this.#exchange = undefined;
      this.#options.commanded.release();
    });
    this.send();
  }

  arrived(tenant: TenantId, sealed: Uint8Array): void {
    const { commanded, counters } = this.#options;
    if (this.#receiving >= COMMANDS_WAITING_MAX) {
      counters.count('edge.command.dropped');
      return;
    }
    this.#received++;
    this.#receiving++;
    // The bytes are the library's, and are read after this call has returned.
    this.#run(async () => {
      try {
        await commanded.receive(tenant, sealed);
      } finally {
        this.#receiving--;
      }
      this.send();
    });
  }

  /** What was counted since it was asked last. */
  take(): { readonly commands: number; readonly results: number } {
    const taken = { commands: this.#received, results: this.#receipted };
    this.#received = 0;
    this.#receipted = 0;
    return taken;
  }

  /** Send what waits and is due. */
  send(): void {
    this.#again = this.#sending;
    if (this.#sending || this.#exchange === undefined) return;
    this.#sending = true;
    this.#run(async () => {
      try {
        await this.#sendAll();
      } finally {
        this.#sending = false;
      }
      // What was there too late to be seen.
      if (this.#again) this.send();
    });
  }

  /** Resolves when no command is being executed, and nothing that could be sent waits for its receipt. */
  async idle(): Promise<void> {
    while (this.#tasks.size > 0) await Promise.all(this.#tasks);
  }

  async #sendAll(): Promise<void> {
    const { commanded, schedule, signal, log, counters, silenced } = this.#options;
    for (;;) {
      const exchange = this.#exchange;
      const [parcel] = this.due();
      if (exchange === undefined || parcel === undefined) return;
      const peer = `${parcel.owner} results` as const;
      try {
        const receipt = await exchange.send(parcel.seal(), signal);
        counters.count(`edge.result.${receipt.verdict}`);
        if (receipt.verdict === 'later') schedule.later(peer, receipt.seconds);
        else {
          schedule.succeeded(peer);
          await parcel.settle(receipt.verdict);
          this.#receipted++;
          if (commanded.silent) silenced();
        }
      } catch (error) {
        const failure: HesError = asHesError(error);
        counters.count(`edge.result.failed.${failure.code}`);
        if (failure.code === 'ERR_UPLINK_ABORTED') return;
        log.warn({ err: failure, owner: parcel.owner }, 'a result has no receipt yet: it is sent again');
        schedule.failed(peer);
      }
    }
  }

  #run(work: () => Promise<void>): void {
    const task = work().finally(() => this.#tasks.delete(task));
    this.#tasks.add(task);
  }
}
