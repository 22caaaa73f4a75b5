import { spawnSync } from 'node:child_process';

/**
 * Is a command of the operating system here? Tests that need one are named `… (needs gdb)` and skipped where it is
 * absent; `.ci/run` installs what it takes and fails if one was skipped.
 */
export function hasCommand(command: string): boolean {
  return spawnSync('sh', ['-c', `command -v "$1"`, 'sh', command], { stdio: 'ignore' }).status === 0;
}
