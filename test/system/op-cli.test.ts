import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../gateway/cli/exit.ts';
import { TestFolder } from '../support/chaos-folder.ts';
import { Hes, type HesEnd, runHes } from '../support/chaos-hes.ts';
import { until } from '../support/processes.ts';
import { readRecords } from '../support/records.ts';

/** What a newcomer types in a second terminal while `hes up` runs in the first, word by word, in its folder. */

interface Meter {
  readonly device: string;
  readonly medium: string;
  readonly tariffPlan: string;
  readonly creditMode: string;
  readonly breaker: string | null;
  readonly airplane: boolean;
}

const WITHIN_MS = 240_000;
/** Of a command that the meter gets at once: the machine may be slow. */
const WAIT_SECONDS = '120';

const folder = new TestFolder();
const cwd = folder.join('');
const records = folder.join('records.jsonl');
let up: Hes;
let device: string;

const hes = (...words: readonly string[]): Promise<HesEnd> => runHes(words, { cwd });
const meters = async (...words: readonly string[]): Promise<readonly Meter[]> => {
  const { code, stdout, stderr } = await hes('meter', 'list', ...words, '--as', 'ores/supervisor', '--json');
  expect({ code, stderr }).toEqual({ code: EXIT.ok, stderr: '' });
  return JSON.parse(stdout) as readonly Meter[];
};
const meter = async (): Promise<Meter> => (await meters()).find((one) => one.device === device)!;

beforeAll(async () => {
  // A simulated day every ten seconds: somebody waits for the index of one.
  const run = ['--meters', '14', '--port', '0', '--speed', '6', '--mdm-out', records];
  up = new Hes(['up', ...run], { cwd });
  const desks = join(cwd, '.hes', 'desks.json');
  await until(`the desks run: ${up.stderr}`, () => existsSync(desks), WITHIN_MS);
}, WITHIN_MS + 10_000);

afterAll(async () => {
  up.kill('SIGINT', 'alone');
  await up.end();
  folder.remove();
}, WITHIN_MS);

const KEYS = ['agree', 'sign', 'tls'] as const;

type Pair = { readonly key: string; readonly certificate: string };
interface Identity extends Record<(typeof KEYS)[number], Pair> {
  readonly agreeBefore?: readonly Pair[];
  readonly untold?: readonly string[];
}
const identityOf = (id: string): Identity =>
  JSON.parse(readFileSync(join(cwd, '.hes', 'devices', id, 'identity.json'), 'utf8')) as Identity;

/** The command until its device has answered, as `op show` says it. */
async function shown(id: string, state: string): Promise<string> {
  let last = '';
  const deadlineMs = Date.now() + WITHIN_MS;
  while (Date.now() < deadlineMs) {
    last = (await hes('op', 'show', id, '--json', '--as', 'ores/supervisor')).stdout;
    if (last.includes(`"state":"${state}"`)) break;
  }
  return last;
}

/** Until the meter is in airplane mode no more, as the desk knows it. */
async function gone(silent: string): Promise<void> {
  const deadlineMs = Date.now() + WITHIN_MS;
  while ((await meters('--airplane')).some((one) => one.device === silent) && Date.now() < deadlineMs);
  expect(await meters('--airplane')).toEqual([]);
}

const idOf = ({ stdout }: HesEnd): string => (JSON.parse(stdout) as { readonly id: string }).id;

