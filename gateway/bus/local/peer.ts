import { connect, type Socket } from 'node:net';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { type Backoff, backoff } from '../../runtime/backoff.ts';
import { Counters } from '../../runtime/counters.ts';
import { type Log, silentLog } from '../../runtime/log.ts';
import { type Random, systemRandom } from '../../runtime/random.ts';
import { busError, requestError } from '../errors.ts';
import type { BusHandler, BusRequest, BusSubject, TenantBus } from '../port.ts';
import { Handlers } from './handlers.ts';
import { HANDSHAKE_WITHIN_MS, LOCAL_BUS_LIMITS, type LocalBusLimits, RECONNECT } from './limits.ts';
import { type FrameHandlers, Link, type LinkEnd } from './link.ts';
import { checkDirectory, checkSocket, codeOf, socketPath } from './paths.ts';
import { type Outcome, PendingTable } from './pending.ts';

export interface LocalBusOptions {
  readonly directory: string;
  readonly tenant: TenantId;
  readonly limits?: Partial<LocalBusLimits>;
  readonly log?: Log;
  readonly counters?: Counters;
  readonly random?: Random;
  /** How to reach a socket: passed in by tests that cut the line. */
  readonly dial?: (path: string) => Socket;
}

/**
 * One tenant's bus, from a process other than the hub's. It connects, and reconnects with backoff, by itself: hub
 * and peers may start, die and return in any order. Without a connection, requests fail at once.
 * @throws ERR_BUS_PATH; ERR_BUS_DIRECTORY where folder or socket exist and are not this user's alone
 */
export function connectLocalBus(options: LocalBusOptions): TenantBus {
  return new PeerBus(options);
}

class PeerBus implements TenantBus {
  readonly tenant: TenantId;
  readonly #directory: string;
  readonly #path: string;
  readonly #limits: LocalBusLimits;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #dial: (path: string) => Socket;
  readonly #backoff: Backoff;
  readonly #pending = new PendingTable();
  readonly #handlers: Handlers;
  /** What this side serves; each waits for the hub's word that requests can arrive. */
  readonly #serving = new Map<BusSubject, PromiseWithResolvers<void>>();
  /** What it no longer serves; each waits for the hub's word that nothing more will arrive. */
  readonly #unserving = new Map<BusSubject, PromiseWithResolvers<void>>();
  /** The connection once it is welcome. */
  #link: Link | undefined;
  /** The connection in any state, or the wait for the next. */
  #attempt: Link | undefined;
  #retry: NodeJS.Timeout | undefined;
  #complained: string | undefined;
  #closed = false;

  constructor({ directory, tenant, limits, log, counters, random, dial }: LocalBusOptions) {
    this.tenant = tenant;
    this.#directory = directory;
    this.#path = socketPath(directory, tenant);
    this.#limits = { ...LOCAL_BUS_LIMITS, ...limits };
    this.#log = log ?? silentLog;
    this.#counters = counters ?? new Counters();
    this.#dial = dial ?? ((path) => connect(path));
    this.#backoff = backoff({ ...RECONNECT, random: random ?? systemRandom });
    this.#handlers = new Handlers(this.#limits, this.#log, this.#counters);
    this.#counters.gauge('bus.inFlight', () => this.#pending.size);
    this.#counters.gauge('bus.connected', () => (this.#link === undefined ? 0 : 1));
    const fault = this.#credentialFault();
    if (isHesError(fault)) throw fault;
    this.#connect();
  }

  request(request: BusRequest, { deadlineMs }: { readonly deadlineMs: number }): Promise<Uint8Array> {
    const link = this.#link;
    if (this.#closed) return Promise.reject(requestError('ERR_BUS_CLOSED', request));
    if (request.body.length > this.#limits.bodyBytesMax)
      return Promise.reject(requestError('ERR_BUS_OVERSIZE', request));
    if (link === undefined) return Promise.reject(requestError('ERR_BUS_DISCONNECTED', request));
    if (this.#pending.size >= this.#limits.inFlightMax || !link.available) {
      this.#counters.count('bus.overloaded');
      return Promise.reject(requestError('ERR_BUS_OVERLOADED', request));
    }
    return new Promise((resolve, reject) => {
      const id = this.#pending.add(link, deadlineMs, (outcome) => {
        if (typeof outcome === 'string') reject(requestError(outcome, request));
        else resolve(outcome);
      });
      link.request(id, request, deadlineMs);
    });
  }

