import type { Random } from '../../runtime/random.ts';
import type { OutboxFiles } from '../outbox/files.ts';

interface File {
  /** What the process and its successor see. */
  cached: Buffer;
  /** What is there after a power cut. */
  durable: Buffer;
}

/**
 * A disk in memory that loses at a power cut what was not flushed, tears what was under way, and fills up. Each
 * process has a view of its own (`files`); when it is gone, nothing that it began comes to its end any more.
 */
export class SimulatedDisk {
  full = false;
  /** Asked with the number of each write: whether the disk refuses it, besides being full. */
  refuses: (write: number) => boolean = () => false;
  writes = 0;
  readonly #content = new Map<string, File>();
  readonly #random: Random;
  #process = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** kill -9: what was written is there, flushed or not. */
  kill(): void {
    this.#process++;
  }

  /** A power cut: what was not flushed is gone, but for some of its first bytes. */
  powerCut(): void {
    this.#process++;
    for (const file of this.#content.values()) {
      const unflushed = file.cached.subarray(file.durable.length);
      const torn = unflushed.subarray(0, Math.floor(this.#random() * unflushed.length));
      file.durable = Buffer.concat([file.durable, torn]);
      file.cached = file.durable;
    }
  }

  bytes(path: string): number {
    return this.#content.get(path)?.cached.length ?? 0;
  }

  /** Of all files together, whatever they are. */
  get totalBytes(): number {
    let sum = 0;
    for (const { cached } of this.#content.values()) sum += cached.length;
    return sum;
  }

  files(): OutboxFiles {
    const process = this.#process;
    const alive = (): boolean => process === this.#process;
    const get = (path: string): File => {
      const known = this.#content.get(path) ?? { cached: Buffer.alloc(0), durable: Buffer.alloc(0) };
      this.#content.set(path, known);
      return known;
    };
    const refused = (): boolean => this.refuses(this.writes++) || this.full;
    const write = (path: string, bytes: Uint8Array): void => {
      const file = get(path);
      const isRefused = refused();
      const room = isRefused ? Math.floor(this.#random() * bytes.length) : bytes.length;
      file.cached = Buffer.concat([file.cached, bytes.subarray(0, room)]);
      if (isRefused) throw noSpace();
    };
    const put = (path: string, bytes: Uint8Array): void => {
      this.#content.set(path, { cached: Buffer.from(bytes), durable: Buffer.from(bytes) });
    };
    return {
      read: (path) => this.#content.get(path)?.cached,
      readAt: (path, offset, length) => Buffer.from(get(path).cached.subarray(offset, offset + length)),
      append: (path, bytes) => {
        if (alive()) write(path, bytes);
      },
      appendDurably: async (path, bytes) => {
        if (!alive()) return gone();
        write(path, bytes);
        await Promise.resolve();
        if (!alive()) return gone();
        const file = get(path);
        file.durable = file.cached;
      },
      truncate: (path, length) => {
        if (alive()) put(path, get(path).cached.subarray(0, length));
      },
      replace: (path, bytes) => {
        if (!alive()) return;
        if (refused()) throw noSpace();
        put(path, bytes);
      },
      replaceDurably: async (path, bytes) => {
        if (refused()) throw noSpace();
        await Promise.resolve();
        if (!alive()) return gone();
        put(path, bytes);
      },
      flush: (path) => {
        if (alive()) put(path, get(path).cached);
      },
      remove: (path) => {
        if (alive()) this.#content.delete(path);
      },
    };
  }
}

/** What a process that is gone waits for. */
function gone(): Promise<never> {
  return new Promise(() => {});
}

function noSpace(): Error {
  return Object.assign(new Error('no space left on the device'), { code: 'ENOSPC' });
}
