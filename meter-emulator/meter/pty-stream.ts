import { Duplex } from 'node:stream';
import type { Pty } from './pty.ts';

/** How often it is looked whether a master asked something: half a byte's time at 1200 baud, nothing at 9600. */
const LOOK_EVERY_MS = 4;

/** One's own end of a pseudo-terminal as a stream. */
export class PtyStream extends Duplex {
  readonly #pty: Pty;
  readonly #timer: NodeJS.Timeout;

  constructor(pty: Pty) {
    super();
    this.#pty = pty;
    this.#timer = setInterval(() => pty.look((bytes) => this.push(bytes)), LOOK_EVERY_MS);
  }

  override _read(): void {}

  override _write(bytes: Buffer, _: BufferEncoding, done: () => void): void {
    this.#pty.write(bytes);
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearInterval(this.#timer);
    this.#pty.close();
    done(error);
  }
}
