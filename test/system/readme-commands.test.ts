import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestFolder } from '../support/chaos-folder.ts';
import { Hes } from '../support/chaos-hes.ts';
import { until } from '../support/processes.ts';

/** The README's second and third page, copied and pasted: each command, in its order, against what `npm start` starts. */

const ROOT = resolve(import.meta.dirname, '../..');
const WITHIN_MS = 240_000;

const folder = new TestFolder();
const cwd = folder.join('');
let up: Hes;

beforeAll(async () => {
  up = new Hes(['up', '--port', '0'], { cwd });
  await until(
    `the desks run: ${up.stderr}`,
    () => existsSync(join(cwd, '.hes', 'desks.json')) && up.stderr.includes('front on'),
    WITHIN_MS,
  );
}, WITHIN_MS + 10_000);

afterAll(async () => {
  up.kill('SIGINT', 'alone');
  await up.end();
  folder.remove();
}, WITHIN_MS);

/** The blocks of shell commands between one heading of the README and the next. */
function blocksOf(heading: string): string[] {
  const text = readFileSync(join(ROOT, 'README.md'), 'utf8');
  const page = text.split(`## ${heading}\n`)[1]!.split('\n## ')[0]!;
  return [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands]) => commands!);
}

interface Said {
  readonly stdout: string;
  readonly stderr: string;
}

/** One shell for the page, so that its variables live on; `npx hes` is this checkout's. */
function paste(blocks: readonly string[]): Said[] {
  const hes = `npx() { shift; "${process.execPath}" "${join(ROOT, 'gateway/cli/hes.ts')}" "$@"; }`;
  const marked = blocks.map((block) => `${block}\necho ---; echo --- >&2`);
  const { stdout, stderr } = spawnSync('sh', ['-c', [hes, ...marked].join('\n')], {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: `${join(process.execPath, '..')}:${process.env['PATH']}`, LANG: 'C.UTF-8' },
    timeout: WITHIN_MS,
  });
  const errors = stderr.split('---\n');
  return stdout.split('---\n').map((said, index) => ({ stdout: said, stderr: errors[index] ?? '' }));
}

it(
  'shows a tariff change and a two-person prepayment activation on the screens of a meter',
  () => {
    const blocks = blocksOf('Second page: two commands for a meter');
    expect(blocks).toHaveLength(3);
    const [before, tariff, prepayment] = paste(blocks);

    expect(before!.stdout).toMatch(/switch closed +mono {2}T1/);
    expect(before!.stdout).not.toContain('balance');

    expect(tariff!.stderr).toBe('');
    expect(tariff!.stdout).toContain('executed: the command was executed, as its device signed');
    expect(tariff!.stdout).toMatch(/switch closed +bi {2}T[12]/);

    expect(prepayment!.stdout).toContain('awaiting-approval');
    expect(prepayment!.stderr).toMatch(/ERR_COMMAND_ROLE/);
    expect(prepayment!.stdout).toContain('executed: the command was executed, as its device signed');
    expect(prepayment!.stdout).toMatch(/approved +by approver/);
    expect(prepayment!.stdout).toMatch(/2 balance +20\.00 €/);
    expect(prepayment!.stdout).toMatch(/3 emergency credit 15\.00 €/);
    expect(prepayment!.stdout).toMatch(/Credit +prepayment/);
  },
  WITHIN_MS,
);

it(
  'renews a key of a meter and replaces the sealing key of its operator',
  () => {
    const [meter] = blocksOf('Second page: two commands for a meter')[0]!.split('\n');
    const blocks = blocksOf('Third page: keys that change while it runs');
    expect(blocks).toHaveLength(1);
    const [said] = paste([`${meter}\n${blocks[0]}`]);
    expect(said!.stderr).toBe('');
    expect(said!.stdout).toContain('executed: the command was executed, as its device signed');
    expect(said!.stdout).toMatch(/sealed to +key [0-9a-f]{16}, certified until/);
    expect(said!.stdout).toMatch(/^ores +sealing +switched +old one until/m);
    expect(said!.stdout).toMatch(/^ *\d+ +20\d\d-\d\d-\d\d +server +desk of ores$/m);
  },
  WITHIN_MS,
);
