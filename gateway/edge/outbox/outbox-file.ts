import { HesError } from '../../../protocol/errors.ts';
import type { Log } from '../../runtime/log.ts';
import type { OutboxFiles } from './files.ts';

/**
 * The one file of an outbox, and how far its content is known. After a failed write or flush nothing is appended
 * any more, since a second flush may succeed without having written anything: it is `suspect` until a new file
 * takes its place.
 */
export class OutboxFile {
  readonly path: string;
  readonly #files: OutboxFiles;
  readonly #log: Log;
  #bytes = 0;
  /** Also while there is no file: it is made with the first thing that it has to hold. */
  #suspect = true;
  #failing = false;

  constructor(path: string, files: OutboxFiles, log: Log) {
    this.path = path;
    this.#files = files;
    this.#log = log;
  }

  /** How long the file is, as far as it counts. */
  get bytes(): number {
    return this.#bytes;
  }

  get suspect(): boolean {
    return this.#suspect;
  }

  /** Whether the last write failed. */
  get failing(): boolean {
    return this.#failing;
  }

  /** All of it, or undefined where there is none. @throws ERR_OUTBOX_READ */
  load(): Buffer | undefined {
    return this.#read(() => this.#files.read(this.path));
  }

  /** @throws ERR_OUTBOX_READ */
  readAt(offset: number, length: number): Buffer {
    return this.#read(() => this.#files.readAt(this.path, offset, length));
  }

  /**
   * Go on after what counts of the loaded file; the rest is an unfinished write. It was never counted as stored,
   * and is kept all the same: on a failing disk it may have been. A disk that takes no writes is no reason not to
   * start: the file is left as it is, and nothing is appended to it. `flush`: see OutboxOptions.
   */
  resume(loaded: Buffer, length: number, flush: boolean): void {
    this.#bytes = length;
    this.#suspect = false;
    const tornBytes = loaded.length - length;
    try {
      if (tornBytes === 0) {
        if (flush) this.#files.flush(this.path);
        return;
      }
      this.#log.warn({ path: this.path, tornBytes }, 'cut an unfinished write from the end of the outbox');
      this.#files.replace(`${this.path}.torn`, loaded.subarray(length));
      this.#files.truncate(this.path, length);
    } catch (error) {
      this.#suspect = true;
      this.#failing = true;
      this.#log.error(
        { err: error },
        'the end of the outbox is not certain: it is written anew with the next day',
      );
    }
  }

  /** Append a frame; it is on the disk when this resolves. @throws ERR_OUTBOX_WRITE */
  async append(frame: Buffer): Promise<void> {
    const start = this.#bytes;
    // Counted at once: what is noted while this waits for the disk comes behind it.
    this.#bytes += frame.length;
    try {
      await this.#files.appendDurably(this.path, frame);
      this.#failing = false;
    } catch (cause) {
      this.#suspect = true;
      this.#failing = true;
      this.#cut(start);
      throw writeError(this.path, cause);
    }
  }

  /** Append a frame that may be lost to a power cut, or to a disk that takes no writes. */
  note(frame: Buffer): void {
    // Behind a failed write nothing may be appended: the next new file will hold what counts.
    if (this.#suspect) return;
    try {
      this.#files.append(this.path, frame);
      this.#bytes += frame.length;
    } catch (error) {
      this.#suspect = true;
      this.#failing = true;
      this.#log.warn({ err: error }, 'the outbox could not note what was delivered: it may be sent again');
    }
  }

  /** Put a new file in the place of the old one. @throws ERR_OUTBOX_WRITE; the old one is still there then */
  replace(bytes: Buffer): void {
    this.#write(() => this.#files.replace(this.path, bytes));
    this.#replaced(bytes);
  }

  /** The same without holding the thread. @throws ERR_OUTBOX_WRITE */
  async replaceDurably(bytes: Buffer): Promise<void> {
    try {
      await this.#files.replaceDurably(this.path, bytes);
    } catch (cause) {
      this.#failing = true;
      throw writeError(this.path, cause);
    }
    this.#replaced(bytes);
  }

  #replaced(bytes: Buffer): void {
    this.#bytes = bytes.length;
    this.#suspect = false;
    this.#failing = false;
  }

  #cut(length: number): void {
    try {
      this.#files.truncate(this.path, length);
    } catch (error) {
      this.#log.error({ err: error }, 'an unfinished write stays at the end of the outbox');
    }
  }

  #read<T>(read: () => T): T {
    try {
      return read();
    } catch (cause) {
      throw new HesError('ERR_OUTBOX_READ', `${this.path} cannot be read`, { cause });
    }
  }

  #write(write: () => void): void {
    try {
      write();
    } catch (cause) {
      this.#failing = true;
      throw writeError(this.path, cause);
    }
  }
}

function writeError(path: string, cause: unknown): HesError {
  const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  return new HesError('ERR_OUTBOX_WRITE', `the disk refused a write of ${path} (${reason})`, {
    cause,
    context: { reason },
  });
}
