import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { decodeUplinkAnswer, type UplinkAnswer } from '../../../protocol/uplink.ts';
import type { BusHandler, BusSubject, TenantBus } from '../../bus/port.ts';

/** A bus within one process, for tests of what serves on it. */
export class InProcessBus implements TenantBus {
  readonly tenant: TenantId;
  readonly #handlers = new Map<BusSubject, BusHandler>();
  readonly #running = new Set<Promise<unknown>>();

  constructor(tenant: TenantId) {
    this.tenant = tenant;
  }

  request(request: { subject: BusSubject; device: DeviceId; body: Uint8Array }): Promise<Uint8Array> {
    const handler = this.#handlers.get(request.subject);
    if (handler === undefined) return Promise.reject(new Error('nobody serves this'));
    const running = handler(request);
    this.#running.add(running);
    return running.finally(() => this.#running.delete(running));
  }

  async ask(subject: BusSubject, device: DeviceId, body: Uint8Array): Promise<UplinkAnswer> {
    return decodeUplinkAnswer(await this.request({ subject, device, body }));
  }

  serve(subject: BusSubject, handler: BusHandler): Promise<{ stop(): Promise<void> }> {
    this.#handlers.set(subject, handler);
    return Promise.resolve({
      stop: async () => {
        this.#handlers.delete(subject);
        await Promise.allSettled(this.#running);
      },
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
