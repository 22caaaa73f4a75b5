import type { Socket } from 'node:net';
import { LENGTH_BYTES } from './frame.ts';

/** As much as Node reads from a socket at once: one write here is one read there. */
const BATCH_BYTES = 64 * 1024;

/** A body up to this is copied into the batch, which is cheaper than a piece of its own in the system call. */
const COPY_BYTES_MAX = 16 * 1024;

/** Batches kept for reuse, over all connections: 2 MiB. */
const POOL_MAX = 32;

const pool: Buffer[] = [];

/**
 * Gathers frames and writes them together: everything that is queued while one turn of the event loop reads its
 * sockets leaves in one system call at the end of that turn (setImmediate runs right behind the poll phase).
 * At load this is what makes a message cheap; a lone message does not wait for company.
 *
 * Use: `begin(type, headBytes, body)`, then exactly `headBytes - 1` bytes by `u8`, `u32`, `ascii`, then `end(body)`.
 */
export class BatchWriter {
  readonly #socket: Socket;
  #batch: Buffer | undefined;
  #used = 0;
  #scheduled = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Bytes that wait to be taken by the operating system. */
  get queuedBytes(): number {
    return this.#socket.writableLength + this.#used;
  }

  begin(type: number, headBytes: number, bodyBytes = 0): void {
    const copied = bodyBytes <= COPY_BYTES_MAX ? bodyBytes : 0;
    if (this.#batch !== undefined && this.#used + LENGTH_BYTES + headBytes + copied > BATCH_BYTES)
      this.#pass();
    this.#batch ??= pool.pop() ?? Buffer.allocUnsafeSlow(BATCH_BYTES);
    this.u32(headBytes + bodyBytes);
    this.u8(type);
  }

  u8(value: number): void {
    this.#batch![this.#used++] = value;
  }

  u32(value: number): void {
    this.#used = this.#batch!.writeUInt32BE(value, this.#used);
  }

  ascii(text: string): void {
    this.#used += this.#batch!.write(text, this.#used, 'latin1');
  }

  end(body?: Uint8Array): void {
    if (!this.#scheduled) this.#schedule();
    if (body === undefined) return;
    if (body.length <= COPY_BYTES_MAX) {
      this.#batch!.set(body, this.#used);
      this.#used += body.length;
    } else {
      this.#pass();
      this.#socket.write(body);
    }
  }

  /** Hand everything to the socket now. */
  flush(): void {
    this.#scheduled = false;
    if (this.#socket.destroyed) this.drop();
    else {
      this.#pass();
      this.#socket.uncork();
    }
  }

  /** Forget what was not written: the connection is gone. */
  drop(): void {
    this.#batch = undefined;
    this.#used = 0;
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#socket.cork();
    setImmediate(() => {
      if (this.#scheduled) this.flush();
    });
  }

  /** The current batch to the (corked) socket; its memory comes back when the operating system took it. */
  #pass(): void {
    const batch = this.#batch;
    if (batch === undefined || this.#used === 0) return;
    this.#socket.write(batch.subarray(0, this.#used), (error) => {
      if (!error && pool.length < POOL_MAX) pool.push(batch);
    });
    this.#batch = undefined;
    this.#used = 0;
  }
}
