import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../gateway/cli/exit.ts';
import { TestFolder } from '../support/chaos-folder.ts';
import { Hes } from '../support/chaos-hes.ts';
import { until } from '../support/processes.ts';

/**
 * deploy/examples/campaigns/README.md, copied and pasted: every line of it in a shell, beside `hes up` with its emulated
 * park, so that what it promises a reader is what he gets.
 */

const WITHIN_MS = 240_000;
const root = resolve(import.meta.dirname, '../..');
const readme = readFileSync(join(root, 'deploy/examples/campaigns/README.md'), 'utf8');
const lines = [...readme.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
  .flatMap(([, block]) => block!.trim().split('\n'))
  .filter((line) => line !== 'npm start');

/** What ends otherwise than with 0, and why. */
const EXPECTED: readonly (readonly [starts: string, exit: number])[] = [
  ['npx hes op campaign dry-run walloon-2026.csv --type tariff.set --as', EXIT.refused],
  ['npx hes op campaign approve $ID --as ores/operator', EXIT.noRight],
  ['npx hes op campaign retry', EXIT.conflict],
];

const folder = new TestFolder();
const cwd = folder.join('');
let up: Hes;

beforeAll(async () => {
  up = new Hes(['up', '--meters', '35', '--port', '0'], { cwd });
  const desks = join(cwd, '.hes', 'desks.json');
  await until(`the desks run: ${up.stderr}`, () => existsSync(desks), WITHIN_MS);
}, WITHIN_MS + 10_000);

afterAll(async () => {
  up.kill('SIGINT', 'alone');
  await up.end();
  folder.remove();
}, WITHIN_MS);

/** In one shell, so that what one line sets the next one has; each with how it ended. */
async function paste(
  script: readonly string[],
): Promise<{ readonly said: string; readonly exits: number[] }> {
  const hes = `${process.execPath} ${join(root, 'gateway/cli/hes.ts')}`;
  const text = script
    .map((line) => line.replaceAll('npx hes', hes).replaceAll('npx node deploy', `node ${root}/deploy`))
    .map((line) => `${line}\necho "exit $?"\n`)
    .join('');
  const { stdout, stderr } = await promisify(execFile)('bash', ['-c', text], {
    cwd,
    timeout: WITHIN_MS,
    maxBuffer: 16 * 1_024 * 1_024,
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` },
  });
  const exits = [...stdout.matchAll(/^exit (\d+)$/gm)].map(([, code]) => Number(code));
  return { said: `${stdout}\n${stderr}`, exits };
}

describe('the worked example of a campaign', () => {
  it('does what its README says, line by line', async () => {
    expect(lines.length).toBeGreaterThan(10);
    const { said, exits } = await paste(lines);
    const expected = lines.map(
      (line) => EXPECTED.find(([starts]) => line.startsWith(starts))?.[1] ?? EXIT.ok,
    );
    expect(
      lines.map((line, at) => `${exits[at]} ${line}`),
      said,
    ).toEqual(lines.map((line, at) => `${expected[at]} ${line}`));
    expect(said).toContain('ERR_CAMPAIGN_SAME_PERSON');
    const contact = readFileSync(join(cwd, 'to-contact.csv'), 'utf8').trimEnd().split('\n');
    expect(contact).toHaveLength(2);
    expect(contact[1]).toMatch(/^[0-9a-f]{16},airplane,20/);
    const results = readFileSync(join(cwd, 'results.csv'), 'utf8').trimEnd().split('\n').slice(1);
    const file = readFileSync(join(cwd, 'walloon-2026.csv'), 'utf8').trimEnd().split('\n');
    // All but the header and the meter that cannot be reached.
    expect(results).toHaveLength(file.length - 2);
    for (const line of results) expect(line).toContain(',done,executed,');
  }, 280_000);
});
