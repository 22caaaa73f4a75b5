import type { IdentityPort } from '../../gateway/edge/device-options.ts';
import { nodeFiles } from '../../gateway/edge/outbox/files.ts';
import { Plans } from '../../gateway/edge/renewal/plan.ts';
import { Renewal } from '../../gateway/edge/renewal/renewal.ts';
import { estRenewalServer, type RenewalServer } from '../../gateway/edge/renewal/server.ts';
import { type Clock, systemClock } from '../../gateway/runtime/clock.ts';
import type { Counters } from '../../gateway/runtime/counters.ts';
import type { Log } from '../../gateway/runtime/log.ts';
import type { Random } from '../../gateway/runtime/random.ts';
import { type DeviceId, isTenantId, type TenantId } from '../../protocol/identity.ts';

export interface FleetRenewalsOptions {
  /** By home tenant, `https://host:port` of its EST. */
  readonly servers: Readonly<Record<string, string>>;
  readonly servername?: string | undefined;
  readonly random: Random;
  readonly log: Log;
  readonly counters: Counters;
  /** The real one: certificates do not live on simulated time. */
  readonly clock?: Clock;
}

/**
 * Each device is looked at so often, whether one of its keys is due or was left pending by a process that was killed.
 * Ten thousand cost three looks a second, of a millisecond each, and no timer of their own.
 */
const ROUND_SECONDS = 3_600;
/** One that has a plan beside its identity is looked at each second for so long: until that is carried out and over. */
const ATTENTIVE_SECONDS = 180;

/** The renewals of a fleet's keys: a plan and a server for each device, and one round over all that are open. */
export class FleetRenewals {
  readonly #options: FleetRenewalsOptions;
  readonly #servers: ReadonlyMap<TenantId, RenewalServer>;
  readonly #open = new Map<DeviceId, Renewal>();
  #round: IterableIterator<Renewal> = this.#open.values();
  readonly #attentive = new Map<DeviceId, number>();
  /** Looks that the round owes, in parts of a second of it. */
  #owed = 0;

  constructor(options: FleetRenewalsOptions) {
    this.#options = options;
    const { servername } = options;
    this.#servers = new Map(
      Object.entries(options.servers).flatMap(([tenant, url]) =>
        isTenantId(tenant) ? [[tenant, estRenewalServer({ url, servername })] as const] : [],
      ),
    );
  }

  /** Null where nobody serves its home. */
  open(
    identity: IdentityPort,
    { home, file }: { readonly home: TenantId; readonly file: string },
  ): Renewal | null {
    const server = this.#servers.get(home);
    if (server === undefined) return null;
    const { random, log, counters, clock = systemClock } = this.#options;
    const renewal = new Renewal({
      file,
      identity,
      server,
      development: true,
      clock,
      random,
      log,
      counters,
      // The round spreads them already.
      limits: { startSpreadMs: 0 },
    });
    this.#open.set(identity.device, renewal);
    const attend = (): void => void this.#attentive.set(identity.device, ATTENTIVE_SECONDS);
    renewal.onRenewed(attend);
    if (new Plans(file, identity.device, nodeFiles).names().length > 0) attend();
    return renewal;
  }

  /** Its identity changed: where a notice named another issuing CA, its keys may be due at once. */
  attend(device: DeviceId): void {
    const renewal = this.#open.get(device);
    if (renewal === undefined) return;
    renewal.lookAgain();
    this.#attentive.set(device, ATTENTIVE_SECONDS);
  }

  async close(device: DeviceId): Promise<void> {
    const renewal = this.#open.get(device);
    this.#open.delete(device);
    this.#attentive.delete(device);
    await renewal?.close();
  }

  /** A second has passed. */
  tick(): void {
    this.#owed += this.#open.size;
    for (; this.#owed >= ROUND_SECONDS; this.#owed -= ROUND_SECONDS) this.#next()?.tick();
    for (const [device, seconds] of this.#attentive) {
      this.#open.get(device)?.tick();
      if (seconds > 1) this.#attentive.set(device, seconds - 1);
      else this.#attentive.delete(device);
    }
  }

  #next(): Renewal | undefined {
    const next = this.#round.next();
    if (next.done !== true) return next.value;
    this.#round = this.#open.values();
    return this.#round.next().value;
  }
}
