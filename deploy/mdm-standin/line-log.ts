import { type FileHandle, open } from 'node:fs/promises';

const READ_BYTES = 1 << 20;
const NEWLINE = 0x0a;

/**
 * A file of lines that only grows. Lines that are appended while a write is under way go out together in the
 * next one; `append` ends when they are in the file, and on the disk where `durable` was asked for. A line that
 * a kill cut short is taken away at the next opening.
 */
export class LineLog {
  readonly #file: FileHandle;
  readonly #durable: boolean;
  #waiting: string[] = [];
  #next: Promise<void> | undefined;
  #writing: Promise<void> = Promise.resolve();

  private constructor(file: FileHandle, durable: boolean) {
    this.#file = file;
    this.#durable = durable;
  }

  /** Open or create, and drop a torn last line. */
  static async open(path: string, { durable }: { readonly durable: boolean }): Promise<LineLog> {
    const file = await open(path, 'a+', 0o600);
    await dropTornLine(file);
    return new LineLog(file, durable);
  }

  /** Every line that is in the file, from the first. */
  async each(line: (text: string) => void): Promise<void> {
    await eachLine(this.#file, line);
  }

  append(lines: readonly string[]): Promise<void> {
    this.#waiting.push(...lines);
    this.#next ??= this.#writing.then(() => this.#write());
    return this.#next;
  }

  async close(): Promise<void> {
    await (this.#next ?? this.#writing);
    await this.#file.close();
  }

  async #write(): Promise<void> {
    const lines = this.#waiting;
    this.#waiting = [];
    this.#next = undefined;
    const writing = this.#toFile(lines);
    // The one after this waits for its end, not for its success: each append hears of its own.
    this.#writing = writing.catch(() => undefined);
    await writing;
  }

  async #toFile(lines: readonly string[]): Promise<void> {
    if (lines.length > 0) await this.#file.appendFile(`${lines.join('\n')}\n`);
    if (this.#durable) await this.#file.datasync();
  }
}

async function dropTornLine(file: FileHandle): Promise<void> {
  const { size } = await file.stat();
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - READ_BYTES);
    const { buffer } = await file.read(Buffer.alloc(end - start), 0, end - start, start);
    const newline = buffer.lastIndexOf(NEWLINE);
    if (newline >= 0) {
      end = start + newline + 1;
      break;
    }
    end = start;
  }
  if (end < size) await file.truncate(end);
}

async function eachLine(file: FileHandle, line: (text: string) => void): Promise<void> {
  const { size } = await file.stat();
  const chunk = Buffer.alloc(READ_BYTES);
  let rest = '';
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(chunk, 0, READ_BYTES, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    // latin1 keeps bytes apart whatever the chunk cuts; what is looked for in the lines is ASCII.
    const lines = (rest + chunk.toString('latin1', 0, bytesRead)).split('\n');
    rest = lines.pop()!;
    for (const text of lines) line(text);
  }
}
