import type { Socket } from 'node:net';
import type { TenantId } from '../../../protocol/identity.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import { type BusFailure, busError, requestError } from '../errors.ts';
import type { BusHandler, BusRequest, BusSubject, TenantBus } from '../port.ts';
import { BUS_VERSION } from './frame.ts';
import { Groups, type Member } from './group.ts';
import { type HandledRequest, Handlers } from './handlers.ts';
import { HANDSHAKE_WITHIN_MS, type LocalBusLimits } from './limits.ts';
import { Link } from './link.ts';
import { type Outcome, PendingTable, type Settle } from './pending.ts';

/** The hub's side of one tenant: its peers, its queue groups, and the bus of the hub's own process. Knows no other tenant. */
export class TenantHub implements TenantBus {
  readonly tenant: TenantId;
  readonly #limits: LocalBusLimits;
  readonly #log: Log;
  readonly #counters: Counters;
  readonly #groups = new Groups();
  readonly #pending = new PendingTable();
  readonly #handlers: Handlers;
  readonly #links = new Set<Link>();
  /** Connections that have not yet said who they are. */
  readonly #strangers = new Set<Link>();
  readonly #self: Member;
  #closed = false;

  constructor(tenant: TenantId, limits: LocalBusLimits, log: Log, counters: Counters) {
    this.tenant = tenant;
    this.#limits = limits;
    this.#log = log;
    this.#counters = counters;
    this.#handlers = new Handlers(limits, log, counters);
    const self: Member = {
      outstanding: 0,
      available: true,
      request: (id, request) => this.#handlers.run(request, (outcome) => this.#answered(self, id, outcome)),
    };
    this.#self = self;
  }

  get inFlight(): number {
    return this.#pending.size;
  }

  get peers(): number {
    return this.#links.size;
  }

  request(request: BusRequest, { deadlineMs }: { readonly deadlineMs: number }): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#dispatch(request, deadlineMs, (outcome) => {
        if (typeof outcome === 'string') reject(requestError(outcome, request));
        else resolve(outcome);
      });
    });
  }

  async serve(subject: BusSubject, handler: BusHandler): Promise<{ stop(): Promise<void> }> {
    if (this.#closed) throw busError('ERR_BUS_CLOSED');
    this.#handlers.add(subject, handler);
    this.#groups.add(subject, this.#self);
    return {
      stop: () => {
        this.#groups.remove(subject, this.#self);
        return this.#handlers.remove(subject);
      },
    };
  }

  /** A new connection to this tenant's socket. */
  accept(socket: Socket): void {
    let greeted = false;
    const timer = setTimeout(() => link.cut('handshake'), HANDSHAKE_WITHIN_MS);
    const afterHello = (act: () => void): void => {
      if (greeted) act();
      else link.cut('unexpected');
    };
    const link: Link = new Link(
      socket,
      this.#limits,
      {
        hello: ({ version, tenant }) => {
          clearTimeout(timer);
          if (greeted) link.cut('unexpected');
          else if (version !== BUS_VERSION) link.refuse('version');
          else if (tenant !== this.tenant) link.refuse('tenant');
          else if (this.#closed || this.#links.size >= this.#limits.connectionsMax)
            link.refuse('connections');
          else {
            greeted = true;
            this.#strangers.delete(link);
            this.#links.add(link);
            link.welcome();
          }
        },
        serve: ({ subject }) =>
          afterHello(() => {
            this.#groups.add(subject, link);
            link.subject('served', subject);
          }),
        unserve: ({ subject }) =>
          afterHello(() => {
            this.#groups.remove(subject, link);
            link.subject('unserved', subject);
          }),
        request: (frame) =>
          afterHello(() =>
            this.#dispatch(frame, frame.deadlineMs, (outcome) => link.outcome(frame.id, outcome)),
          ),
        answer: ({ id, body }) => this.#answered(link, id, body),
        failed: ({ id, failure }) => this.#answered(link, id, failure),
      },
      (end, error) => {
        clearTimeout(timer);
        this.#counters.count(`bus.peer.${end}`);
        if (end === 'ended') this.#log.debug({ tenant: this.tenant }, 'a peer left the bus');
        else this.#log.warn({ tenant: this.tenant, end, err: error }, 'a peer was cut off the bus');
        this.#strangers.delete(link);
        this.#links.delete(link);
        this.#groups.removeAll(link);
        this.#pending.fail('ERR_BUS_DISCONNECTED', link);
      },
    );
    this.#strangers.add(link);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#pending.fail('ERR_BUS_CLOSED', this.#self);
    for (const link of this.#links) this.#pending.fail('ERR_BUS_CLOSED', link);
    this.#groups.removeAll(this.#self);
    await Promise.all(this.#handlers.subjects.map((subject) => this.#handlers.remove(subject)));
    for (const stranger of this.#strangers) stranger.cut('handshake');
    await Promise.all([...this.#links].map((link) => link.end()));
  }

  #dispatch(request: HandledRequest, deadlineMs: number, settle: Settle): void {
    const member = this.#choose(request);
    if (typeof member === 'string') {
      this.#counters.count(REFUSED[member]);
      settle(member);
      return;
    }
    const id = this.#pending.add(member, deadlineMs, settle);
    member.outstanding++;
    member.request(id, request, deadlineMs);
  }

  #choose({ subject, body }: HandledRequest): Member | Refused {
    if (this.#closed) return 'ERR_BUS_CLOSED';
    if (body.length > this.#limits.bodyBytesMax) return 'ERR_BUS_OVERSIZE';
    if (this.#pending.size >= this.#limits.inFlightMax) return 'ERR_BUS_OVERLOADED';
    return this.#groups.pick(subject);
  }

  #answered(member: Member, id: number, outcome: Outcome): void {
    if (member.outstanding > 0) member.outstanding--;
    if (!this.#pending.settle(id, member, outcome)) this.#counters.count('bus.late');
  }
}

/** Why a request was not even put to anybody, and where it is counted. */
const REFUSED = {
  ERR_BUS_CLOSED: 'bus.refused.closed',
  ERR_BUS_OVERSIZE: 'bus.refused.oversize',
  ERR_BUS_OVERLOADED: 'bus.refused.overloaded',
  ERR_BUS_NO_RESPONDERS: 'bus.refused.noResponders',
} as const satisfies Partial<Record<BusFailure, string>>;
type Refused = keyof typeof REFUSED;
