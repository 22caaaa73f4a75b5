import { type Downlink, type DownlinkAnswer, decodeDownlink } from '../../protocol/downlink.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { downTopic } from '../../protocol/topics.ts';
import { commandFrame } from './frames.ts';
import type { FrontLimits } from './limits.ts';
import { withNotice } from './notices.ts';
import type { Presence } from './presence.ts';
import type { Undelivered } from './reasons.ts';
import type { Session } from './session.ts';
import type { Tally } from './tally.ts';

export interface DownlinkRoad {
  readonly presence: Presence;
  readonly tally: Tally;
  readonly limits: Pick<FrontLimits, 'commandUnreadBytesMax'>;
}

/**
 * One command, from the desk of `tenant` to the socket of its device, or the question whether the device is there.
 *
 * Nothing is kept for a device that is not there, or does not read: whoever sent it hears so at once and keeps it.
 * The tenant is that of the bus that it came over, not anything that it says: a desk reaches only devices whose
 * certificate names its tenant, and which listen for it.
 */
export function carryDownlink(
  road: DownlinkRoad,
  tenant: TenantId,
  { device, body }: { readonly device: DeviceId; readonly body: Uint8Array },
): DownlinkAnswer {
  const downlink = read(body);
  if (downlink === undefined) return undelivered(road, 'malformed', tenant);
  const session = road.presence.find(downlink.home, device);
  const reason = session === undefined ? 'not-connected' : refusalOf(session, tenant);
  if (reason !== undefined) return undelivered(road, reason, tenant);
  const { socket } = session!;
  const { sealed, notice } = downlink;
  if (socket.writableLength + sealed.length > road.limits.commandUnreadBytesMax)
    return undelivered(road, 'busy', tenant);
  if (sealed.length === 0) return { kind: 'present' };
  const frame = commandFrame(downTopic(tenant, device, 'command'), sealed);
  socket.write(withNotice(session!, { tenant, device }, notice, frame));
  road.tally.commanded(tenant);
  return { kind: 'written' };
}

/** Why a session gets nothing from this tenant. */
function refusalOf(session: Session, tenant: TenantId): Undelivered | undefined {
  if (session.ending || !session.socket.writable) return 'ending';
  if (!session.speaksFor(tenant)) return 'stranger';
  return session.listensTo(tenant) ? undefined : 'not-listening';
}

function undelivered({ tally }: DownlinkRoad, reason: Undelivered, tenant: TenantId): DownlinkAnswer {
  tally.undelivered(reason, tenant);
  return { kind: reason === 'busy' ? 'busy' : 'absent' };
}

/** What the front cannot read was certainly not given to anybody. */
function read(body: Uint8Array): Downlink | undefined {
  try {
    return decodeDownlink(body);
  } catch (error) {
    if (isHesError(error, 'ERR_DOWNLINK')) return undefined;
    throw error;
  }
}