  async serve(subject: BusSubject, handler: BusHandler): Promise<{ stop(): Promise<void> }> {
    if (this.#closed) throw busError('ERR_BUS_CLOSED');
    this.#handlers.add(subject, handler);
    const served = Promise.withResolvers<void>();
    this.#serving.set(subject, served);
    this.#link?.subject('serve', subject);
    await served.promise;
    return { stop: () => this.#stopServing(subject) };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#retry);
    for (const served of this.#serving.values()) served.reject(busError('ERR_BUS_CLOSED'));
    this.#pending.fail('ERR_BUS_CLOSED');
    await Promise.all([...this.#serving.keys()].map((subject) => this.#stopServing(subject)));
    await this.#attempt?.end();
  }

  /** First the hub stops sending, then what came before ends; so no request falls between the two. */
  async #stopServing(subject: BusSubject): Promise<void> {
    if (!this.#serving.delete(subject)) return;
    if (this.#link !== undefined) {
      const unserved = Promise.withResolvers<void>();
      this.#unserving.set(subject, unserved);
      this.#link.subject('unserve', subject);
      const timer = setTimeout(unserved.resolve, this.#limits.drainMs);
      await unserved.promise;
      clearTimeout(timer);
    }
    await this.#handlers.remove(subject);
  }

  #connect(): void {
    const fault = this.#credentialFault();
    if (fault === undefined) this.#open();
    else this.#retryLater(fault);
  }

  #open(): void {
    const socket = this.#dial(this.#path);
    const timer = setTimeout(() => link.cut('handshake'), HANDSHAKE_WITHIN_MS);
    const link: Link = new Link(
      socket,
      this.#limits,
      this.#frames(() => link, timer),
      (end, error) => {
        clearTimeout(timer);
        this.#ended(link, end, error);
      },
    );
    this.#attempt = link;
    socket.once('connect', () => link.hello(this.tenant));
  }

  #frames(link: () => Link, timer: NodeJS.Timeout): FrameHandlers {
    return {
      welcome: () => {
        clearTimeout(timer);
        this.#link = link();
        this.#backoff.reset();
        this.#complained = undefined;
        this.#log.info({ tenant: this.tenant }, 'connected to the bus');
        for (const subject of this.#serving.keys()) this.#link.subject('serve', subject);
      },
      refused: ({ reason }) => {
        this.#complain(busError('ERR_BUS_REFUSED', `the hub refused the connection (${reason})`));
      },
      served: ({ subject }) => this.#serving.get(subject)?.resolve(),
      unserved: ({ subject }) => {
        this.#unserving.get(subject)?.resolve();
        this.#unserving.delete(subject);
      },
      request: (frame) => {
        // The answer goes back on this connection or not at all: on the next one its number means another request.
        const from = link();
        this.#handlers.run(frame, (outcome) => from.outcome(frame.id, outcome));
      },
      answer: ({ id, body }) => this.#answered(link(), id, body),
      failed: ({ id, failure }) => this.#answered(link(), id, failure),
    };
  }

  #answered(link: Link, id: number, outcome: Outcome): void {
    if (!this.#pending.settle(id, link, outcome)) this.#counters.count('bus.late');
  }

  #ended(link: Link, end: LinkEnd, error: Error | undefined): void {
    const wasUp = this.#link === link;
    this.#link = undefined;
    this.#attempt = undefined;
    this.#pending.fail('ERR_BUS_DISCONNECTED', link);
    for (const { resolve } of this.#unserving.values()) resolve();
    this.#unserving.clear();
    if (this.#closed) return;
    this.#counters.count(`bus.link.${end}`);
    if (wasUp) this.#log.warn({ tenant: this.tenant, end, err: error }, 'the bus is gone; reconnecting');
    this.#retryLater(wasUp ? undefined : error);
  }

  #retryLater(fault: Error | undefined): void {
    if (fault !== undefined && !ABSENT.includes(codeOf(fault))) this.#complain(fault);
    this.#retry = setTimeout(() => this.#connect(), this.#backoff.nextMs());
  }

  /** The same complaint is made once, not at every attempt. */
  #complain(fault: Error): void {
    if (this.#complained === fault.message) return;
    this.#complained = fault.message;
    this.#log.error({ tenant: this.tenant, err: fault }, 'the bus cannot be reached');
  }

  /** What is wrong with folder or socket, where it exists: nobody but this user may have made them. */
  #credentialFault(): Error | undefined {
    try {
      checkDirectory(this.#directory);
      checkSocket(this.#path);
      return undefined;
    } catch (error) {
      return error as Error;
    }
  }
}

/** No hub at the moment: no reason to complain. */
const ABSENT: readonly string[] = ['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE'];
