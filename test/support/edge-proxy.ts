import { connect, createServer, type Server, type Socket } from 'node:net';

/** The network between an edge and the head-end, to be cut: connections end at once and new ones are refused. */
export class CuttableNetwork {
  readonly #target: number;
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;
  /** Connections that were let through. */
  connections = 0;

  constructor(targetPort: number) {
    this.#target = targetPort;
  }

  get port(): number {
    return this.#port;
  }

  async mend(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer({ noDelay: true }, (near) => {
      this.connections += 1;
      const far = connect({ port: this.#target, host: '127.0.0.1', noDelay: true });
      for (const [one, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(one);
        one.on('error', () => undefined);
        one.once('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
        one.pipe(other);
      }
    });
    await new Promise<void>((listening) => server.listen(this.#port, '127.0.0.1', listening));
    this.#server = server;
    this.#port = (server.address() as { port: number }).port;
  }

  async cut(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    await new Promise<void>((closed) => {
      server.close(() => closed());
      for (const socket of this.#sockets) socket.destroy();
    });
  }
}
