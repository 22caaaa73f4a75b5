import { mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { processMark, takeLock } from './lock.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-lock-'));
  path = join(directory, 'outbox.lock');
});

afterEach(() => rmSync(directory, { recursive: true }));

const self = processMark(process.pid)!;
const locked = expect.objectContaining({ code: 'ERR_OUTBOX_LOCKED' });

/** A mark of a process that has this process's number but started at another time: it is gone. */
const dead = (start: number): string => `${self.split('.').slice(0, 2).join('.')}.${start}`;

describe('the lock of an outbox', () => {
  test('is refused while a running process holds it, this one or another', () => {
    const lock = takeLock(path);
    expect(() => takeLock(path)).toThrow(locked);
    lock.release();
    symlinkSync(processMark(process.ppid)!, path);
    expect(() => takeLock(path)).toThrow(locked);
  });

  test('is refused while a running process takes it over from a dead one', () => {
    symlinkSync(dead(1), path);
    symlinkSync(processMark(process.ppid)!, `${path}.${dead(1)}`);
    expect(() => takeLock(path)).toThrow(locked);
    expect(readdirSync(directory)).toHaveLength(2);
  });

  test('is taken over from a process that was killed, also when its number was given out again', () => {
    symlinkSync(dead(1), path);
    const lock = takeLock(path);
    expect(readlinkSync(path)).toBe(self);
    expect(readdirSync(directory)).toEqual(['outbox.lock']);
    lock.release();
    expect(readdirSync(directory)).toEqual([]);
  });

  test('is taken over when processes were killed while they took it over', () => {
    symlinkSync(dead(1), path);
    symlinkSync(dead(2), `${path}.${dead(1)}`);
    symlinkSync(dead(3), `${path}.${dead(2)}`);
    expect(takeLock(path).held()).toBe(true);
    expect(readdirSync(directory)).toEqual(['outbox.lock']);
  });

  test('of another boot is taken over', () => {
    symlinkSync(`00000000.${process.ppid}.5`, path);
    expect(takeLock(path).held()).toBe(true);
  });

  test('that somebody removed by hand is noticed, and the next holder is left alone', () => {
    const lock = takeLock(path);
    unlinkSync(path);
    expect(lock.held()).toBe(false);
    symlinkSync(dead(9), path);
    lock.release();
    expect(readlinkSync(path)).toBe(dead(9));
  });
});
