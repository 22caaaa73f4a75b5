import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { type Receipt, readReceipt } from '../../../protocol/receipt.ts';
import { downTopic, parseTopic, type Topic, type UpKind, upTopic } from '../../../protocol/topics.ts';
import { aborted, Connection, type ConnectOptions } from './connection.ts';
import type { UplinkLimits } from './limits.ts';

/** A sealed message by whose it is, what it is and its number; and what its receipt is checked with. */
export interface Outgoing {
  readonly owner: TenantId;
  readonly kind: UpKind;
  readonly sequence: number;
  readonly sealed: Uint8Array;
  readonly receiptKey: Uint8Array;
}

export interface ExchangeOptions extends Omit<ConnectOptions, 'onMessage' | 'topics'> {
  /** Takes what comes by a topic of commands, still sealed; without it nothing is subscribed. */
  readonly onCommand?: ((tenant: TenantId, sealed: Uint8Array) => void) | undefined;
  /** Takes what comes by a topic of notices, as it is signed: before whatever comes after it. */
  readonly onNotice?: ((tenant: TenantId, signed: Uint8Array) => void) | undefined;
  /** A message that belongs to nothing: a receipt of nothing on the way, a topic that is none of the device's. */
  readonly onStray: () => void;
}

/**
 * Notices that are looked at over one connection: a head-end sends one for each operator of the device, and the next
 * where something changed meanwhile. Beyond it they are strays: to check one costs more than to send it.
 */
export const NOTICES_MAX = 32;

interface Waiting {
  readonly message: Outgoing;
  readonly receipted: (receipt: Receipt) => void;
}

/** What goes up and what comes down over one connection: messages with their receipts, and commands. */
export class Exchange {
  /** Whether all topics of commands were granted, once that is known; false where none were asked for. */
  readonly subscribed: Promise<boolean>;
  readonly #connection: Connection;
  readonly #device: DeviceId;
  readonly #limits: UplinkLimits;
  readonly #waiting: Map<string, Waiting>;

  private constructor(
    connection: Connection,
    { identity, limits, onCommand }: ExchangeOptions,
    waiting: Map<string, Waiting>,
  ) {
    this.#connection = connection;
    this.#device = identity.device;
    this.#limits = limits;
    this.#waiting = waiting;
    this.subscribed = onCommand === undefined ? Promise.resolve(false) : connection.subscribe();
  }

  /** @throws ERR_UPLINK_CONNECT, ERR_UPLINK_PROTOCOL, ERR_UPLINK_ABORTED */
  static async open(options: ExchangeOptions): Promise<Exchange> {
    const { identity, onCommand, onNotice, onStray } = options;
    const { device, home, guests } = identity;
    const owners = [home, ...guests];
    const tenants = onCommand === undefined ? [] : owners;
    let notices = 0;
    const waiting = new Map<string, Waiting>();
    const onMessage = (topicText: string, payload: Uint8Array): void => {
      const topic = ownTopic(topicText, device);
      if (topic?.kind === 'receipt' && takeReceipt(waiting, topic.tenant, device, payload)) return;
      if (topic?.kind === 'command' && tenants.includes(topic.tenant)) onCommand?.(topic.tenant, payload);
      else if (topic?.kind === 'notice' && owners.includes(topic.tenant) && notices++ < NOTICES_MAX)
        onNotice?.(topic.tenant, payload);
      else onStray();
    };
    const topics = tenants.map((tenant) => downTopic(tenant, device, 'command'));
    return new Exchange(await Connection.open({ ...options, onMessage, topics }), options, waiting);
  }

  /** Why it is over, or undefined while it stands. */
  get failure(): HesError | undefined {
    return this.#connection.failure;
  }

  get resumed(): boolean {
    return this.#connection.resumed;
  }

  /** Called at once where it is over already. */
  onClose(listener: () => void): void {
    this.#connection.onClose(listener);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  /**
   * Publish a message and wait for its receipt; the PUBACK alone proves nothing. Who does not answer ends the
   * connection.
   * @throws ERR_UPLINK_*
   */
  async send(message: Outgoing, signal: AbortSignal): Promise<Receipt> {
    const connection = this.#connection;
    if (connection.failure !== undefined) throw connection.failure;
    const { owner, kind, sequence } = message;
    const name = `${owner} ${kind} ${sequence}`;
    let timer: NodeJS.Timeout | undefined;
    let stop: (() => void) | undefined;
    let forget: (() => void) | undefined;
    try {
      return await new Promise<Receipt>((resolve, reject) => {
        const giveUp = (reason: HesError): void => {
          reject(reason);
          connection.fail(reason);
        };
        stop = (): void => giveUp(aborted());
        if (signal.aborted) return stop();
        signal.addEventListener('abort', stop, { once: true });
        this.#waiting.set(name, { message, receipted: resolve });
        forget = connection.onClose(() => reject(connection.failure));
        const wait = (ms: number, code: 'ERR_UPLINK_TIMEOUT' | 'ERR_UPLINK_RECEIPT', what: string): void => {
          clearTimeout(timer);
          timer = setTimeout(() => giveUp(new HesError(code, what)), ms);
        };
        wait(this.#limits.answerTimeoutMs, 'ERR_UPLINK_TIMEOUT', 'no receipt came in time');
        connection.publish(upTopic(owner, this.#device, kind), message.sealed, () => {
          // The usual order is receipt, then PUBACK: then there is nothing left to wait for.
          if (this.#waiting.has(name))
            wait(
              this.#limits.receiptGraceMs,
              'ERR_UPLINK_RECEIPT',
              'acknowledged, but no valid receipt came',
            );
        });
      });
    } finally {
      clearTimeout(timer);
      forget?.();
      if (stop !== undefined) signal.removeEventListener('abort', stop);
      this.#waiting.delete(name);
    }
  }
}

function ownTopic(text: string, device: DeviceId): Extract<Topic, { direction: 'down' }> | undefined {
  try {
    const topic = parseTopic(text);
    return topic.direction === 'down' && topic.device === device ? topic : undefined;
  } catch (error) {
    if (isHesError(error)) return undefined;
    throw error;
  }
}

/** Match a receipt to the message that it is about; false where there is none. */
function takeReceipt(
  waiting: Map<string, Waiting>,
  tenant: TenantId,
  device: DeviceId,
  payload: Uint8Array,
): boolean {
  for (const [name, { message, receipted }] of waiting) {
    const { owner, sequence, receiptKey } = message;
    if (owner !== tenant) continue;
    const receipt = tryReceipt(receiptKey, payload, { tenant, device, sequence });
    if (receipt === undefined) continue;
    waiting.delete(name);
    receipted(receipt);
    return true;
  }
  return false;
}

function tryReceipt(...[key, bytes, expected]: Parameters<typeof readReceipt>): Receipt | undefined {
  try {
    return readReceipt(key, bytes, expected);
  } catch (error) {
    if (isHesError(error)) return undefined;
    throw error;
  }
}
