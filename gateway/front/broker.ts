import { Aedes, type Client, type ConnectPacket, type PublishPacket, type Subscription } from 'aedes';
import { isHesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { parseTopic } from '../../protocol/topics.ts';
import { judgeConnect, judgePublish, judgeSubscribe } from './admission.ts';
import type { AwakeNotices } from './awake.ts';
import type { FrontLimits } from './limits.ts';
import { nullEmitter, nullPersistence } from './null-persistence.ts';
import type { Presence } from './presence.ts';
import type { Ending, Refusal } from './reasons.ts';
import type { Session } from './session.ts';
import type { Tally } from './tally.ts';
import { carryUplink, type UplinkRoad } from './uplink.ts';

/** The library's housekeeping for clusters and wills, of which there are none here. */
const HEARTBEAT_MS = 3_600_000;

/** Packets that may wait for the CONNACK: CONNECT and the first publishes come in one flight. */
const QUEUE_MAX = 42;

/** The deepest topic of ours has five levels; anything near this is refused as no topic of ours. */
const TOPIC_LEVELS_MAX = 16;

/** Frames of a SUBACK that says no to one filter (MQTT 3.1.1 §3.9.3): the library reads null as 0x80. */
const NOT_GRANTED = null;

export interface BrokerContext {
  readonly limits: FrontLimits;
  readonly presence: Presence;
  readonly tally: Tally;
  readonly road: UplinkRoad;
  readonly notices: AwakeNotices;
}

type Callback = (error?: Error) => void;

/**
 * The broker library with its fan-out taken out: readings leave in the publish hook, receipts and commands are
 * written to their one device, and `$SYS` messages would be work per connection that nobody reads.
 */
class DoorAedes extends Aedes {
  override publish(_packet: PublishPacket, ...rest: [Callback?] | [Client | null, Callback?]): void {
    const done = rest.at(-1);
    if (typeof done === 'function') done();
  }
}

/** One tenant's broker instance: what one tenant's devices can do to it, they do to their own tenant only. */
export class TenantBroker {
  readonly #aedes: Aedes;
  readonly #sessions = new WeakMap<Client['conn'], Session>();
  readonly #context: BrokerContext;

  private constructor(home: TenantId, context: BrokerContext) {
    const { limits } = context;
    this.#context = context;
    this.#aedes = new DoorAedes({
      id: `front-${home}`,
      persistence: nullPersistence,
      mq: nullEmitter,
      heartbeatInterval: HEARTBEAT_MS,
      connectTimeout: limits.connectTimeoutMs,
      drainTimeout: limits.drainTimeoutMs,
      keepaliveLimit: limits.keepaliveSecondsMax,
      queueLimit: QUEUE_MAX,
      maxTopicLevels: TOPIC_LEVELS_MAX,
      preConnect: (client, packet, done) => this.#connect(client, packet, () => done(null, true)),
      authorizePublish: (client, packet, done) => this.#publish(client, packet, done),
      authorizeSubscribe: (client, subscription, done) => this.#subscribe(client, subscription, done),
    });
    this.#aedes.on('unsubscribe', (filters, client) => this.#unsubscribed(client, filters));
    this.#aedes.on('connectionError', (client, error) => this.#failed(client, error));
    this.#aedes.on('clientError', (client, error) => this.#failed(client, error));
  }

  static async open(home: TenantId, context: BrokerContext): Promise<TenantBroker> {
    const broker = new TenantBroker(home, context);
    await broker.#aedes.listen();
    return broker;
  }

  /** Speak MQTT with a device whose identity is known. */
  take(session: Session): void {
    this.#sessions.set(session.socket, session);
    this.#aedes.handle(session.socket);
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#aedes.close(() => resolve()));
  }

  /** A refused CONNECT has its CONNACK written and is never handed to the library, which then does nothing. */
  #connect(client: Client, packet: ConnectPacket, accept: () => void): void {
    const session = this.#of(client);
    if (session === undefined || session.ending) return;
    const { limits, presence } = this.#context;
    const refusal = judgeConnect(packet, session, limits);
    if (refusal !== undefined) {
      session.refuseConnect(refusal.reason, refusal.code);
      return;
    }
    presence.admit(session)?.close('replaced');
    accept();
  }

  #publish(client: Client | null, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const session = client === null ? undefined : this.#of(client);
    // A will that nobody sent: none is let in, so this is the library's doing, and it ends here.
    if (session === undefined) {
      done(new Error('no publisher'));
      return;
    }
    const { road } = this.#context;
    const topic = judgePublish(packet, session, (tenant) => road.buses.has(tenant));
    if (typeof topic === 'string') {
      session.refuse(topic);
      return;
    }
    const sealed = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    const acknowledged = (): void => {
      // The PUBACK is on its way with the receipt. For a message of QoS 0 the library writes none of its own.
      packet.qos = 0;
      done(null);
    };
    if (topic.kind !== 'index') readOn(session);
    void carryUplink(road, session, topic, { sealed, messageId: packet.messageId ?? 0, acknowledged });
  }

  #subscribe(
    client: Client,
    subscription: Subscription,
    done: (error: Error | null, subscription?: Subscription | null) => void,
  ): void {
    const session = this.#of(client);
    if (session === undefined) {
      done(new Error('no subscriber'));
      return;
    }
    const { road, tally, limits, notices } = this.#context;
    const topic = judgeSubscribe(subscription, session, (tenant) => road.buses.has(tenant));
    if (typeof topic === 'string') {
      tally.refused(topic, session.home);
      done(null, NOT_GRANTED);
    } else if (topic.kind !== 'command') done(null, subscription);
    else if (session.subscribing >= limits.subscribesPerClientMax) session.refuse('flood');
    else {
      session.listen(topic.tenant);
      session.subscribing += 1;
      readOn(session);
      void notices.announce(session, topic.tenant).then(() => {
        session.subscribing -= 1;
        if (!session.ended) done(null, subscription);
      });
    }
  }

  #unsubscribed(client: Client, filters: readonly string[]): void {
    const session = this.#of(client);
    for (const filter of filters)
      try {
        const topic = parseTopic(filter);
        if (topic.kind === 'command') session?.listenNoMore(topic.tenant);
      } catch (error) {
        if (!isHesError(error, 'ERR_TOPIC')) throw error;
      }
  }

  /** The library found fault with a connection, and destroyed it. */
  #failed(client: Client, error: Error): void {
    const session = this.#of(client);
    if (session === undefined || session.ended) return;
    const failure = FAILURES.find(({ says }) => error.message.startsWith(says));
    // An error of the system carries its code; what is left is the packet parser's.
    const meaning = failure ?? ('code' in error ? BROKEN : MALFORMED);
    if ('refusal' in meaning) session.refuse(meaning.refusal);
    else session.close(meaning.ending);
  }

  #of(client: Client): Session | undefined {
    return this.#sessions.get(client.conn);
  }
}

/**
 * The library takes no further packet of a connection while one is in hand. What waits for a desk must not keep a
 * device's readings: it is told that there may be more to read, once the packets of this turn are taken.
 */
function readOn({ socket }: Session): void {
  setImmediate(() => {
    if (!socket.destroyed) socket.emit('readable');
  });
}

type Meaning = { readonly refusal: Refusal } | { readonly ending: Ending };
const BROKEN: Meaning = { ending: 'broken' };
const MALFORMED: Meaning = { refusal: 'malformed' };

/** The library's errors by the beginning of their message, since it gives them no code (a test holds them). */
const FAILURES: readonly ({ readonly says: string } & Meaning)[] = [
  { says: 'connect did not arrive in time', refusal: 'connect-timeout' },
  { says: 'Client queue limit reached', refusal: 'flood' },
  { says: 'topic has too many levels', refusal: 'topic' },
  { says: 'empty topic not allowed', refusal: 'topic' },
  { says: 'impossible to', refusal: 'topic' },
  { says: '# is', refusal: 'wildcard' },
  { says: '+ is', refusal: 'wildcard' },
  { says: 'keep alive timeout', ending: 'keepalive' },
  { says: 'drain timeout', ending: 'slow' },
];
