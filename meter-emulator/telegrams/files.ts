import { readdir, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { HesError } from '../../protocol/errors.ts';
import type { EmulatorErrorCode } from '../errors.ts';
import { beginsLikeTelegram } from './sniff.ts';

/** Each file is a meter; more of them than this is not a folder of recordings. */
export const RECORDINGS_MAX = 10_000;

export interface RecordedFile {
  readonly path: string;
  /** How reports call it: its path below the folder that was given. */
  readonly name: string;
}

export interface FoundRecordings {
  readonly recordings: readonly RecordedFile[];
  /** Files of a folder in which no telegram begins, such as its README. */
  readonly skipped: readonly RecordedFile[];
}

/**
 * The recordings behind a path: the file itself, whatever is in it, or every file in the folder and below it in
 * which a telegram begins, in the order of their names. Hidden files are none.
 * @throws ERR_TELEGRAMS_PATH
 */
export async function findRecordings(path: string): Promise<FoundRecordings> {
  const root = resolve(path);
  try {
    if (!(await stat(root)).isDirectory())
      return { recordings: [{ path: root, name: basename(root) }], skipped: [] };
    const entries = await readdir(root, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => ({ path: file, name: relative(root, file) }))
      .filter(({ name }) => !name.split(/[\\/]/).some((part) => part.startsWith('.')))
      .toSorted((one, other) => (one.name < other.name ? -1 : 1));
    if (files.length === 0) throw failure(`${path} holds no file`);
    if (files.length > RECORDINGS_MAX) throw failure(`${path} holds more than ${RECORDINGS_MAX} files`);
    const recordings: RecordedFile[] = [];
    const skipped: RecordedFile[] = [];
    for (const file of files) ((await begins(file)) ? recordings : skipped).push(file);
    if (recordings.length === 0) throw failure(`${path} holds no file in which a P1 telegram begins`);
    return { recordings, skipped };
  } catch (cause) {
    if (cause instanceof HesError) throw cause;
    throw failure(`${path} ${reasonOf(cause)}`, cause);
  }
}

async function begins({ path, name }: RecordedFile): Promise<boolean> {
  try {
    return await beginsLikeTelegram(path);
  } catch (cause) {
    throw failure(`${name} ${reasonOf(cause)}`, cause);
  }
}

function reasonOf(cause: unknown): string {
  const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
  return REASONS[code] ?? `cannot be read (${code})`;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
};

function failure(message: string, cause?: unknown): HesError {
  const code: EmulatorErrorCode = 'ERR_TELEGRAMS_PATH';
  return new HesError(code, message, cause === undefined ? {} : { cause });
}
