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
  readonly resumed: boolean;
  readonly #socket: TLSSocket;
  readonly #acknowledged = new Map<number, () => void>();
  readonly #onClose: (() => void)[] = [];
  readonly #limits: UplinkLimits;
  #messageId = 0;
  #failure: HesError | undefined;

  private constructor(socket: TLSSocket, limits: UplinkLimits) {
    this.#socket = socket;
    this.#limits = limits;
    this.resumed = socket.isSessionReused();
  }

  /** @throws ERR_UPLINK_CONNECT, ERR_UPLINK_ABORTED */
  static async open(options: ConnectOptions): Promise<Connection> {
    const { headEnd, identity, memory, limits, signal, onMessage } = options;
    if (signal.aborted) throw aborted();
    const socket = startTls(headEnd, identity, memory);
    let reached = false;
    let timer: NodeJS.Timeout | undefined;
    let stop: (() => void) | undefined;
    try {
      return await new Promise<Connection>((resolve, reject) => {
        stop = (): void => reject(aborted());
        signal.addEventListener('abort', stop, { once: true });
        timer = setTimeout(() => reject(new Error('no connection in time')), limits.connectTimeoutMs);
        socket.once('connect', () => {
          reached = true;
        });
        socket.once('error', reject);
        socket.once('close', () => reject(new Error('closed before it was ready')));
        socket.once('secureConnect', () => {
          const connection = new Connection(socket, limits);
          connection.#listen(onMessage, (returnCode) => {
            if (returnCode === 0) resolve(connection);
            else reject(new Error(`refused: ${CONNACK_REASONS[returnCode] ?? returnCode}`));
          });
          socket.write(encodeConnect(identity.device, limits.keepaliveSeconds));
        });
      });
    } catch (cause) {
      socket.destroy();
      // A head-end that was reached and said no may dislike the session. One that was not reached has said nothing.
      if (reached) memory.session = undefined;
      throw isHesError(cause) ? cause : connectError(cause);
    } finally {
      clearTimeout(timer);
      if (stop !== undefined) signal.removeEventListener('abort', stop);
    }
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
    this.#socket.on('error', (error) => this.#end(closedError(error)));
    this.#socket.on('close', () => this.#end(closedError()));
  }

  #end(reason: HesError): void {
    if (this.#failure !== undefined) return;
    this.#failure = reason;
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
