import { createReadStream, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { usage } from '../errors.ts';

/** Documents that go between a device and its operator: small texts without secrets, by file or by standard input. */

/** Anyone may read what was written: the installer is often another user than the service. */
const PUBLIC_MODE = 0o644;

/**
 * A text of a file, or of standard input for `-`. Of one that is longer than `bytesMax` little more than that is read:
 * whoever parses it will refuse it. @throws ERR_USAGE
 */
export async function readDocument(file: string, bytesMax: number): Promise<string> {
  const stream = file === '-' ? process.stdin : createReadStream(file);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Buffer | string>) {
      chunks.push(Buffer.from(chunk));
      length += chunk.length;
      if (length > bytesMax) break;
    }
  } catch (error) {
    throw usage(`${file === '-' ? 'standard input' : file} cannot be read (${systemCode(error)})`);
  }
  return Buffer.concat(chunks).toString('utf8');
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
