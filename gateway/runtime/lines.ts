/** A line longer than this is passed on in pieces: a child that never ends its line must not fill the parent's memory. */
export const LINE_BYTES_MAX = 64 * 1024;

/** Cut a byte stream into lines without their ends; `end` gives what came after the last one. */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  #pending: Buffer = Buffer.alloc(0);

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (let at = rest.indexOf(0x0a); at !== -1; at = rest.indexOf(0x0a)) {
      this.#emit(rest.subarray(0, at));
      rest = rest.subarray(at + 1);
    }
    while (rest.length > LINE_BYTES_MAX) {
      this.#emit(rest.subarray(0, LINE_BYTES_MAX));
      rest = rest.subarray(LINE_BYTES_MAX);
    }
    this.#pending = rest;
  }

  end(): void {
    this.#emit(this.#pending);
    this.#pending = Buffer.alloc(0);
  }

  #emit(line: Buffer): void {
    if (line.length > 0) this.#onLine(line.toString('utf8'));
  }
}
