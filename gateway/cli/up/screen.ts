import type { WriteStream } from 'node:tty';

/**
 * A block of lines at the bottom of a terminal, redrawn in place. On anything but a terminal it draws nothing:
 * a pipe gets results, not pictures. Lines that must stay (warnings) are printed above it.
 */
export class Screen {
  readonly #out: WriteStream;
  #drawn = 0;

  constructor(out: WriteStream = process.stderr) {
    this.#out = out;
  }

  get live(): boolean {
    return this.#out.isTTY === true && process.env['TERM'] !== 'dumb';
  }

  get columns(): number {
    return this.#out.columns ?? 80;
  }

  draw(lines: readonly string[]): void {
    if (!this.live) return;
    this.#out.write(`${this.#home()}${lines.map((line) => `${line}\x1b[K`).join('\n')}\n\x1b[J`);
    this.#drawn = lines.length;
  }

  /** A line that stays. */
  print(line: string): void {
    if (this.live) this.#out.write(`${this.#home()}\x1b[J${line}\n`);
    else this.#out.write(`${line}\n`);
    this.#drawn = 0;
  }

  clear(): void {
    if (this.live) this.#out.write(`${this.#home()}\x1b[J`);
    this.#drawn = 0;
  }

  #home(): string {
    return this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A\r`;
  }
}
