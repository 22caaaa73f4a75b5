import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { downTopic } from '../../protocol/topics.ts';
import { decodeUplinkAnswer, type UplinkAnswer } from '../../protocol/uplink.ts';
import type { TenantBus } from '../bus/port.ts';
import type { UpTopic } from './admission.ts';
import { receiptFrames } from './frames.ts';
import type { HeldMessages } from './held.ts';
import { withNotice } from './notices.ts';
import type { Unanswered } from './reasons.ts';
import type { Session } from './session.ts';
import type { Tally } from './tally.ts';

export interface UplinkRoad {
  readonly buses: ReadonlyMap<TenantId, TenantBus>;
  readonly held: HeldMessages;
  readonly tally: Tally;
  readonly answerTimeoutMs: number;
}

export interface UplinkMessage {
  readonly sealed: Uint8Array;
  /** The packet identifier that its PUBACK names. */
  readonly messageId: number;
  /** Called when its PUBACK is written, and only then. */
  readonly acknowledged: () => void;
}

/**
 * One message of a device, from the publish hook to its PUBACK.
 *
 * The PUBACK is held until the owner's router has answered, and the receipt goes out before it, in
 * the same write. Whatever else happens there is no PUBACK: the connection ends, the device keeps the message.
 */
export async function carryUplink(
  road: UplinkRoad,
  session: Session,
  topic: UpTopic,
  message: UplinkMessage,
): Promise<void> {
  const { tenant: owner, kind } = topic;
  if (session.ending) return road.tally.unanswered('ending', owner);
  const bound = road.held.take(session, owner, kind);
  if (bound !== undefined) return session.withhold(bound, owner);
  try {
    const answer = await askRouter(road, topic, message.sealed);
    if (session.ended) return;
    if (typeof answer === 'string') return session.withhold(answer, owner);
    giveReceipt(session, topic, answer, message);
    road.tally.receipted(owner);
  } finally {
    road.held.release(session, owner, kind);
  }
}

type Answered = Extract<UplinkAnswer, { readonly kind: 'receipt' }>;

/** The receipt of the owner's router, or why there is none. */
async function askRouter(
  { buses, answerTimeoutMs }: UplinkRoad,
  { tenant, device, kind }: UpTopic,
  sealed: Uint8Array,
): Promise<Answered | Unanswered> {
  try {
    const request = { subject: `up.${kind}`, device, body: sealed } as const;
    const bytes = await buses.get(tenant)!.request(request, { deadlineMs: answerTimeoutMs });
    const answer = decodeUplinkAnswer(bytes);
    return answer.kind === 'receipt' ? answer : `router-${answer.reason}`;
  } catch (error) {
    return (isHesError(error) ? UNANSWERED_BY_CODE[error.code] : undefined) ?? 'failed';
  }
}

const UNANSWERED_BY_CODE: Readonly<Record<string, Unanswered>> = {
  ERR_BUS_NO_RESPONDERS: 'no-responders',
  ERR_BUS_TIMEOUT: 'timeout',
  ERR_BUS_OVERLOADED: 'overloaded',
  ERR_BUS_DISCONNECTED: 'disconnected',
  ERR_BUS_HANDLER: 'handler',
  ERR_BUS_CLOSED: 'closed',
  ERR_ANSWER: 'answer',
};

/**
 * The notice where there is one, then the receipt, then the PUBACK: a device that has the PUBACK has the receipt. Both go straight to the socket of this
 * device, so no subscription is needed and nothing else can receive them; in one write they are one TLS record.
 */
function giveReceipt(
  session: Session,
  { tenant, device }: UpTopic,
  { receipt, notice }: Answered,
  { messageId, acknowledged }: UplinkMessage,
): void {
  const frames = receiptFrames(downTopic(tenant, device, 'receipt'), receipt, messageId);
  session.socket.write(withNotice(session, { tenant, device }, notice, frames));
  acknowledged();
}
