import { spawn } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type DeskAtWork,
  EAN,
  METER,
  ORES,
  startDeskAtWork,
} from '../../gateway/cli/desk-client/testing/desk.ts';
import { officeLayout } from '../../pki/files/layout.ts';
import { until } from '../support/processes.ts';
import { hasCommand } from '../support/tools.ts';

const HES = resolve(import.meta.dirname, '../../gateway/cli/hes.ts');
const WITHIN_MS = 60_000;

/** `hes` at a terminal, and somebody who types. */
class AtTerminal {
  readonly #process;
  readonly #end: Promise<number | null>;
  shown = '';

  constructor(words: readonly string[]) {
    const line = [process.execPath, HES, ...words].map((word) => `'${word}'`).join(' ');
    this.#process = spawn('script', ['-qefc', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.shown += text;
    });
    this.#end = new Promise((ended, failed) => {
      this.#process.once('error', failed);
      this.#process.once('close', ended);
    });
  }

  async types(answer: string, behind: string): Promise<void> {
    await until(`it asks “${behind}”, and shows ${this.shown}`, () => this.shown.includes(behind), WITHIN_MS);
    this.#process.stdin.write(`${answer}\r`);
  }

  /** The exit code. */
  end(): Promise<number | null> {
    return this.#end;
  }
}

describe.skipIf(!hasCommand('script'))('hes op at a terminal (needs script)', () => {
  let work: DeskAtWork;
  let identity: string;
  let passphrase: string;
  let id: string;

  beforeAll(async () => {
    work = await startDeskAtWork();
    const files = officeLayout(join(work.data, 'pki', 'office')).person(ORES, 'operator');
    identity = join(work.data, 'ann.json');
    copyFileSync(files.identity, identity);
    chmodSync(identity, 0o600);
    passphrase = readFileSync(files.passphrase, 'utf8').trim();
  });
  afterAll(() => work.close());

  it('asks for the passphrase without showing it, and for the EAN of the meter before it signs', async () => {
    const words = ['op', 'prepay', 'activate', METER, '--reason', 'moved in', '--json'];
    const terminal = new AtTerminal([...words, '--identity', identity, '--desk', work.url]);
    await terminal.types(passphrase, 'Passphrase of');
    await terminal.types('541448820000000016', 'EAN of the meter');
    await terminal.types(EAN, 'That is not the EAN of this meter.');
    expect(await terminal.end()).toBe(0);
    expect(terminal.shown).toContain('"state":"awaiting-approval"');
    expect(terminal.shown).not.toContain(passphrase);
    id = /"id":"([0-9a-f]{32})"/.exec(terminal.shown)![1]!;
  });

  it('signs nothing where whoever approves says no', async () => {
    const terminal = new AtTerminal(['op', 'approve', id, '--data', work.data, '--as', 'ores/approver']);
    await terminal.types('n', '[y/N]');
    expect(await terminal.end()).toBe(1);
    expect(terminal.shown).toContain('ERR_OP_DECLINED');
    const { items } = await work.desk.list({ limit: 1 });
    expect(items[0]).toMatchObject({ id, state: 'awaiting-approval', approver: null });
  });

  it('shows whoever approves what he signs, and who asks for it', async () => {
    const words = ['op', 'approve', id, '--wait', '--data', work.data, '--as', 'ores/approver'];
    const terminal = new AtTerminal(words);
    await terminal.types('y', '[y/N]');
    for (const said of ['operator (operator) asks for:', 'prepayment.activate', METER, '20.00 €', 'moved in'])
      expect(terminal.shown).toContain(said);
    await until('it is queued', () => terminal.shown.includes('queued: '), WITHIN_MS);
    await work.answer(id);
    expect(await terminal.end()).toBe(0);
    expect(terminal.shown).toContain('executed: the command was executed, as its device signed');
  });
});
