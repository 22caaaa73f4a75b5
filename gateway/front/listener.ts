import { createServer as createTcpServer, type Socket, type Server as TcpServer } from 'node:net';
import {
  createServer as createTlsServer,
  type TLSSocket,
  type TlsOptions,
  type Server as TlsServer,
} from 'node:tls';
import { frontError } from './errors.ts';
import type { FrontLimits } from './limits.ts';
import type { Tally } from './tally.ts';
import { handshakeRefusal } from './tls-failures.ts';

/** TCP connections that the kernel finishes while this process is busy; its own bound (somaxconn) may be lower. */
const BACKLOG = 4_096;

export interface ListenerOptions {
  readonly tls: TlsOptions;
  readonly limits: Pick<FrontLimits, 'connectionsMax' | 'handshakesMax'>;
  readonly tally: Tally;
  /** A connection whose client certificate has passed TLS. */
  readonly secured: (socket: TLSSocket) => void;
}

/**
 * The one TCP port and its TLS. TCP is accepted apart from TLS, so that a connection above a bound is closed before
 * it costs any cryptography.
 */
export class Listener {
  readonly #tcp: TcpServer;
  readonly #tls: TlsServer;
  /** With the CAs and ticket keys that are in force. */
  #options: TlsOptions;
  readonly #sockets = new Set<Socket>();
  #handshakes = 0;

  constructor({ tls, limits, tally, secured }: ListenerOptions) {
    this.#options = tls;
    this.#tls = createTlsServer(tls, (socket) => {
      this.#handshakes -= 1;
      secured(socket);
    });
    this.#tls.on('tlsClientError', (error, socket) => {
      this.#handshakes -= 1;
      tally.refused(handshakeRefusal(error, socket));
      // A handshake that timed out is reported, but left open; seen with Node 26.
      socket.destroy();
    });
    this.#tcp = createTcpServer({ noDelay: true }, (socket) => {
      if (this.#handshakes >= limits.handshakesMax) {
        tally.refused('handshakes');
        socket.destroy();
        return;
      }
      this.#handshakes += 1;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
      this.#tls.emit('connection', socket);
    });
    this.#tcp.maxConnections = limits.connectionsMax;
    this.#tcp.on('drop', () => tally.refused('connections'));
  }

  /** TCP connections, with those whose handshake is under way. */
  get connections(): number {
    return this.#sockets.size;
  }

  get handshakes(): number {
    return this.#handshakes;
  }

  /**
   * Returns the port.
   * @throws ERR_FRONT_PORT_TAKEN, ERR_FRONT_PORT_RIGHTS, ERR_FRONT_ADDRESS
   */
  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#tcp.once('error', (error) => reject(listenError(error, host, port)));
      this.#tcp.listen({ host, port, backlog: BACKLOG }, () => {
        this.#tcp.removeAllListeners('error');
        const address = this.#tcp.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  setTicketKeys(keys: Buffer): void {
    this.#options = { ...this.#options, ticketKeys: keys };
    this.#tls.setTicketKeys(keys);
  }

  /** Show new connections this certificate; those that are open stay with theirs. */
  setServerKey({ cert, key }: { readonly cert: string; readonly key: string }): void {
    this.#options = { ...this.#options, cert, key };
    this.#tls.setSecureContext(this.#options);
  }

  /** Ask new connections for certificates of these CAs (PEM). */
  setAuthorities(ca: readonly string[]): void {
    this.#options = { ...this.#options, ca: [...ca] };
    this.#tls.setSecureContext(this.#options);
  }

  /** Take no new connection; what is there goes on. */
  stopAccepting(): void {
    this.#tcp.close();
  }

  /** Close whatever is left, handshakes under way included. */
  destroyAll(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#sockets.size === 0) resolve();
      for (const socket of this.#sockets) {
        socket.once('close', () => {
          if (this.#sockets.size === 0) resolve();
        });
        socket.destroy();
      }
    });
  }
}

const LISTEN_ERRORS = {
  EADDRINUSE: ['ERR_FRONT_PORT_TAKEN', 'is taken by another program: stop it, or configure another port'],
  EACCES: ['ERR_FRONT_PORT_RIGHTS', 'may not be used by this user: take a port above 1023'],
  EADDRNOTAVAIL: ['ERR_FRONT_ADDRESS', 'is no address of this machine'],
  ENOTFOUND: ['ERR_FRONT_ADDRESS', 'is no address of this machine'],
} as const;

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const row = LISTEN_ERRORS[error.code as keyof typeof LISTEN_ERRORS] as
    | (typeof LISTEN_ERRORS)[keyof typeof LISTEN_ERRORS]
    | undefined;
  if (row === undefined) return error;
  return frontError(row[0], `${host}:${port} ${row[1]}`, { cause: error, context: { host, port } });
}
