import { sealCommand } from '../../../protocol/command/sealed.ts';
import { type DownlinkAnswer, decodeDownlinkAnswer, encodeDownlink } from '../../../protocol/downlink.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { RecipientKey } from '../../../protocol/sealing.ts';
import type { TenantBus } from '../../bus/port.ts';

/** The way from a desk to a device: what is sealed to it goes to the front that it is connected to, or to nobody. */

/**
 * `unreached`: certainly not on its way. `unsure`: nobody can say, such as when a front was killed while it wrote.
 */
export type RoadAnswer = DownlinkAnswer['kind'] | 'unreached' | 'unsure';

/** Ends of a request that never left this side, or met nobody. */
const UNREACHED = ['ERR_BUS_NO_RESPONDERS', 'ERR_BUS_OVERLOADED', 'ERR_BUS_OVERSIZE'];

const NOTHING = new Uint8Array(0);

export interface Addressee {
  readonly device: DeviceId;
  readonly home: TenantId;
}

export interface Road {
  probe(to: Addressee): Promise<RoadAnswer>;
  send(to: Addressee & { readonly recipient: RecipientKey }, signed: Uint8Array): Promise<RoadAnswer>;
}

/** @param notice what devices are told before each command: who was revoked, and which office may command */
export function createRoad(
  bus: TenantBus,
  deadlineMs: number,
  notice: () => Uint8Array | undefined = () => undefined,
): Road {
  const { tenant } = bus;
  async function ask({ device, home }: Addressee, sealed: Uint8Array): Promise<RoadAnswer> {
    const told = sealed.length === 0 ? undefined : notice();
    const body = encodeDownlink({ home, sealed, ...(told === undefined ? {} : { notice: told }) });
    try {
      const answer = await bus.request({ subject: 'down.command', device, body }, { deadlineMs });
      return decodeDownlinkAnswer(answer).kind;
    } catch (error) {
      if (!isHesError(error)) throw error;
      return UNREACHED.includes(error.code) ? 'unreached' : 'unsure';
    }
  }
  return {
    probe: (to) => ask(to, NOTHING),
    send: ({ device, home, recipient }, signed) =>
      ask({ device, home }, sealCommand({ signed, binding: { tenant, device }, recipient })),
  };
}
