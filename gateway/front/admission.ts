import type { ConnectPacket, PublishPacket, Subscription } from 'aedes';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { parseTopic, type Topic } from '../../protocol/topics.ts';
import type { FrontLimits } from './limits.ts';
import type { Refusal } from './reasons.ts';
import type { ConnackCode, Session } from './session.ts';

/** MQTT 3.1.1 §3.1.2.2: protocol level 4. Level 3 is MQTT 3.1, level 5 is MQTT 5. */
const PROTOCOL_LEVEL = 4;

interface ConnectRule {
  readonly reason: Refusal;
  readonly code: ConnackCode;
  readonly breaks: (packet: ConnectPacket, session: Session, limits: ConnectLimits) => boolean;
}
type ConnectLimits = Pick<FrontLimits, 'keepaliveSecondsMax'>;

/** What CONNECT must not be, in the order in which it is looked at: the first that fits is the reason. */
const CONNECT_RULES: readonly ConnectRule[] = [
  {
    reason: 'version',
    code: 1,
    breaks: (packet) => packet.protocolVersion !== PROTOCOL_LEVEL || 'bridgeMode' in packet,
  },
  {
    reason: 'client-id',
    code: 2,
    // Client ids are global to a broker instance: a wrong one could throw another meter out.
    breaks: (packet, session) => packet.clientId !== session.identity.device,
  },
  {
    reason: 'credentials',
    code: 4,
    breaks: (packet) => packet.username !== undefined || packet.password !== undefined,
  },
  { reason: 'session-kept', code: 5, breaks: (packet) => packet.clean !== true },
  // Wills pass the publish hook of the library, at times without a client: none is ever let in.
  { reason: 'will', code: 5, breaks: (packet) => packet.will !== undefined },
  {
    reason: 'keepalive',
    code: 5,
    breaks: ({ keepalive }, _session, limits) =>
      keepalive === undefined || keepalive === 0 || keepalive > limits.keepaliveSecondsMax,
  },
];

/** Why a CONNECT is refused, or undefined where it may pass. */
export function judgeConnect(
  packet: ConnectPacket,
  session: Session,
  limits: ConnectLimits,
): Pick<ConnectRule, 'reason' | 'code'> | undefined {
  return CONNECT_RULES.find((rule) => rule.breaks(packet, session, limits));
}

export type UpTopic = Extract<Topic, { direction: 'up' }>;

/** The topic that a device may publish to, or why not. `serves` says which tenants this front carries for. */
export function judgePublish(
  packet: PublishPacket,
  session: Session,
  serves: (tenant: TenantId) => boolean,
): UpTopic | Refusal {
  if (packet.retain) return 'retain';
  if (packet.qos === 0) return 'qos-0';
  if (packet.qos === 2) return 'qos-2';
  const topic = judgeTopic(packet.topic, session, serves);
  if (typeof topic === 'string') return topic;
  return topic.direction === 'up' ? topic : 'direction';
}

export type DownTopic = Extract<Topic, { direction: 'down' }>;

/** The topic that a device may subscribe to, or why not: only its own exact downward topics. */
export function judgeSubscribe(
  { topic: filter, qos }: Subscription,
  session: Session,
  serves: (tenant: TenantId) => boolean,
): DownTopic | Refusal {
  if (qos === 2) return 'qos-2';
  const topic = judgeTopic(filter, session, serves);
  if (typeof topic === 'string') return topic;
  return topic.direction === 'down' ? topic : 'direction';
}

const SHARE = '$share/';

function judgeTopic(text: string, session: Session, serves: (tenant: TenantId) => boolean): Topic | Refusal {
  let topic: Topic;
  try {
    topic = parseTopic(text);
  } catch (error) {
    if (isHesError(error, 'ERR_TOPIC')) return judgeStrangeTopic(text);
    throw error;
  }
  if (topic.device !== session.identity.device) return 'device';
  if (!session.speaksFor(topic.tenant) || !serves(topic.tenant)) return 'tenant';
  return topic;
}

/** What is wrong with a topic that is none of ours: only for the count. */
function judgeStrangeTopic(text: string): Refusal {
  if (text.startsWith(SHARE)) return 'share';
  if (text.startsWith('$')) return 'sys';
  return /[+#]/.test(text) ? 'wildcard' : 'topic';
}
