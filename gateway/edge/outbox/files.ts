import {
  closeSync,
  fdatasyncSync,
  fsync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { FILES_OPEN_MAX } from './limits.ts';

/**
 * What the outbox asks of a disk. Files are opened for each use and closed again: 10,000 devices in one process
 * hold no handle between their days. Only the wait for the disk is asynchronous, since a page-cache write costs
 * less than handing it to another thread.
 */
export interface OutboxFiles {
  /** The whole file, or undefined where there is none. */
  read(path: string): Buffer | undefined;
  readAt(path: string, offset: number, length: number): Buffer;
  /** Append; survives the process, not the power. */
  append(path: string, bytes: Uint8Array): void;
  /** Append; on disk when it resolves. */
  appendDurably(path: string, bytes: Uint8Array): Promise<void>;
  /** Cut to a length, durably. */
  truncate(path: string, length: number): void;
  /** Put a whole file in the place of the old one, durably: after a crash either the old or the new is there. */
  replace(path: string, bytes: Uint8Array): void;
  /** The same without holding the thread: a fleet that starts makes 10,000 of them. */
  replaceDurably(path: string, bytes: Uint8Array): Promise<void>;
  /** Flush what another process may have written and not flushed: a killed one. */
  flush(path: string): void;
  /** Take a file away, if it is there: what a power cut brings back is of no harm. */
  remove(path: string): void;
}

/** Sealed readings concern nobody but the device. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

export const nodeFiles: OutboxFiles = {
  read(path) {
    try {
      return readFileSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },

  readAt(path, offset, length) {
    return withFile(path, 'r', (fd) => {
      const bytes = Buffer.allocUnsafe(length);
      let read = 0;
      while (read < length) {
        const more = readSync(fd, bytes, read, length - read, offset + read);
        if (more === 0) throw new Error('the file ends before the reading does');
        read += more;
      }
      return bytes;
    });
  },

  append(path, bytes) {
    withFile(path, 'a', (fd) => writeAll(fd, bytes));
  },

  appendDurably(path, bytes) {
    return inTurn(() => writeAndFlush(path, 'a', bytes));
  },

  replaceDurably(path, bytes) {
    return inTurn(async () => {
      const temporary = `${path}.new`;
      mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
      try {
        await writeAndFlush(temporary, 'w', bytes);
        renameSync(temporary, path);
      } catch (error) {
        rmSync(temporary, { force: true });
        throw error;
      }
      await writeAndFlush(dirname(path), 'r', NOTHING);
    });
  },

  truncate(path, length) {
    withFile(path, 'r+', (fd) => {
      ftruncateSync(fd, length);
      fdatasyncSync(fd);
    });
  },

  replace(path, bytes) {
    const temporary = `${path}.new`;
    mkdirSync(dirname(path), { recursive: true, mode: DIRECTORY_MODE });
    try {
      withFile(temporary, 'w', (fd) => {
        writeAll(fd, bytes);
        fdatasyncSync(fd);
      });
      renameSync(temporary, path);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
    // The rename itself is only on disk once the folder is.
    withFile(dirname(path), 'r', fsyncSync);
  },

  flush(path) {
    withFile(path, 'r+', fdatasyncSync);
  },

  remove(path) {
    rmSync(path, { force: true });
  },
};

function withFile<T>(path: string, flags: string, use: (fd: number) => T): T {
  const fd = openSync(path, flags, FILE_MODE);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) written += writeSync(fd, bytes, written);
}

const NOTHING = new Uint8Array(0);

async function writeAndFlush(path: string, flags: string, bytes: Uint8Array): Promise<void> {
  const fd = openSync(path, flags, FILE_MODE);
  try {
    writeAll(fd, bytes);
    await new Promise<void>((resolve, reject) => {
      fsync(fd, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    closeSync(fd);
  }
}

let turns = FILES_OPEN_MAX;
const waiting: (() => void)[] = [];

async function inTurn(work: () => Promise<void>): Promise<void> {
  if (turns > 0) turns--;
  else await new Promise<void>((resolve) => waiting.push(resolve));
  try {
    await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) turns++;
    else next();
  }
}
