import {
  type DownlinkAnswer,
  decodeDeskAnswer,
  decodeDownlink,
  encodeAwake,
  encodeDownlinkAnswer,
} from '../../../protocol/downlink.ts';
import { HesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { BusHandler, BusRequest, BusSubject, TenantBus } from '../../bus/port.ts';

/** A front and a router on one bus, played by a test. */

export interface Sent {
  readonly device: DeviceId;
  readonly home: TenantId;
  /** Empty where it only asks whether the device is there. */
  readonly sealed: Uint8Array;
  readonly notice?: Uint8Array;
}

/** What the front does with a request: an answer, or the code of a failure of the bus. */
export type FrontBehaviour = (sent: Sent) => Promise<DownlinkAnswer['kind'] | `ERR_BUS_${string}`>;

export function fakeBus(tenant: TenantId, front: FrontBehaviour) {
  const handlers = new Map<BusSubject, BusHandler>();
  const sent: Sent[] = [];
  let behave = front;

  const bus: TenantBus = {
    tenant,
    async request({ device, body }: BusRequest) {
      const { home, sealed, notice } = decodeDownlink(body);
      const told = notice === undefined ? {} : { notice: Uint8Array.from(notice) };
      const asked = { device, home, sealed: Uint8Array.from(sealed), ...told };
      sent.push(asked);
      const answer = await behave(asked);
      if (answer.startsWith('ERR_BUS_')) throw new HesError(answer, 'as the test has it');
      return encodeDownlinkAnswer({ kind: answer as DownlinkAnswer['kind'] });
    },
    async serve(subject, handler) {
      handlers.set(subject, handler);
      return {
        async stop() {
          handlers.delete(subject);
        },
      };
    },
    async close() {},
  };

  const tell = async (subject: BusSubject, device: DeviceId, body: Uint8Array) => {
    const handler = handlers.get(subject);
    if (handler === undefined) throw new HesError('ERR_BUS_NO_RESPONDERS', 'nobody serves it');
    return decodeDeskAnswer(await handler({ subject, device, body }));
  };

  return {
    bus,
    sent,
    /** Commands, without questions whether somebody is there. */
    commands: () => sent.filter(({ sealed }) => sealed.length > 0),
    behaves(next: FrontBehaviour) {
      behave = next;
    },
    serves: () => [...handlers.keys()],
    awake: (device: DeviceId) => tell('desk.awake', device, encodeAwake({ home: tenant })),
    outcome: (device: DeviceId, signed: Uint8Array) => tell('desk.outcome', device, signed),
    report: (device: DeviceId, signed: Uint8Array) => tell('desk.report', device, signed),
  };
}
export type FakeBus = ReturnType<typeof fakeBus>;

/** Everybody is connected, and reads what is written. */
export const everybodyAwake: FrontBehaviour = async ({ sealed }) =>
  sealed.length === 0 ? 'present' : 'written';
export const nobodyAwake: FrontBehaviour = async () => 'absent';
