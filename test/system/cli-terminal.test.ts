import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { TestFolder } from '../support/chaos-folder.ts';
import { Hes } from '../support/chaos-hes.ts';
import { until } from '../support/processes.ts';
import { hasCommand } from '../support/tools.ts';

const HES = resolve(import.meta.dirname, '../../gateway/cli/hes.ts');
const folder = new TestFolder();
afterAll(() => folder.remove());

describe('what a person sees, and what a log', () => {
  it('is a line that says where it runs, and no bar, where a run without end writes into a pipe', async () => {
    const args = [
      '--config',
      folder.twoTenants(),
      '--meters',
      '2',
      '--port',
      '0',
      '--data',
      folder.join('data'),
    ];
    const hes = new Hes(['up', ...args]);
    await until('it says that it runs', () => hes.stderr.includes('\n'), 60_000);
    hes.kill('SIGINT', 'alone');
    const { code, stderr } = await hes.end();
    expect(code).toBe(0);
    expect(stderr).toMatch(/^HES · front on 127\.0\.0\.1:\d+ · simulated day 2026-03-28 /);
    expect(stderr).not.toMatch(/[░█]/);
  }, 90_000);

  it.skipIf(!hasCommand('script'))(
    'is a sentence at a terminal where a service cannot start (needs script)',
    () => {
      const command = `${process.execPath} ${HES} edge run --config nowhere.yaml`;
      const { stdout, status } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' });
      expect({ stdout: stdout.trim(), status }).toEqual({
        stdout: 'hes: nowhere.yaml: there is no such file (ERR_CONFIG_FILE)',
        status: 78,
      });
    },
  );
});
