import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isHesError } from '../../protocol/errors.ts';
import { type PkiErrorCode, pkiError } from '../errors.ts';

/** Only the owner may read: these folders hold private keys. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;
const OTHERS_MASK = 0o077;

const RIGHTS_CODES: ReadonlySet<string> = new Set(['EACCES', 'EPERM', 'EROFS']);

/** Errors that name a file or say more than that one is damaged. */
const NAMED_ALREADY: ReadonlySet<string> = new Set<PkiErrorCode>([
  'ERR_PKI_DAMAGED',
  'ERR_PKI_RIGHTS',
  'ERR_PKI_DEVELOPMENT',
  'ERR_PKI_PASSPHRASE',
]);

export function systemCode(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';
}

/** Run a file operation; its failure becomes an error that names the file and says what to do. */
export function withFile<Result>(file: string, run: () => Result): Result {
  try {
    return run();
  } catch (cause) {
    // What a token says is of the token, whichever file refers to it.
    if (isHesError(cause) && (NAMED_ALREADY.has(cause.code) || cause.code.startsWith('ERR_HSM_')))
      throw cause;
    const context = { file };
    const code = systemCode(cause);
    if (RIGHTS_CODES.has(code))
      throw pkiError('ERR_PKI_RIGHTS', `no right to use ${file}: mend its owner or mode (${code})`, {
        cause,
        context,
      });
    if (code === 'ENOENT')
      throw pkiError(
        'ERR_PKI_DAMAGED',
        `${file} is missing: restore it, or remove the folder and start anew`,
        {
          cause,
          context,
        },
      );
    throw pkiError(
      'ERR_PKI_DAMAGED',
      `${file} cannot be used${code === '' ? '' : ` (${code})`}: restore it, or remove the folder and start anew`,
      { cause, context },
    );
  }
}

/** @throws ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function readText(file: string): string {
  return withFile(file, () => readFileSync(file, 'utf8'));
}

/**
 * A file that is nobody's but its owner's. Others who may read it may have done so already.
 * @throws ERR_PKI_DAMAGED (missing), ERR_PKI_RIGHTS
 */
export function readPrivateText(file: string): string {
  const others = withFile(file, () => statSync(file)).mode & OTHERS_MASK;
  if (others !== 0)
    throw pkiError('ERR_PKI_RIGHTS', `${file} may be read or written by others: run \`chmod 600 ${file}\``, {
      context: { file },
    });
  return readText(file);
}

/** Node refuses fsync to a process under `--permission`, as `hes ca` is: there each write is on the disk when it returns. */
const MAY_FSYNC = process.permission === undefined;
const NEW_AND_SYNCED = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_SYNC;

/** A new file that only its owner can read, on the disk before this returns where `durable`. */
export function writeNew(file: string, text: string | Uint8Array, durable = true): void {
  withFile(file, () => {
    const fd = openSync(file, durable && !MAY_FSYNC ? NEW_AND_SYNCED : 'wx', FILE_MODE);
    try {
      writeFileSync(fd, text);
      if (durable && MAY_FSYNC) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  });
}

/**
 * Make a folder and those above it. (Step by step: Node's recursive mkdir never returns where the system denies
 * that a parent exists which is plainly there, as /proc does.)
 */
export function makeFolder(folder: string, durable = false): void {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() === true) return;
  if (dirname(folder) !== folder) makeFolder(dirname(folder), durable);
  withFile(folder, () => {
    try {
      mkdirSync(folder, { mode: FOLDER_MODE });
    } catch (error) {
      // Another process may have made it in between; a file in its place is still an error.
      if (systemCode(error) !== 'EEXIST' || !statSync(folder).isDirectory()) throw error;
    }
  });
  if (durable) syncFolder(dirname(folder));
}

/** The name of something being made beside its place; a killed process leaves nothing but such a name. */
export function beside(path: string): string {
  return join(dirname(path), `.${basename(path)}.new-${process.pid}-${randomBytes(6).toString('hex')}`);
}

/** Replace a file at once: whoever reads sees the old text or the new one, whenever this process is killed. */
export function replaceFile(file: string, text: string | Uint8Array, durable = true): void {
  const fresh = beside(file);
  try {
    writeNew(fresh, text, durable);
    withFile(file, () => renameSync(fresh, file));
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
  if (durable) syncFolder(dirname(file));
}

/**
 * Make a file whole or not at all, and only where there is none: of two processes at once one makes it.
 * @returns whether this call made it
 */
export function placeNew(file: string, text: string): boolean {
  const fresh = beside(file);
  let placed: boolean;
  try {
    writeNew(fresh, text);
    placed = withFile(file, () => {
      try {
        linkSync(fresh, file);
        return true;
      } catch (error) {
        if (systemCode(error) === 'EEXIST') return false;
        // Who made it in between has swept this one away (sweepBeside).
        if (systemCode(error) === 'ENOENT' && existsSync(file)) return false;
        throw error;
      }
    });
  } finally {
    rmSync(fresh, { force: true });
  }
  syncFolder(dirname(file));
  return placed;
}

/** What killed processes left beside a file that is now in its place: they may hold keys. */
export function sweepBeside(file: string): void {
  const folder = dirname(file);
  const prefix = `.${basename(file)}.new-`;
  for (const entry of readdirSync(folder))
    if (entry.startsWith(prefix)) rmSync(join(folder, entry), { force: true });
}

/** The text of a file, or undefined where there is none. @throws ERR_PKI_DAMAGED, ERR_PKI_RIGHTS */
export function readTextIfThere(file: string): string | undefined {
  return withFile(file, () => {
    try {
      return readFileSync(file, 'utf8');
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw error;
    }
  });
}

/** Make a rename in this folder last. Some systems cannot open a folder; there the rename has to do. */
export function syncFolder(folder: string): void {
  let fd: number;
  try {
    fd = openSync(folder, 'r');
  } catch {
    return;
  }
  try {
    fsyncSync(fd);
  } catch (error) {
    if (systemCode(error) === 'EIO') throw error;
  } finally {
    closeSync(fd);
  }
}
