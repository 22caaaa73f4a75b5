import { HesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { encodeUplinkAnswer } from '../../../protocol/uplink.ts';
import type { BusRequest, TenantBus } from '../../bus/port.ts';

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
  readonly requests: BusRequest[] = [];
  answer: Answerer = giveReceipt;
  closed = false;

  constructor(tenant: TenantId) {
    this.tenant = tenant;
  }

  async request(request: BusRequest, { deadlineMs }: { readonly deadlineMs: number }): Promise<Uint8Array> {
    this.requests.push(request);
    const { promise, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new HesError('ERR_BUS_TIMEOUT', 'no answer in time')), deadlineMs);
    try {
      return await Promise.race([this.answer(request), promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  serve(): Promise<{ stop(): Promise<void> }> {
    throw new Error('a front serves nothing yet');
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
