import { HesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import type { OutboxFiles } from '../outbox/files.ts';
import { decodeDelta, decodeLedger, encodeDelta, encodeLedger } from './codec.ts';
import { encodeFrame, encodeHead, readFrames } from './frames.ts';
import { applyDelta, type Delta, type Ledger } from './ledger.ts';
import { JOURNAL_GROWTH_BYTES } from './limits.ts';

/**
 * The ledger on its disk. There is no file before the first change: a fleet of ten thousand meters that nobody
 * commands costs no file and no flush. `commit` resolves once a change is there, and the ledger in memory is never
 * ahead of what a restart would read, nor behind it. A write that failed is taken back; where not even that is certain the journal
 * is `suspect`, and says nothing until a new file has taken the place of the old.
 */
export class Journal {
  readonly path: string;
  readonly #device: DeviceId;
  readonly #files: OutboxFiles;
  #ledger: Ledger;
  #bytes = 0;
  #firstBytes = 0;
  #suspect: boolean;
  /** No file was ever written: the ledger is a new one. */
  #absent: boolean;

  private constructor(
    path: string,
    device: DeviceId,
    files: OutboxFiles,
    ledger: Ledger,
    found: 'found' | 'absent',
  ) {
    this.path = path;
    this.#device = device;
    this.#files = files;
    this.#ledger = ledger;
    this.#absent = found === 'absent';
    this.#suspect = !this.#absent;
  }

  /**
   * Read it back, or begin it. What the last write left unfinished was never answered for, and is cut.
   * @throws ERR_JOURNAL_READ; ERR_JOURNAL_FORMAT and ERR_JOURNAL_DAMAGED, and nothing was removed: without its
   *   counters a meter would take commands twice
   */
  static async open(options: {
    readonly path: string;
    readonly device: DeviceId;
    readonly files: OutboxFiles;
    /** Where there is no file. */
    readonly fresh: () => Ledger;
  }): Promise<Journal> {
    const { path, device, files, fresh } = options;
    const bytes = load(files, path);
    if (bytes === undefined) return new Journal(path, device, files, fresh(), 'absent');
    const ledger = ledgerOf(bytes, path, device);
    return await begun(new Journal(path, device, files, ledger, 'found'));
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Whether the last write failed and could not be taken back. */
  get suspect(): boolean {
    return this.#suspect;
  }

  /** Have a file that is certain. @throws ERR_JOURNAL_WRITE */
  async ready(): Promise<void> {
    if (this.#suspect) await this.#rewrite(this.#ledger);
  }

  /**
   * Keep a change; it is on the disk when this resolves.
   * @throws ERR_JOURNAL_WRITE; then nothing was changed, unless the journal is `suspect`
   */
  async commit(delta: Delta): Promise<void> {
    const next = applyDelta(this.#ledger, delta);
    const isLong = this.#bytes - this.#firstBytes > JOURNAL_GROWTH_BYTES;
    if (this.#suspect || this.#absent || isLong) await this.#rewrite(next);
    else await this.#append(encodeFrame(encodeDelta(delta)));
    this.#ledger = next;
  }

  /**
   * What is true and cannot be kept: something that was done while the disk took nothing. The next file that can be
   * written holds it.
   */
  believe(delta: Delta): void {
    this.#ledger = applyDelta(this.#ledger, delta);
    this.#suspect = true;
  }

  /** What is of the moment in a state, and not kept. */
  pass(state: Ledger['state']): void {
    this.#ledger = { ...this.#ledger, state };
  }

  async #append(frame: Buffer): Promise<void> {
    try {
      await this.#files.appendDurably(this.path, frame);
      this.#bytes += frame.length;
    } catch (cause) {
      this.#takeBack();
      throw writeError(this.path, cause);
    }
  }

  /** A frame that failed may be there all the same, and would be read back after a restart. */
  #takeBack(): void {
    // Nothing is appended behind it: a second flush may succeed without having written anything.
    this.#firstBytes = Number.NEGATIVE_INFINITY;
    try {
      this.#files.truncate(this.path, this.#bytes);
    } catch {
      this.#suspect = true;
    }
  }

  /** Whether what was there before is there still, and would be after a restart: a file, or none. */
  #isOld(fresh: Buffer): boolean {
    try {
      const there = this.#files.read(this.path);
      return this.#absent ? there === undefined : there !== undefined && !there.equals(fresh);
    } catch {
      return false;
    }
  }

  async #rewrite(ledger: Ledger): Promise<void> {
    const bytes = Buffer.concat([encodeHead(this.#device), encodeFrame(encodeLedger(ledger))]);
    try {
      await this.#files.replaceDurably(this.path, bytes);
    } catch (cause) {
      // The rename may have been done and only its flush have failed: then either may be there after a power cut.
      if (!this.#isOld(bytes)) this.#suspect = true;
      throw writeError(this.path, cause);
    }
    this.#bytes = bytes.length;
    this.#firstBytes = bytes.length;
    this.#suspect = false;
    this.#absent = false;
  }
}

/** What a file says. @throws ERR_JOURNAL_FORMAT, ERR_JOURNAL_DAMAGED */
export function ledgerOf(bytes: Buffer, path: string, device: DeviceId): Ledger {
  const frames = readFrames(bytes, device);
  const [first, ...rest] = frames?.bodies ?? [];
  if (frames === undefined || first === undefined)
    throw new HesError('ERR_JOURNAL_FORMAT', `${path} is no journal of this device: move it aside`, {
      context: { path, bytes: bytes.length },
    });
  if (frames.damaged)
    throw new HesError('ERR_JOURNAL_DAMAGED', `${path} is damaged at byte ${frames.length}`, {
      context: { path, offset: frames.length, bytes: bytes.length },
    });
  return rest.reduce((before, body) => applyDelta(before, decodeDelta(body)), decodeLedger(first));
}

/**
 * Written anew, so that nothing of a process that was killed is only in the page cache, nor torn at the end. A disk
 * that takes no writes is no reason for a button not to work: the journal is suspect then, and takes no command.
 */
async function begun(journal: Journal): Promise<Journal> {
  await journal.ready().catch(() => {});
  return journal;
}

function load(files: OutboxFiles, path: string): Buffer | undefined {
  try {
    return files.read(path);
  } catch (cause) {
    throw new HesError('ERR_JOURNAL_READ', `${path} cannot be read`, { cause });
  }
}

function writeError(path: string, cause: unknown): HesError {
  const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  return new HesError('ERR_JOURNAL_WRITE', `the disk refused a write of ${path} (${reason})`, {
    cause,
    context: { reason },
  });
}
