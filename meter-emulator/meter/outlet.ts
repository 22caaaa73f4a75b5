import { createServer, type Server, type Socket } from 'node:net';
import { HesError } from '../../protocol/errors.ts';
import { Pty } from './pty.ts';

/** Where a meter's P1 port leads to. */
export type MeterPort =
  | { readonly pty: { readonly path: string } }
  | {
      readonly tcp: {
        readonly host?: string;
        /** 0 takes a free one; `endpoint` says which. */
        readonly port: number;
        /** Readers at once; further ones are hung up on, as bridges for one reader do. */
        readonly readersMax?: number;
      };
    };

/** Where a reader finds the port. */
export type Endpoint =
  | { readonly kind: 'pty'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

export interface Outlet {
  readonly endpoint: Endpoint;
  /** How many have it open: on a pseudo-terminal 1 for any number. */
  readers(): number;
  /** Bytes are on the wire: whoever does not fetch them in time loses them. */
  write(bytes: Uint8Array): void;
  /** The adapter is pulled: nothing is left of it until `plug`. */
  unplug(): Promise<void>;
  plug(): Promise<void>;
}

/** @throws ERR_EMULATED_METER_SOCAT, ERR_EMULATED_METER_PATH, ERR_EMULATED_METER_LISTEN */
export function openOutlet(port: MeterPort): Promise<Outlet> {
  return 'pty' in port ? PtyOutlet.open(port.pty.path) : TcpOutlet.open(port.tcp);
}

class PtyOutlet implements Outlet {
  readonly endpoint: Endpoint;
  readonly #path: string;
  #pty: Pty | null;
  #wasOpen = false;

  private constructor(pty: Pty) {
    this.#pty = pty;
    this.#path = pty.path;
    this.endpoint = { kind: 'pty', path: pty.path };
  }

  static async open(path: string): Promise<PtyOutlet> {
    return new PtyOutlet(await Pty.open(path));
  }

  readers(): number {
    const isOpen = this.#pty?.look() ?? false;
    if (this.#wasOpen && !isOpen) this.#pty?.forgetUnread();
    this.#wasOpen = isOpen;
    return isOpen ? 1 : 0;
  }

  write(bytes: Uint8Array): void {
    if (this.readers() > 0) this.#pty?.write(bytes);
  }

  async unplug(): Promise<void> {
    this.#pty?.close();
    this.#pty = null;
    this.#wasOpen = false;
  }

  async plug(): Promise<void> {
    this.#pty ??= await Pty.open(this.#path);
  }
}

/** Readers at once unless told: more than anybody hangs on a bridge. */
const READERS_MAX = 8;

/** What is kept for a reader that does not fetch it: some tens of telegrams; then it loses whole pieces. */
const UNSENT_BYTES_MAX = 65_536;

class TcpOutlet implements Outlet {
  endpoint: Extract<Endpoint, { kind: 'tcp' }>;
  readonly #readersMax: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;

  private constructor(host: string, port: number, readersMax: number) {
    this.endpoint = { kind: 'tcp', host, port };
    this.#readersMax = readersMax;
  }

  static async open({
    host = '127.0.0.1',
    port,
    readersMax = READERS_MAX,
  }: Extract<MeterPort, { tcp: unknown }>['tcp']): Promise<TcpOutlet> {
    const outlet = new TcpOutlet(host, port, readersMax);
    await outlet.plug();
    return outlet;
  }

  readers(): number {
    return this.#sockets.size;
  }

  write(bytes: Uint8Array): void {
    for (const socket of this.#sockets) if (socket.writableLength < UNSENT_BYTES_MAX) socket.write(bytes);
  }

  unplug(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return Promise.resolve();
    return new Promise((resolve) => {
      server.close(() => resolve());
      for (const socket of this.#sockets) socket.destroy();
    });
  }

  /** Again at the same port, once one was taken. */
  async plug(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer({ noDelay: true }, (socket) => this.#take(socket));
    const { host, port } = this.endpoint;
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new HesError('ERR_EMULATED_METER_LISTEN', `cannot listen on ${host}:${port}: ${cause.code}`, {
            cause,
          }),
        ),
      );
      server.listen(port, host, resolve);
    });
    this.#server = server;
    this.endpoint = { ...this.endpoint, port: (server.address() as { port: number }).port };
  }

  #take(socket: Socket): void {
    socket.on('error', () => {});
    if (this.#sockets.size >= this.#readersMax) {
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // What a reader says to a P1 port is of no interest, but must be fetched for its end to be noticed.
    socket.resume();
  }
}
