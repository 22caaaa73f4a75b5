import type { DeviceId, TenantId } from '../../protocol/identity.ts';

/**
 * How front, router and desk talk: request and reply within one tenant, with a deadline.
 * Two implementations under the same contract tests: `local` here, `nats` to come.
 */

/**
 * What a request is about; an implementation may make it part of an address (NATS: `up.index`). Routers serve `up.…`,
 * fronts `down.…`, desks `desk.…`. The order is the code on the local wire: append only.
 */
export const BUS_SUBJECTS = [
  'up.index',
  'up.event',
  'up.result',
  'down.command',
  'desk.awake',
  'desk.outcome',
  'desk.report',
] as const;
export type BusSubject = (typeof BUS_SUBJECTS)[number];

export interface BusRequest {
  readonly subject: BusSubject;
  readonly device: DeviceId;
  readonly body: Uint8Array;
}

/** Answers one request. A rejection reaches the requester as ERR_BUS_HANDLER, without its message. */
export type BusHandler = (request: BusRequest) => Promise<Uint8Array>;

/** One tenant's side of the bus. There is no call that names another tenant. */
export interface TenantBus {
  readonly tenant: TenantId;

  /**
   * Ask whoever serves the subject: one member of the tenant's group answers.
   * @throws ERR_BUS_NO_RESPONDERS at once when nobody serves it; ERR_BUS_TIMEOUT at the deadline;
   *   ERR_BUS_OVERLOADED when the bound on requests in flight is reached; ERR_BUS_DISCONNECTED when the
   *   responder went away before answering; ERR_BUS_HANDLER when its handler failed; ERR_BUS_OVERSIZE when the
   *   body is larger than the bus carries; ERR_BUS_CLOSED.
   * The body must stay as it is until the answer is there: it may be on its way without having been copied.
   */
  request(request: BusRequest, options: { readonly deadlineMs: number }): Promise<Uint8Array>;

  /**
   * Serve a subject as one of the tenant's group, until `stop`, which lets running requests end first.
   * Resolves when requests can arrive: where the carrier is not up yet, when it is; ERR_BUS_CLOSED when closed before.
   * A carrier that went away and came back is told again.
   * @throws ERR_BUS_SERVED when this side serves the subject already
   */
  serve(subject: BusSubject, handler: BusHandler): Promise<{ stop(): Promise<void> }>;

  /** Take nothing new, let running handlers end and their answers leave; own requests fail with ERR_BUS_CLOSED. */
  close(): Promise<void>;
}
