import { rmSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The lock of a process that is gone: whoever opens the folder next takes it over. In a test the dead holder and
 * the living one are the same process, so the lock is taken away instead.
 */
export function releaseLock(directory: string): void {
  rmSync(join(directory, 'outbox.lock'), { force: true });
}
