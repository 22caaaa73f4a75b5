import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditHead, AuditRow } from '../../gateway/desk/audit/row.ts';
import { verifyAudit } from '../../gateway/desk/audit/verify.ts';
import { type CommandState, isTerminal, type StoredState } from '../../gateway/desk/lifecycle/states.ts';
import { arrows } from '../../gateway/desk/lifecycle/transitions.ts';
import type { DeskStore, StoredCommand } from '../../gateway/desk/store/port.ts';
import { openSqliteStore } from '../../gateway/desk/store/sqlite/store.ts';
import { ORES } from '../../gateway/desk/testing/world.ts';
import { randomInteger, seededRandom } from '../../gateway/runtime/random.ts';
import type { CommandId } from '../../protocol/command/id.ts';

const CHILD = join(import.meta.dirname, 'desk-store-kill.child.ts');
const SEED = Number(process.env['HES_TEST_SEED'] ?? 23);
const KILLS = Number(process.env['HES_TEST_KILLS'] ?? 15);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-desk-kill-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Run the victim, kill it after so many lines and a moment more, and give back what it had said. */
async function runAndKill(run: number, lines: number, momentMs: number): Promise<string[]> {
  const flags = ['--disable-warning=ExperimentalWarning', CHILD, directory, String(SEED), String(run)];
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  let killing = false;
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    said += text;
    if (killing || said.split('\n').length <= lines) return;
    killing = true;
    setTimeout(() => child.kill('SIGKILL'), momentMs);
  });
  const signal = await new Promise((resolve) => child.on('close', (_code, by) => resolve(by)));
  expect(signal).toBe('SIGKILL');
  // A line that was cut was not said.
  return said.split('\n').slice(0, -1);
}

/** Where a state can still lead to. */
function reachable(from: CommandState): Set<CommandState> {
  const states = new Set([from]);
  for (const state of states) for (const [before, , to] of arrows()) if (before === state) states.add(to);
  return states;
}

/** What the victims were told, all together, against what is in the store. */
class Witness {
  readonly #acknowledged = new Map<CommandId, StoredState>();
  readonly #asked = new Set<CommandId>();
  readonly #heads: AuditHead[] = [];

  hear(lines: readonly string[]): void {
    for (const line of lines) {
      const [what, first = '', second = ''] = line.split(' ');
      const id = first as CommandId;
      if (what === 'asking') this.#asked.add(id);
      else if (what === 'head') this.#heads.push({ n: Number(first), hash: second });
      else if (what === 'is') {
        // Lines of the victim overtake each other in saying; a terminal state is the last in any order.
        const before = this.#acknowledged.get(id);
        if (before === undefined || !isTerminal(before)) this.#acknowledged.set(id, second as StoredState);
      }
    }
  }

  get acknowledged(): number {
    return this.#acknowledged.size;
  }

  async check(store: DeskStore): Promise<void> {
    const commands = new Map((await all(store)).map((command) => [command.id, command]));
    for (const [id, state] of this.#acknowledged) {
      const stored = commands.get(id)?.state;
      expect(stored, `${id} was acknowledged as ${state}`).toBeDefined();
      if (isTerminal(state)) expect(stored).toBe(state);
      else expect(reachable('queued')).toContain(stored);
    }
    const rows = await auditOf(store);
    expect(verifyAudit(rows, { tenant: ORES, known: this.#heads }).faults).toEqual([]);
    const lives = livesOf(rows);
    for (const { id, state } of commands.values()) {
      expect(this.#asked.has(id), `${id} was never asked for`).toBe(true);
      expect(lives.get(id), `the audit of ${id}`).toBe(state);
      const evidence = await store.evidence(id);
      expect(evidence?.signed.length).toBeGreaterThan(0);
      if (state === 'executed' || state === 'refused') expect(evidence?.outcome).not.toBeNull();
    }
    expect([...lives.keys()].filter((id) => !commands.has(id))).toEqual([]);
    const counted = (await store.usage('month')).reduce((sum, { count }) => sum + count, 0);
    expect(counted).toBe(rows.length);
  }
}

async function all(store: DeskStore): Promise<readonly StoredCommand[]> {
  const commands: StoredCommand[] = [];
  let before: number | null | undefined;
  while (before !== null) {
    const page = await store.commands({ limit: 500, ...(before === undefined ? {} : { before }) });
    commands.push(...page.items);
    before = page.next;
  }
  return commands;
}

async function auditOf(store: DeskStore): Promise<readonly AuditRow[]> {
  const rows: AuditRow[] = [];
  for (let page: readonly AuditRow[]; ; rows.push(...page)) {
    page = await store.auditRows({ after: rows.length, limit: 500 });
    if (page.length === 0) return rows;
  }
}

/** The state that the audit says each command is in; each row follows the one before it. */
function livesOf(rows: readonly AuditRow[]): ReadonlyMap<CommandId, CommandState> {
  const lives = new Map<CommandId, CommandState>();
  for (const { command, from, to } of rows) {
    if (command === null || to === null) continue;
    expect(from).toBe(lives.get(command) ?? 'proposed');
    lives.set(command, to);
  }
  return lives;
}

describe(`a desk that is killed (seed ${SEED})`, () => {
  test(`has all that it acknowledged, and nothing half, ${KILLS} times`, async () => {
    const random = seededRandom(SEED, 'desk kill');
    const witness = new Witness();
    for (let run = 0; run < KILLS; run++) {
      witness.hear(await runAndKill(run, randomInteger(random, 1, 300), random() * 20));
      const path = join(directory, 'desk.sqlite');
      const store = openSqliteStore({ path, tenant: ORES });
      await witness.check(store);
      await store.close();
      const database = new DatabaseSync(path, { readOnly: true });
      expect(database.prepare('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' });
      database.close();
    }
    expect(witness.acknowledged).toBeGreaterThan(KILLS * 10);
  });
});
