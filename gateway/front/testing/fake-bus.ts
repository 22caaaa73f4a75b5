import { HesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { encodeUplinkAnswer } from '../../../protocol/uplink.ts';
import type { BusHandler, BusRequest, BusSubject, TenantBus } from '../../bus/port.ts';

export type Answerer = (request: BusRequest) => Promise<Uint8Array> | Uint8Array;

/** What a receipt looks like to a front that cannot read it. */
export const RECEIPT = Uint8Array.from({ length: 90 }, (_, i) => i);

export const giveReceipt: Answerer = () => encodeUplinkAnswer({ kind: 'receipt', receipt: RECEIPT });

/** Never answers: a router that stands still. */
export const standStill: Answerer = () => new Promise(() => undefined);

export const fail =
  (code: string): Answerer =>
  () =>
    Promise.reject(new HesError(code, 'as the test wants it'));

/** One tenant's bus as the port describes it, with the router's part played by the test. */
export class FakeBus implements TenantBus {
  readonly tenant: TenantId;
  /** Those of devices' messages; `notices` are the desk's. */
  readonly requests: BusRequest[] = [];
  readonly notices: BusRequest[] = [];
  answer: Answerer = giveReceipt;
  /** No desk, unless the test plays one. */
  desk: Answerer = fail('ERR_BUS_NO_RESPONDERS');
  closed = false;

  constructor(tenant: TenantId) {
    this.tenant = tenant;
  }

  async request(request: BusRequest, { deadlineMs }: { readonly deadlineMs: number }): Promise<Uint8Array> {
    const forDesk = request.subject === 'desk.awake';
    (forDesk ? this.notices : this.requests).push(request);
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new HesError('ERR_BUS_TIMEOUT', 'no answer in time')), deadlineMs);
    try {
      return await Promise.race([forDesk ? this.desk(request) : this.answer(request), promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  readonly #served = new Map<BusSubject, BusHandler>();

  async serve(subject: BusSubject, handler: BusHandler): Promise<{ stop(): Promise<void> }> {
    this.#served.set(subject, handler);
    return { stop: async () => void this.#served.delete(subject) };
  }

  /** What the desk of the tenant asks of the front. */
  ask(subject: BusSubject, device: DeviceId, body: Uint8Array): Promise<Uint8Array> {
    return this.#served.get(subject)!({ subject, device, body });
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
