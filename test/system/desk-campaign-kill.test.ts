import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRow } from '../../gateway/desk/audit/row.ts';
import { verifyAudit } from '../../gateway/desk/audit/verify.ts';
import { openSqliteStore } from '../../gateway/desk/store/sqlite/store.ts';
import { ORES } from '../../gateway/desk/testing/world.ts';
import { randomInteger, seededRandom } from '../../gateway/runtime/random.ts';

const CHILD = join(import.meta.dirname, 'desk-campaign-kill.child.ts');
const SEED = Number(process.env['HES_TEST_SEED'] ?? 23);
const KILLS = Number(process.env['HES_TEST_KILLS'] ?? 12);
const METERS = 300;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-campaign-kill-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Run the victim, and kill it after so many lines and a moment more. @returns what it had said */
async function run(number: number, lines: number, momentMs: number): Promise<readonly string[]> {
  const flags = ['--disable-warning=ExperimentalWarning', CHILD, directory, String(METERS), String(number)];
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  let killing = false;
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    said += text;
    if (killing || said.split('\n').length <= lines) return;
    killing = true;
    setTimeout(() => child.kill('SIGKILL'), momentMs);
  });
  await new Promise((resolve) => child.on('close', resolve));
  // A line that was cut was not said.
  return said.split('\n').slice(0, -1);
}

describe(`a campaign whose desk is killed (seed ${SEED})`, () => {
  test(`goes on after each of ${KILLS} kills, and gives each meter its command once`, async () => {
    const random = seededRandom(SEED, 'campaign kill');
    const did: string[] = [];
    const told = new Set<string>();
    let kills = 0;
    for (let number = 0; ; number += 1) {
      const lines = number < KILLS ? randomInteger(random, 1, 70) : Number.POSITIVE_INFINITY;
      const said = await run(number, lines, random() * 15);
      for (const line of said) {
        const [what, id = ''] = line.split(' ');
        if (what === 'did') did.push(id);
        if (what === 'done') told.add(id);
      }
      if (said.at(-1) === 'end') break;
      kills += 1;
      expect(number, 'a run without a kill comes to its end').toBeLessThan(KILLS);
    }
    expect(kills).toBeGreaterThan(KILLS / 2);
    // No meter is given its command twice, whatever was killed in between.
    expect(new Set(did).size).toBe(did.length);

    const store = openSqliteStore({ path: join(directory, 'desk.sqlite'), tenant: ORES });
    const [campaign] = await store.campaigns.campaigns({ limit: 10 });
    expect(campaign).toMatchObject({ state: 'done', received: METERS, count: METERS });
    const waves = await store.campaigns.waves(campaign!);
    expect(waves.map(({ size }) => size)).toEqual([5, 20, 60, 215]);
    const failed = waves.reduce((sum, wave) => sum + wave.failed, 0);
    expect(waves.reduce((sum, wave) => sum + wave.done, 0) + failed).toBe(METERS);
    // A kill leaves one command in the air at most, and it is not said to be done.
    expect(failed).toBeLessThanOrEqual(kills);
    const results = await store.campaigns.results(campaign!, { after: -1, limit: METERS });
    expect(results).toHaveLength(METERS);
    for (const { command, state, outcome } of results) {
      if (told.has(command)) expect([state, outcome]).toEqual(['done', 'executed']);
      if (state === 'failed') expect(outcome).toBe('unknown');
      if (state === 'done') expect(did).toContain(command);
    }
    const rows: AuditRow[] = [];
    for (let page: readonly AuditRow[]; ; rows.push(...page)) {
      page = await store.auditRows({ after: rows.length, limit: 500 });
      if (page.length === 0) break;
    }
    expect(verifyAudit(rows, { tenant: ORES }).faults).toEqual([]);
    const events = rows.map(({ event }) => event).filter((event) => event.startsWith('campaign'));
    expect(events).toEqual([
      'campaign-submitted',
      'campaign-uploaded',
      'campaign-approved',
      'campaign-wave',
      'campaign-wave',
      'campaign-wave',
      'campaign-done',
    ]);
    await store.close();
  });
});
