import { mkdirSync, readFileSync, readlinkSync, renameSync, symlinkSync, unlinkSync } from 'node:fs';
import { dirname } from 'node:path';
import { HesError } from '../../../protocol/errors.ts';

/**
 * Two processes must never share an outbox: they would give out the same numbers. The lock is a symbolic link
 * that points to its holder (boot, process, start time): made in one step with its content, so there is no moment
 * in which it is empty, and a process number that was given out again is not taken for the old holder.
 *
 * Taking over from a killed holder needs the claim `….lock.<holder>`, which only one process can make. A claim
 * left behind by a taker that was killed too is itself taken over by claiming that taker.
 *
 * Both processes must see each other's process numbers: containers that share a folder do not.
 */

const CLAIMS_FOLLOWED_MAX = 16;

export interface Lock {
  /** Whether the lock is still this process's own: it is not when somebody removed it by hand. */
  held(): boolean;
  release(): void;
}

/** @throws ERR_OUTBOX_LOCKED while another running process holds it */
export function takeLock(path: string, self = ownMark()): Lock {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (!link(path, self)) takeOver(path, self);
  return {
    held: () => holderOf(path) === self,
    release: () => {
      if (holderOf(path) === self) unlinkSync(path);
    },
  };
}

function takeOver(path: string, self: string): void {
  const holder = holderOf(path);
  if (holder === undefined) {
    // Released in between: once more, as if it had never been there.
    if (!link(path, self)) throw locked(path);
    return;
  }
  const claims = claim(path, holder, self);
  try {
    // Whoever took it over in the meantime has removed its claims; the lock then names a living process.
    if (holderOf(path) !== holder) throw locked(path);
    const fresh = `${path}.own.${process.pid}`;
    // Left behind by a killed process that had the same number.
    if (holderOf(fresh) !== undefined) unlinkSync(fresh);
    link(fresh, self);
    renameSync(fresh, path);
  } finally {
    for (const made of claims.toReversed()) unlinkSync(made);
  }
}

/** The right to replace a dead holder's lock; returns the claims to remove afterwards, the own one last. */
function claim(path: string, holder: string, self: string): string[] {
  const claims: string[] = [];
  let dead: string | undefined = holder;
  while (claims.length < CLAIMS_FOLLOWED_MAX) {
    if (dead === undefined || isAlive(dead)) throw locked(path);
    const name = `${path}.${dead}`;
    claims.push(name);
    if (link(name, self)) return claims;
    dead = holderOf(name);
  }
  throw locked(path);
}

function link(path: string, target: string): boolean {
  try {
    symlinkSync(target, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function holderOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(mark: string): boolean {
  const pid = Number(mark.split('.')[1]);
  return Number.isInteger(pid) && pid > 0 && processMark(pid) === mark;
}

let own: string | undefined;

/** Asked once: a process that holds 10,000 outboxes would read the same file 10,000 times. */
function ownMark(): string {
  own ??= processMark(process.pid) ?? `none.${process.pid}.0`;
  return own;
}

let boot: string | undefined;

/** `boot.pid.start`, or undefined where no such process runs. Without /proc only the process number speaks. */
export function processMark(pid: number): string | undefined {
  try {
    boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').slice(0, 8);
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name in brackets may hold spaces and brackets; state is the first field after it, start time the 20th.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie holds nothing any more.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : `${boot}.${pid}.${fields[19]}`;
  } catch {
    return boot === undefined && runs(pid) ? `none.${pid}.0` : undefined;
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function locked(path: string): HesError {
  return new HesError('ERR_OUTBOX_LOCKED', `another running process holds ${path}`);
}
