import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { clientError } from './errors.ts';

/**
 * The counters of a signer (protocol/command/command.ts): milliseconds of the clock, and strictly rising. The last
 * one is the name of an empty file in a folder beside the identity. To take one is to make a file of a higher name
 * where there was none, which the file system lets one process do; so two at once need no lock, and one that is
 * killed leaves none behind.
 */

const NAME = /^\d{1,15}$/;
/** Somebody else was quicker so often: then the folder is not what it seems. */
const TRIES_MAX = 10_000;

/** `operator.json` has `operator.counter/`. */
export const counterFolder = (identityFile: string): string =>
  `${identityFile.replace(/\.json$/, '')}.counter`;

/**
 * Take counters that nobody else takes, each above all that were taken before.
 *
 * @param count how many, for a campaign: one after the other from the one that is returned
 * @returns the first of them
 * @throws ERR_OP_COUNTER
 */
export function takeCounters(identityFile: string, nowMs: number, count = 1): number {
  const folder = counterFolder(identityFile);
  try {
    mkdirSync(folder, { mode: 0o700, recursive: true });
    for (let tries = 0; tries < TRIES_MAX; tries += 1) {
      // A long block ends with the clock and does not run ahead of it: a desk takes no counter from the future.
      const first = Math.max(nowMs - count + 1, highest(folder) + 1);
      const last = first + count - 1;
      if (!claim(join(folder, String(last)))) continue;
      // Whoever began at the same moment may have claimed among these, or above them: then they would not rise.
      const others = numbersIn(folder).filter((number) => number !== last);
      if (others.some((other) => other >= first)) continue;
      sync(folder);
      for (const older of others) rmSync(join(folder, String(older)), { force: true });
      return first;
    }
  } catch (cause) {
    throw clientError('ERR_OP_COUNTER', `${folder} cannot be used: mend its rights`, { cause });
  }
  throw clientError('ERR_OP_COUNTER', `${folder}: counters are being taken faster than one can be had here`);
}

const numbersIn = (folder: string): readonly number[] =>
  readdirSync(folder)
    .filter((name) => NAME.test(name))
    .map(Number);

const highest = (folder: string): number =>
  numbersIn(folder).reduce((most, number) => Math.max(most, number), 0);

function claim(file: string): boolean {
  try {
    closeSync(openSync(file, 'wx', 0o600));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** A counter that a power failure takes back would be used twice. */
function sync(folder: string): void {
  for (const path of [folder, dirname(folder)]) {
    const fd = openSync(path, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }
}
