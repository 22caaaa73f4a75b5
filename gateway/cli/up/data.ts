import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { HesError } from '../../../protocol/errors.ts';
import type { CliErrorCode } from '../errors.ts';

/**
 * The data folder of `hes up`: development keys and the devices' sealed outboxes, nothing else.
 * One `hes up` owns it at a time; what an ended one left of a bounded run is cleared at the next start.
 */
export interface DataFolder {
  readonly path: string;
  /** A folder of this run alone; `release` removes it. */
  readonly run: string;
  /** Under which this run's devices live: the data folder, or the run's own. */
  readonly devices: string;
  release(): void;
}

const LOCK = 'up.lock';
const RUNS = 'runs';

/** @throws ERR_DATA_RIGHTS, ERR_DATA_LOCKED, ERR_DATA_DAMAGED */
export function openDataFolder(directory: string, { ownDevices }: { ownDevices: boolean }): DataFolder {
  const path = resolve(directory);
  return guarded(path, () => {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (!statSync(path).isDirectory()) throw failure('ERR_DATA_DAMAGED', `${path} is not a folder`);
    takeLock(join(path, LOCK));
    rmSync(join(path, RUNS), { recursive: true, force: true });
    const run = join(path, RUNS, String(process.pid));
    mkdirSync(run, { recursive: true, mode: 0o700 });
    return {
      path,
      run,
      devices: ownDevices ? run : path,
      release() {
        rmSync(join(path, RUNS), { recursive: true, force: true });
        rmSync(join(path, LOCK), { force: true });
      },
    };
  });
}

function takeLock(file: string): void {
  for (;;) {
    try {
      writeFileSync(file, `${process.pid}\n`, { flag: 'wx', mode: 0o600 });
      return;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    }
    const owner = Number(readIfThere(file) ?? 0);
    if (owner > 0 && owner !== process.pid && isOurs(owner))
      throw failure(
        'ERR_DATA_LOCKED',
        `process ${owner} is using ${file.slice(0, -LOCK.length - 1)}: stop it, or choose another folder with --data DIR`,
      );
    // Its owner was killed: the lock is nobody's.
    rmSync(file, { force: true });
  }
}

/** Whether the process lives and is a `hes` (a process id is used again after a reboot). */
function isOurs(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const commandLine = readIfThere(`/proc/${pid}/cmdline`);
  return commandLine === undefined || /hes\.[jt]s/.test(commandLine);
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

const RIGHTS = new Set(['EACCES', 'EPERM', 'EROFS']);

function guarded<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (cause) {
    if (cause instanceof HesError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    if (RIGHTS.has(code))
      throw failure(
        'ERR_DATA_RIGHTS',
        `${path} may not be written by this user: choose another folder with --data DIR`,
        cause,
      );
    if (code === 'ENOTDIR' || code === 'EEXIST')
      throw failure('ERR_DATA_DAMAGED', `${path} is not a folder: choose another with --data DIR`, cause);
    throw failure(
      'ERR_DATA_RIGHTS',
      `${path} cannot be used (${code}): choose another folder with --data DIR`,
      cause,
    );
  }
}

function failure(code: CliErrorCode, message: string, cause?: unknown): HesError<CliErrorCode> {
  return new HesError(code, message, cause === undefined ? {} : { cause });
}
