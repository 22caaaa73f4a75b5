import { once } from 'node:events';
import { type ConnectionOptions, type TLSSocket, connect as tlsConnect } from 'node:tls';
import type { DeviceIdentity } from '../../../pki/trust.ts';
import { connect, DISCONNECT, packets } from './wire.ts';

/** How long a test waits for what should happen at once. */
const PATIENCE_MS = 5_000;

/** A device at the front's door that says exactly the bytes that the test wants. */
export class Meter {
  readonly identity: DeviceIdentity;
  readonly socket: TLSSocket;
  /** The newest TLS session, for resuming it. */
  session: Buffer | undefined;
  closed = false;
  #received = Buffer.alloc(0);
  #changed = Promise.withResolvers<void>();

  constructor(identity: DeviceIdentity, port: number, options: ConnectionOptions = {}) {
    this.identity = identity;
    this.socket = tlsConnect({
      host: '127.0.0.1',
      port,
      servername: 'localhost',
      ca: identity.root,
      key: identity.tls.key,
      cert: identity.tls.certificate,
      ...options,
    });
    this.socket.on('session', (session: Buffer) => {
      this.session = session;
    });
    this.socket.on('error', () => undefined);
    this.socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    this.socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  /** Connect and get through CONNECT. */
  static async ready(
    identity: DeviceIdentity,
    port: number,
    options: ConnectionOptions = {},
  ): Promise<Meter> {
    const meter = new Meter(identity, port, options);
    await meter.secure();
    meter.send(connect({ clientId: identity.device }));
    await meter.until(() => meter.of(0x20).length > 0);
    return meter;
  }

  async secure(): Promise<void> {
    await once(this.socket, 'secureConnect', { signal: AbortSignal.timeout(PATIENCE_MS) });
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  get received(): Buffer {
    return this.#received;
  }

  /** The bodies of the received packets that begin with this byte. */
  of(first: number): Buffer[] {
    return packets(this.#received)
      .filter((packet) => packet.first === first)
      .map(({ body }) => body);
  }

  /** Wait until something is so, or the connection is closed, or patience ends. */
  async until(so: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!so() && !this.closed) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error('it did not happen in time');
      const { promise, resolve } = Promise.withResolvers<void>();
      const timer = setTimeout(resolve, Math.min(leftMs, 20));
      await Promise.race([this.#changed.promise, promise]);
      clearTimeout(timer);
    }
  }

  untilClosed(): Promise<void> {
    return this.until(() => this.closed);
  }

  async leave(): Promise<void> {
    this.socket.end(DISCONNECT);
    await this.untilClosed();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
