import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Outbox } from '../../gateway/edge/outbox/outbox.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { DEVICE, entryOf, FIRST_DAY, LIMITS, OWNERS } from './outbox-kill.child.ts';

const CHILD = join(import.meta.dirname, 'outbox-kill.child.ts');
const SEED = Number(process.env['HES_TEST_SEED'] ?? 17);
const KILLS = Number(process.env['HES_TEST_KILLS'] ?? 40);

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-outbox-kill-'));
});

afterAll(() => rmSync(directory, { recursive: true }));

/** Run the victim, kill it after so many lines and a moment more, and give back what it had said. */
async function runAndKill(
  folder: string,
  seed: string,
  lines: number,
  momentMs: number,
  shell?: string,
): Promise<string[]> {
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', CHILD, folder, seed];
  const child =
    shell === undefined
      ? spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
      : spawn('bash', ['-c', `${shell}; exec "$@"`, 'bash', ...command], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
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

/** Delivered, or given up by an outbox that is full: until it is said to be done, it may be there or not. */
const LEAVING: Readonly<Record<string, 'settling' | 'settled'>> = {
  settling: 'settling',
  settled: 'settled',
  giving: 'settling',
  gave: 'settled',
};

/** What the victims said, all together, against what is in the outbox. */
class Witness {
  readonly #state = new Map<string, 'storing' | 'stored' | 'settling' | 'settled'>();

  hear(lines: readonly string[]): void {
    for (const line of lines) {
      const [what, owner, day] = line.split(' ');
      if (what === 'storing' || what === 'stored')
        for (const each of OWNERS) {
          const name = `${each} ${owner}`;
          // A day is stored once: a later attempt finds it closed.
          if (what === 'stored' || !this.#state.has(name)) this.#state.set(name, what);
        }
      else if (what !== undefined && what in LEAVING) this.#state.set(`${owner} ${day}`, LEAVING[what]!);
    }
  }

  check(outbox: Outbox): void {
    const pending = new Set(outbox.pending().map(({ owner, day }) => `${owner} ${day}`));
    for (const [name, state] of this.#state) {
      if (state === 'stored') expect(pending, `${name} was stored`).toContain(name);
      if (state === 'settled') expect(pending, `${name} was delivered`).not.toContain(name);
    }
    for (const name of pending) expect(this.#state.has(name), `${name} was never stored`).toBe(true);
    for (const entry of outbox.pending()) {
      const { sealed, receiptKey } = outbox.read(entry);
      const expected = entryOf(entry.owner, entry.day, entry.sequence);
      expect(entry.sequence).toBe(entry.day);
      expect(Buffer.compare(sealed, expected.sealed)).toBe(0);
      expect(Buffer.compare(receiptKey, expected.receiptKey)).toBe(0);
    }
    this.#checkOrder(outbox);
  }

  get stored(): number {
    return [...this.#state.values()].filter((state) => state !== 'storing').length;
  }

  /** No day skipped, and both owners of a day stored by the one write or by none. */
  #checkOrder(outbox: Outbox): void {
    const [one, other] = OWNERS.map((owner) => outbox.throughOf(owner) ?? FIRST_DAY - 1);
    expect(one).toBe(other);
    for (const owner of OWNERS) {
      const days = outbox
        .pending()
        .filter((entry) => entry.owner === owner)
        .map(({ day }) => day);
      expect(days).toEqual(days.toSorted((a, b) => a - b));
      if (days.length > 0) expect(days.at(-1)! - days[0]! + 1).toBe(days.length);
    }
  }
}

describe(`an outbox whose process is killed (seed ${SEED})`, () => {
  test(`loses nothing that was stored, keeps nothing that was delivered and skips no day, ${KILLS} times`, async () => {
    const random = seededRandom(SEED, 'outbox kill');
    const witness = new Witness();
    for (let kill = 0; kill < KILLS; kill++) {
      const lines = Math.floor(random() * 120);
      const said = await runAndKill(directory, `${SEED} ${kill}`, lines, random() * 15);
      witness.hear(said);
      const outbox = Outbox.open({ directory, device: DEVICE, limits: LIMITS });
      witness.check(outbox);
      outbox.close();
    }
    expect(witness.stored).toBeGreaterThan(KILLS * 4);
  });

  test('keeps its promises while the disk takes only part of its writes', async () => {
    const folder = join(directory, 'short');
    const witness = new Witness();
    for (let kill = 0; kill < 4; kill++) {
      // The kernel cuts a write at this size (in KiB) and refuses the next: a disk that runs full.
      const said = await runAndKill(folder, `${SEED} short ${kill}`, 150, 1, 'ulimit -f 9');
      witness.hear(said);
      expect(said.some((line) => line === 'refused ERR_OUTBOX_WRITE')).toBe(true);
      const outbox = Outbox.open({ directory: folder, device: DEVICE, limits: LIMITS });
      witness.check(outbox);
      outbox.close();
    }
  });
});
