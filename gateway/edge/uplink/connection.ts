import type { TLSSocket } from 'node:tls';
import { type IClientOptions, MqttClient } from 'mqtt';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { HesError } from '../../../protocol/errors.ts';
import { guardStream, protocolError } from './inbound.ts';
import type { UplinkLimits } from './limits.ts';
import { type HeadEnd, startTls, type TlsMemory } from './tls.ts';

export interface ConnectOptions {
  readonly headEnd: HeadEnd;
  readonly identity: DeviceIdentity;
  readonly memory: TlsMemory;
  readonly limits: UplinkLimits;
  readonly signal: AbortSignal;
  readonly onMessage: (topic: string, payload: Uint8Array) => void;
  /** Asked for right after CONNACK; none for a device that takes no commands. */
  readonly topics?: readonly string[];
}

/**
 * What mqtt.js would do by itself is switched off: the outbox is the only store, the schedule alone decides when to
 * connect, and nothing is queued or kept from one connection for the next (docs/adr/0072).
 */
const SETTINGS: IClientOptions = {
  protocolVersion: 4,
  clean: true,
  reconnectPeriod: 0,
  resubscribe: false,
  queueQoSZero: false,
  /** 65,536 ready-made numbers, for the dozen that a wake writes. */
  writeCache: false,
  timerVariant: 'native',
  /** It would print payloads and topics where DEBUG is set. */
  log: () => {},
};

/** One MQTT connection of a device, from handshake to DISCONNECT; thrown away after it. */
export class Connection {
  readonly #socket: TLSSocket;
  readonly #client: MqttClient;
  readonly #memory: TlsMemory;
  readonly #limits: UplinkLimits;
  readonly #onClose = new Set<() => void>();
  readonly #topics: readonly string[];
  #reached = false;
  #accepted = false;
  #resumed = false;
  #failure: HesError | undefined;

  private constructor({ headEnd, identity, memory, limits, onMessage, topics = [] }: ConnectOptions) {
    this.#memory = memory;
    this.#limits = limits;
    this.#topics = topics;
    this.#socket = startTls(headEnd, identity, memory);
    this.#watch(this.#socket);
    this.#client = new MqttClient(() => this.#socket, {
      ...SETTINGS,
      clientId: identity.device,
      keepalive: limits.keepaliveSeconds,
      connectTimeout: limits.connectTimeoutMs,
    });
    this.#client.on('connect', () => {
      this.#accepted = true;
    });
    this.#client.on('message', onMessage);
    this.#client.handleMessage = (packet, done) => {
      // mqtt-packet reads -1 where there is no message id, and throws out of the event loop on writing its PUBACK.
      if (packet.qos === 0 || (packet.messageId ?? 0) > 0) done();
      else this.fail(protocolError('a PUBLISH without a message id'));
    };
    // Errors may still come when all is over, and without a listener they would end the process.
    this.#client.on('error', (error) => this.fail(this.#reasonOf(error)));
    this.#client.on('close', () => this.#end(this.#accepted ? closedError() : connectError(CLOSED_EARLY)));
  }

  /**
   * Resolves when the head-end has accepted the device.
   * @throws ERR_UPLINK_CONNECT, ERR_UPLINK_PROTOCOL, ERR_UPLINK_ABORTED
   */
  static async open(options: ConnectOptions): Promise<Connection> {
    const { signal } = options;
    if (signal.aborted) throw aborted();
    const connection = new Connection(options);
    const stop = (): void => connection.fail(aborted());
    signal.addEventListener('abort', stop, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        connection.onClose(() => reject(connection.failure));
        connection.#client.once('connect', () => resolve());
      });
    } finally {
      signal.removeEventListener('abort', stop);
    }
    return connection;
  }

  /** Why it is over, or undefined while it stands. */
  get failure(): HesError | undefined {
    return this.#failure;
  }

  /** Whether TLS took up the session of an earlier connection. */
  get resumed(): boolean {
    return this.#resumed;
  }

  /**
   * Called once, and at once where it is over already.
   * @returns what takes it back: a connection that is kept for months must not remember each message
   */
  onClose(listener: () => void): () => void {
    if (this.#failure === undefined) this.#onClose.add(listener);
    else listener();
    return () => void this.#onClose.delete(listener);
  }

  /** QoS 1, while the connection stands; `acknowledged` is called with the PUBACK, if there ever is one. */
  publish(topic: string, payload: Uint8Array, acknowledged: () => void): void {
    const { buffer, byteOffset, byteLength } = payload;
    this.#client.publish(topic, Buffer.from(buffer, byteOffset, byteLength), { qos: 1 }, (error) => {
      if (!error) acknowledged();
    });
  }

  /**
   * Ask for the topics, QoS 1. Resolves with the SUBACK: whether all of them were granted; false also where it does
   * not come in time, or never: what else the connection is for goes on without.
   */
  subscribe(): Promise<boolean> {
    return new Promise((resolve) => {
      let forget: (() => void) | undefined;
      const end = (granted: boolean): void => {
        clearTimeout(timer);
        forget?.();
        resolve(granted);
      };
      const timer = setTimeout(() => end(false), this.#limits.answerTimeoutMs);
      forget = this.onClose(() => end(false));
      this.#client.subscribe([...this.#topics], { qos: 1 }, (error) => end(!error));
    });
  }

  /** Cut it, since of no further use. */
  fail(reason: HesError): void {
    if (this.#end(reason)) this.#client.end(true);
  }

  /** Say goodbye, and wait until the other side has heard it. */
  async close(): Promise<void> {
    if (!this.#end(closedError())) return;
    await new Promise<void>((resolve) => {
      // mqtt.js waits for the last PUBACK, and knows no end of that.
      const timer = setTimeout(() => this.#socket.destroy(), this.#limits.closeTimeoutMs);
      this.#socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#client.end();
    });
  }

  #watch(socket: TLSSocket): void {
    socket.once('connect', () => {
      this.#reached = true;
    });
    socket.once('secureConnect', () => {
      this.#resumed = socket.isSessionReused();
    });
    guardStream(socket, (refusal) => this.fail(refusal), this.#topics.length);
  }

  #reasonOf(error: Error & { readonly code?: unknown }): HesError {
    if (!this.#accepted) return connectError(error);
    // Sockets have codes for what fails; what is left is a packet that mqtt.js could not read.
    return typeof error.code === 'string' ? closedError(error) : protocolError('a malformed packet', error);
  }

  #end(reason: HesError): boolean {
    if (this.#failure !== undefined) return false;
    this.#failure = reason;
    // A head-end that was reached and said no may dislike the session. One that was not reached has said nothing.
    if (this.#reached && !this.#accepted) this.#memory.session = undefined;
    const listeners = [...this.#onClose];
    this.#onClose.clear();
    for (const listener of listeners) listener();
    return true;
  }
}

const CLOSED_EARLY = new Error('closed before it was accepted');

function connectError(cause: Error & { readonly code?: unknown }): HesError {
  const why = typeof cause.code === 'string' ? cause.code : cause.message;
  return new HesError('ERR_UPLINK_CONNECT', `no connection to the head-end (${why})`, { cause });
}

function closedError(cause?: unknown): HesError {
  return new HesError('ERR_UPLINK_CLOSED', 'the connection ended before all was answered', { cause });
}

export function aborted(): HesError {
  return new HesError('ERR_UPLINK_ABORTED', 'the wake was ended from outside');
}
