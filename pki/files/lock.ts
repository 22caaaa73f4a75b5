import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { pkiError } from '../errors.ts';
import { beside, systemCode, withFile } from './files.ts';

/** Another process holds the list for as long as it takes to write one file. */
export const LOCK_WAIT_MS = 5_000;
const LOCK_POLL_MS = 5;

/**
 * Two processes that add to one list at once must not lose either's entries: the lock is a file made exclusively. It
 * says who holds it, so that what a process left that was killed, or a machine that lost its power, holds up nobody.
 */
export function withLock<Result>(lock: string, waitMs: number, run: () => Result): Result {
  const endMs = performance.now() + waitMs;
  while (!tryLock(lock)) {
    if (performance.now() > endMs)
      throw pkiError('ERR_PKI_BUSY', `${lock} is held: try again, or remove it if no other process runs`, {
        context: { file: lock },
      });
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LOCK_POLL_MS);
  }
  try {
    return run();
  } finally {
    rmSync(lock, { force: true });
  }
}

function tryLock(lock: string): boolean {
  return withFile(lock, () => {
    // Linked with what it says: an empty one was left by a power cut and is nobody's.
    const fresh = beside(lock);
    writeFileSync(fresh, holderOf(process.pid), { mode: 0o600 });
    try {
      linkSync(fresh, lock);
      return true;
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
      if (isLeft(lock)) rmSync(lock, { force: true });
      return false;
    } finally {
      rmSync(fresh, { force: true });
    }
  });
}

/** A process by its number and the moment of its start: numbers are given again. */
export function holderOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // proc(5): the 22nd field is the start time; the second, in parentheses, may hold anything.
    const start = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${pid} ${start ?? ''}`;
  } catch {
    return `${pid} `;
  }
}

/** Whether nobody holds a lock any more. What is held by this process is not held: whoever asks runs in it now. */
function isLeft(lock: string): boolean {
  let holder: string;
  try {
    holder = readFileSync(lock, 'latin1');
  } catch {
    return false;
  }
  const pid = Number.parseInt(holder, 10);
  if (!Number.isSafeInteger(pid) || pid === process.pid) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === 'ESRCH';
  }
  return holderOf(pid) !== holder;
}
