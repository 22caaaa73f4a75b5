/** How often bytes are handed on: as a serial adapter does, some at a time (FTDI: 62 every 16 ms, others faster). */
export const LINE_TICK_MS = 10;

/**
 * Bytes at the pace of a serial line. A reader must put blocks together that begin and end anywhere, and a telegram
 * that is begun takes its time.
 */
export class Line {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #bytesPerMs: number;
  #bytes: Uint8Array | null = null;
  #sent = 0;
  #startedMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(bytesPerSecond: number, write: (bytes: Uint8Array) => void) {
    this.#bytesPerMs = bytesPerSecond / 1_000;
    this.#write = write;
  }

  get busy(): boolean {
    return this.#bytes !== null;
  }

  /** Not before the last was sent: `busy` tells. */
  send(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#sent = 0;
    this.#startedMs = performance.now();
    this.#step();
  }

  /** What was begun is not finished: the cable is gone. */
  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#bytes = null;
  }

  #step(): void {
    const bytes = this.#bytes;
    if (bytes === null) return;
    // Late by a busy machine: what is due by now goes at once, the line itself knows no pauses.
    const elapsedMs = performance.now() - this.#startedMs + LINE_TICK_MS;
    const due = Math.min(bytes.length, Math.floor(elapsedMs * this.#bytesPerMs));
    if (due > this.#sent) this.#write(bytes.subarray(this.#sent, due));
    this.#sent = due;
    if (due === bytes.length) this.stop();
    else this.#timer = setTimeout(() => this.#step(), LINE_TICK_MS);
  }
}
