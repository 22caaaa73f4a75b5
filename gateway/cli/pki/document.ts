import { closeSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { usage } from '../errors.ts';

/** Documents that go between a device and its operator: small texts without secrets, by file or by standard input. */

const STDIN = 0;
/** Anyone may read what was written: the installer is often another user than the service. */
const PUBLIC_MODE = 0o644;

/**
 * A text of a file, or of standard input for `-`. Of one that is longer than `bytesMax` just more than that is read:
 * whoever parses it will refuse it. @throws ERR_USAGE
 */
export function readDocument(file: string, bytesMax: number): string {
  try {
    const fd = file === '-' ? STDIN : openSync(file, 'r');
    try {
      const bytes = Buffer.alloc(bytesMax + 1);
      let length = 0;
      while (length < bytes.length) {
        const read = readSync(fd, bytes, length, bytes.length - length, null);
        if (read === 0) break;
        length += read;
      }
      return bytes.toString('utf8', 0, length);
    } finally {
      if (fd !== STDIN) closeSync(fd);
    }
  } catch (error) {
    throw usage(`${file === '-' ? 'standard input' : file} cannot be read (${systemCode(error)})`);
  }
}

/** Write a text whole or not at all; to standard output where no file is named. @throws ERR_USAGE */
export function writeDocument(file: string | undefined, text: string): void {
  if (file === undefined) {
    process.stdout.write(text);
    return;
  }
  const fresh = join(dirname(file), `.${basename(file)}.new-${process.pid}`);
  try {
    writeFileSync(fresh, text, { mode: PUBLIC_MODE });
    renameSync(fresh, file);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw usage(`${file} cannot be written (${systemCode(error)})`);
  }
}

const systemCode = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
