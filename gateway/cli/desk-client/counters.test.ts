import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { counterFolder, takeCounters } from './counters.ts';

const root = mkdtempSync(join(tmpdir(), 'hes-counters-'));
afterAll(() => rmSync(root, { recursive: true }));
let file: string;
let drawn = 0;
beforeEach(() => {
  drawn += 1;
  mkdirSync(join(root, String(drawn)));
  file = join(root, String(drawn), 'operator.json');
});
const NOW = 1_800_000_000_000;

describe('the counters of a signer', () => {
  it('are milliseconds of the clock', () => {
    expect(takeCounters(file, NOW)).toBe(NOW);
    expect(takeCounters(file, NOW + 5)).toBe(NOW + 5);
  });

  it('rise within a millisecond, and where the clock was set back', () => {
    const taken = [NOW, NOW, NOW - 60_000, NOW].map((nowMs) => takeCounters(file, nowMs));
    expect(taken).toEqual([NOW, NOW + 1, NOW + 2, NOW + 3]);
  });

  it('come in blocks that end with the clock, and never among those that were taken', () => {
    const first = takeCounters(file, NOW, 1_000);
    expect(first).toBe(NOW - 999);
    expect(takeCounters(file, NOW, 1_000)).toBe(NOW + 1);
    expect(takeCounters(file, NOW)).toBe(NOW + 1_001);
  });

  it('leave one file behind', () => {
    for (let taken = 0; taken < 50; taken += 1) takeCounters(file, NOW);
    expect(readdirSync(counterFolder(file))).toEqual([String(NOW + 49)]);
  });

  it('are taken once each by processes at once', async () => {
    const children = Array.from({ length: 4 }, () => takeInChild(file, 100));
    const taken = (await Promise.all(children)).map((text) => text.trim().split(' ').map(Number));
    for (const own of taken) {
      expect(own).toHaveLength(100);
      expect(own).toEqual([...own].sort((left, right) => left - right));
    }
    expect(new Set(taken.flat()).size).toBe(400);
  });

  it.skipIf(process.getuid?.() === 0)('are refused where they cannot be kept', () => {
    takeCounters(file, NOW);
    chmodSync(counterFolder(file), 0o500);
    expect(() => takeCounters(file, NOW)).toThrow(expect.objectContaining({ code: 'ERR_OP_COUNTER' }));
  });
});

/** A clock that stands still makes them meet. */
function takeInChild(identity: string, count: number): Promise<string> {
  const module = new URL('./counters.ts', import.meta.url).href;
  const program = `
    const { takeCounters } = await import(${JSON.stringify(module)});
    const taken = [];
    for (let at = 0; at < ${count}; at += 1) taken.push(takeCounters(${JSON.stringify(identity)}, ${NOW}));
    process.stdout.write(taken.join(' '));`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`ended with ${code}`))));
  });
}
