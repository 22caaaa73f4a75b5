import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { mosquittoIsHere } from '../../bench/lib/mosquitto.ts';
import { readResults } from '../../bench/lib/result.ts';
import { BENCH_NAMES } from '../../bench/lib/table.ts';

const run = promisify(execFile);
const RUNNER = new URL('../../bench/run.ts', import.meta.url).pathname;

/** Ratios that are null where Mosquitto is absent, as the benchmark then says. */
const BESIDE_MOSQUITTO = new Set(['front-idle', 'day']);

/** Each benchmark in its shortest form: that it runs and what it yields. What it yields means nothing here. */
describe('npm run bench -- --quick', () => {
  const out = mkdtempSync(join(tmpdir(), 'hes-bench-test-'));
  afterAll(() => rmSync(out, { recursive: true, force: true }));

  it('refuses a benchmark that does not exist, and names those that do', async () => {
    const refused = await run(process.execPath, [RUNNER, 'daze']).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 64, stdout: expect.stringContaining(BENCH_NAMES.join(', ')) });
  });

  it.each(BENCH_NAMES)('runs %s to its end, with its ratios', async (name) => {
    const { stdout } = await run(process.execPath, [RUNNER, name, '--quick', '--out', out]);
    const result = readResults(join(out, 'results')).find((one) => one.name === name)!;
    expect(result).toMatchObject({ quick: true, name });
    expect(result.ratios.length).toBeGreaterThan(0);
    expect(result.figures.length).toBeGreaterThan(0);
    for (const ratio of result.ratios) {
      expect(stdout).toContain(ratio.name);
      if (ratio.value === null) expect(result.absent).not.toEqual([]);
      else expect(Number.isFinite(ratio.value)).toBe(true);
      if (mosquittoIsHere && BESIDE_MOSQUITTO.has(name)) expect(ratio.value).not.toBeNull();
    }
    for (const { value } of result.figures) expect(Number.isFinite(value)).toBe(true);
    expect(readFileSync(join(out, 'RESULTS.md'), 'utf8')).toContain(`## ${name}`);
  });

  it('leaves the results of the last whole run alone', async () => {
    const committed = new URL('../../bench/RESULTS.md', import.meta.url);
    const before = readFileSync(committed, 'utf8');
    await run(process.execPath, [RUNNER, 'bus', '--quick']);
    expect(readFileSync(committed, 'utf8')).toBe(before);
  });
});
