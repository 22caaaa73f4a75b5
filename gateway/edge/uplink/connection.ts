import { isIP } from 'node:net';
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import { LruMap } from '../lru.ts';
import { UPLINK_LIMITS, type UplinkLimits } from './limits.ts';
import { DISCONNECT, encodeConnect, encodePuback, encodePublish, PacketReader } from './packets.ts';

/** Where the head-end is. `servername` is the name in its certificate, where that is not `host`. */
export interface HeadEnd {
  readonly host: string;
  readonly port: number;
  readonly servername?: string;
}

/** What TLS remembers between wakes. In memory only: whoever could read it could decrypt what was recorded. */
export interface TlsMemory {
  session: Buffer | undefined;
}

export interface ConnectOptions {
  readonly headEnd: HeadEnd;
  readonly identity: DeviceIdentity;
  readonly memory: TlsMemory;
  readonly limits: UplinkLimits;
  readonly signal: AbortSignal;
  readonly onMessage: (topic: string, payload: Uint8Array) => void;
}

/** P-256 everywhere; the readings are sealed apart from this, so TLS takes the group that costs the least. */
const GROUPS = 'X25519:P-256';

const CONNACK_REASONS: Readonly<Record<number, string>> = {
  1: 'protocol version',
  2: 'client id',
  3: 'unavailable',
  4: 'credentials',
  5: 'not authorised',
};

const contexts = new LruMap<string, SecureContext>(UPLINK_LIMITS.tlsContextsMax);

/** Parsing key, certificate and root costs a quarter of a handshake, so contexts are kept, up to a bound. */
function contextOf({ tls, root }: DeviceIdentity): SecureContext {
  return contexts.take(tls.certificate, () =>
    createSecureContext({
      key: tls.key,
      cert: tls.certificate,
      ca: root,
      ecdhCurve: GROUPS,
      minVersion: 'TLSv1.2',
    }),
  );
}

/** One MQTT connection of a device, from handshake to DISCONNECT. It is used for one wake and thrown away. */
export class Connection {
  resumed = false;
  readonly #socket: TLSSocket;
  readonly #memory: TlsMemory;
  readonly #acknowledged = new Map<number, () => void>();
  readonly #onClose: (() => void)[] = [];
  readonly #limits: UplinkLimits;
  #messageId = 0;
  #reached = false;
  #accepted = false;
  #failure: HesError | undefined;

  private constructor(socket: TLSSocket, memory: TlsMemory, limits: UplinkLimits) {
    this.#socket = socket;
    this.#memory = memory;
    this.#limits = limits;
  }

  /**
   * Resolves when TLS stands. CONNECT waits for what is published in the same turn, and goes out with it (MQTT 3.1.1
   * §3.1.4 lets a client send without waiting for CONNACK): one round trip and one TLS record less for each wake.
   * @throws ERR_UPLINK_CONNECT, ERR_UPLINK_ABORTED
   */
  static async open(options: ConnectOptions): Promise<Connection> {
    const { headEnd, identity, memory, limits, signal, onMessage } = options;
    if (signal.aborted) throw aborted();
    const socket = startTls(headEnd, identity, memory);
    const connection = new Connection(socket, memory, limits);
    const timer = setTimeout(
      () => connection.fail(connectError(new Error('no connection in time'))),
      limits.connectTimeoutMs,
    );
    const stop = (): void => connection.fail(aborted());
    signal.addEventListener('abort', stop, { once: true });
    connection.#listen(onMessage, (returnCode) => {
      clearTimeout(timer);
      if (returnCode !== 0) connection.fail(connackError(returnCode));
      else connection.#accepted = true;
    });
    connection.onClose(() => clearTimeout(timer));
    try {
      await new Promise<void>((resolve, reject) => {
        connection.onClose(() => reject(connection.failure));
        socket.once('secureConnect', resolve);
      });
    } finally {
      signal.removeEventListener('abort', stop);
    }
    connection.resumed = socket.isSessionReused();
    socket.cork();
    socket.write(encodeConnect(identity.device, limits.keepaliveSeconds));
    setImmediate(() => socket.uncork());
    return connection;
  }

  /** Why it is over, or undefined while it stands. */
  get failure(): HesError | undefined {
    return this.#failure;
  }

  /** Called at once where it is over already. */
  onClose(listener: () => void): void {
    if (this.#failure === undefined) this.#onClose.push(listener);
    else listener();
  }

  publish(topic: string, payload: Uint8Array, acknowledged: () => void): void {
    this.#messageId = (this.#messageId % 0xffff) + 1;
    this.#acknowledged.set(this.#messageId, acknowledged);
    this.#socket.write(encodePublish(topic, this.#messageId, payload));
  }

  /** Cut it, since of no further use. */
  fail(reason: HesError): void {
    this.#end(reason);
    this.#socket.destroy();
  }

  /** Say goodbye, and wait until the other side has heard it. */
  async close(): Promise<void> {
    if (this.#failure !== undefined) return;
    this.#end(closedError());
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#socket.destroy(), this.#limits.closeTimeoutMs);
      this.#socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#socket.end(DISCONNECT);
    });
  }

  #listen(onMessage: ConnectOptions['onMessage'], connack: (returnCode: number) => void): void {
    const reader = new PacketReader({
      connack,
      puback: (messageId) => {
        const acknowledged = this.#acknowledged.get(messageId);
        this.#acknowledged.delete(messageId);
        acknowledged?.();
      },
      message: (topic, payload, messageId) => {
        onMessage(topic, payload);
        if (messageId !== null) this.#socket.write(encodePuback(messageId));
      },
    });
    this.#socket.on('data', (bytes: Buffer) => {
      try {
        reader.feed(bytes);
      } catch (error) {
        this.fail(isHesError(error) ? error : closedError(error));
      }
    });
    this.#socket.once('connect', () => {
      this.#reached = true;
    });
    this.#socket.on('error', (error) => this.#end(this.#accepted ? closedError(error) : connectError(error)));
    this.#socket.on('close', () => this.#end(this.#accepted ? closedError() : connectError(CLOSED_EARLY)));
  }

  #end(reason: HesError): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
    // A head-end that was reached and said no may dislike the session. One that was not reached has said nothing.
    if (this.#reached && !this.#accepted) this.#memory.session = undefined;
    for (const listener of this.#onClose.splice(0)) listener();
  }
}

function startTls(headEnd: HeadEnd, identity: DeviceIdentity, memory: TlsMemory): TLSSocket {
  const { host, port, servername = isIP(host) === 0 ? host : undefined } = headEnd;
  const socket = connectTls({
    host,
    port,
    secureContext: contextOf(identity),
    ...(servername === undefined ? {} : { servername }),
    ...(memory.session === undefined ? {} : { session: memory.session }),
  });
  socket.setNoDelay(true);
  // RFC 8446 §C.4: a ticket is used once; the newest one of this connection serves the next.
  socket.on('session', (session: Buffer) => {
    memory.session = session;
  });
  return socket;
}

const CLOSED_EARLY = new Error('closed before it was accepted');

function connackError(returnCode: number): HesError {
  return connectError(new Error(`refused: ${CONNACK_REASONS[returnCode] ?? returnCode}`));
}

function connectError(cause: unknown): HesError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new HesError('ERR_UPLINK_CONNECT', `no connection to the head-end (${code ?? message})`, { cause });
}

function closedError(cause?: unknown): HesError {
  return new HesError('ERR_UPLINK_CLOSED', 'the connection ended before all was answered', { cause });
}

export function aborted(): HesError {
  return new HesError('ERR_UPLINK_ABORTED', 'the wake was ended from outside');
}