describe('a second terminal beside npm start', () => {
  it('lists the meters of a desk', async () => {
    const all = await meters();
    expect(all.length).toBeGreaterThan(0);
    for (const one of all)
      expect(one).toMatchObject({
        device: expect.stringMatching(/^[0-9a-f]{16}$/),
        tariffPlan: expect.any(String),
        creditMode: 'credit',
        airplane: false,
      });
    device = all.find(({ medium, breaker }) => medium === 'electricity' && breaker === 'closed')!.device;
  });

  it('changes a tariff, and waits until the meter has', async () => {
    const { code, stdout } = await hes(
      ...['op', 'tariff', 'set', device, '--plan', 'mono', '--reason', 'test', '--wait', '--json'],
      ...['--timeout', WAIT_SECONDS, '--as', 'ores/operator'],
    );
    expect(stdout).toContain('"state":"executed"');
    expect(code).toBe(EXIT.ok);
    expect(await meter()).toMatchObject({ tariffPlan: 'mono' });
  });

  it('has a meter renew each of its keys, and commands and readings go on under the new ones', async () => {
    const before = identityOf(device);
    for (const key of KEYS) {
      const { code, stdout } = await hes(
        ...['op', 'credential', 'renew', device, key, '--wait', '--timeout', WAIT_SECONDS, '--json'],
        ...['--as', 'ores/operator'],
      );
      expect(stdout).toContain('"state":"executed"');
      expect(code).toBe(EXIT.ok);
    }
    const after = identityOf(device);
    for (const key of KEYS) expect(after[key].key === before[key].key, key).toBe(false);
    expect(after.agreeBefore).toEqual([before.agree]);

    const further = await hes(
      ...['op', 'read', device, '--wait', '--timeout', WAIT_SECONDS, '--json', '--as', 'ores/operator'],
    );
    expect(further.stdout).toContain('"state":"executed"');
    await until('the desk was told', () => identityOf(device).untold === undefined, WITHIN_MS);
    const audit = await hes('audit', 'list', '--limit', '500', '--json', '--as', 'ores/supervisor');
    expect(audit.stdout.split('"meter-key"')).toHaveLength(2);

    const indexes = (): number =>
      readRecords(records).filter(({ header }) => header.Device === device).length;
    const count = indexes();
    await until('another index of it', () => indexes() > count, WITHIN_MS);
  });

  it('has every meter of a file renew a key, as a campaign', async () => {
    const own = (await meters()).filter((one) => one.device !== device);
    const csv = folder.write('renew.csv', `device\n${own.map((one) => one.device).join('\n')}\n`);
    const submitted = await hes(
      ...['op', 'campaign', 'submit', csv, '--type', 'credential.renew', '--set', 'key=agree', '--yes'],
      ...['--waves', 'all', '--skip', 'foreign', '--reason', 'test', '--json', '--as', 'ores/operator'],
    );
    expect(submitted).toMatchObject({ code: EXIT.ok, stderr: expect.any(String) });
    const approved = await hes(
      ...['op', 'campaign', 'approve', idOf(submitted), '--yes', '--as', 'ores/approver'],
    );
    expect(approved.code, approved.stderr).toBe(EXIT.ok);
    await until(
      'each has another key',
      () => own.every((one) => identityOf(one.device).agreeBefore?.length === 1),
      WITHIN_MS,
    );
  });

  it('puts a meter into prepayment by two people', async () => {
    const proposed = await hes(
      ...['op', 'prepay', 'activate', device, '--reason', 'test', '--yes', '--json', '--as', 'ores/operator'],
    );
    expect(proposed.code).toBe(EXIT.ok);
    expect(proposed.stdout).toContain('"state":"awaiting-approval"');
    const id = idOf(proposed);

    const own = await hes('op', 'approve', id, '--as', 'ores/operator');
    expect(own.code).toBe(EXIT.noRight);
    const foreign = await hes('op', 'approve', id, '--as', 'fluvius/approver');
    expect(foreign.code).toBe(EXIT.noSuch);
    expect(await shown(id, 'awaiting-approval')).toContain('"approver":null');

    expect((await hes('op', 'approve', id, '--as', 'ores/approver')).code).toBe(EXIT.ok);
    expect(await shown(id, 'executed')).toContain('"state":"executed"');
    expect(await meters('--prepaid')).toMatchObject([{ device, creditMode: 'prepaid' }]);
  });

  it('refuses what may not be asked for, each with its exit code', async () => {
    const refusals = await Promise.all([
      hes('op', 'prepay', 'activate', device, '--reason', 'test', '--as', 'ores/operator'),
      hes('op', 'read', device, '--as', 'ores/supervisor'),
      hes('op', 'read', 'ffffffffffffffff', '--as', 'ores/operator'),
      hes('op', 'airplane', 'on', device, '--reason', 'test', '--yes', '--as', 'ores/operator'),
    ]);
    const said = refusals.map(({ code, stderr }) => `${code} ${/\((ERR_\w+)\)/.exec(stderr)?.[1]}`);
    expect(said).toEqual([
      `${EXIT.usage} ERR_OP_CONFIRM`,
      `${EXIT.noRight} ERR_COMMAND_ROLE`,
      `${EXIT.noSuch} ERR_DESK_METER`,
      `${EXIT.refused} ERR_DESK_PREPAID`,
    ]);
  });

  it('silences a meter until somebody ends that at the meter', async () => {
    const other = (await meters()).find(
      (one) => one.medium === 'electricity' && one.creditMode === 'credit' && one.device !== device,
    )!.device;
    const proposed = await hes(
      ...['op', 'airplane', 'on', other, '--reason', 'asked by letter', '--yes', '--json'],
      ...['--as', 'ores/operator'],
    );
    const approved = await hes(
      ...['op', 'approve', idOf(proposed), '--wait', '--timeout', WAIT_SECONDS, '--json'],
      ...['--as', 'ores/approver'],
    );
    expect(approved.stdout).toContain('"state":"executed"');
    expect(await meters('--airplane')).toMatchObject([{ device: other, airplane: true }]);
    const refused = await hes('op', 'read', other, '--as', 'ores/operator');
    expect(refused.code).toBe(EXIT.refused);
    expect(refused.stderr).toMatch(/since .* local action at the meter/);

    expect((await hes('emulate', 'airplane-off', other)).code).toBe(EXIT.ok);
    await gone(other);
    const read = await hes(
      ...['op', 'read', other, '--wait', '--timeout', WAIT_SECONDS, '--json', '--as', 'ores/lopex'],
    );
    expect(read.stdout).toContain('"state":"executed"');
  });

  it('leaves a trace that verifies off-line', async () => {
    const lines = folder.join('audit.jsonl');
    const { code } = await hes('audit', 'export', '--out', lines, '--as', 'ores/supervisor');
    expect(code).toBe(EXIT.ok);
    const verified = await hes('audit', 'verify', lines);
    expect({ code: verified.code, said: verified.stdout.slice(0, 6) }).toEqual({
      code: EXIT.ok,
      said: 'Whole:',
    });
  });
});
