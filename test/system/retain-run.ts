import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import type { TenantId } from '../../protocol/identity.ts';
import { type Canary, canariesOf, canaryMeters } from '../support/canaries.ts';

/** A process of the run that is exchanged for one that keeps what it must not. */
export interface Leak {
  readonly program: './retain-leaky-front.child.ts' | './retain-leaky-router.child.ts';
  /** What it does with a reading; the programs have a table of them. */
  readonly way: string;
  /** Whether it runs under the permissions of the honest one. */
  readonly fenced?: boolean;
}

export interface RunOptions {
  readonly tenants: readonly TenantId[];
  readonly seed: number;
  /** Whose meter hangs behind the first tenant's device. */
  readonly guestOf: TenantId;
  readonly leaks: Readonly<Record<string, Leak>>;
  /** Processes that can be asked what they hold. */
  readonly telling: readonly string[];
}

export interface SendResult {
  readonly delivered: number;
  readonly duplicates: number;
  readonly failed: number;
  readonly later: number;
}

export type RunEvent =
  | { readonly type: 'ready'; readonly pids: Readonly<Record<string, number>>; readonly pending: number }
  | { readonly type: 'held'; readonly held: number }
  | { readonly type: 'sent'; readonly result: SendResult }
  | { readonly type: 'told' }
  | { readonly type: 'ended' };

export interface RunCommand {
  readonly say: 'hold' | 'release' | 'send' | 'traffic' | 'held' | 'end';
}

export function heldFile(beside: string, process: string): string {
  return join(beside, `${process}.heapsnapshot`);
}

/**
 * A canary run in a fresh tree: working folder, home, temporary folder and data all lie in it, so that whatever the
 * processes write without having been told where lies in it too.
 */
export class CanaryRun {
  /** What is searched. */
  readonly tree: string;
  /** Beside the tree: where traces go. */
  readonly beside: string;
  readonly canaries: readonly Canary[];
  pids: Readonly<Record<string, number>> = {};
  pending = 0;
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;
  #said = '';

  private constructor(options: RunOptions, wrap: (beside: string) => readonly string[]) {
    this.beside = mkdtempSync(join(tmpdir(), 'hes-retain-'));
    this.tree = join(this.beside, 'tree');
    const folders = { TMPDIR: join(this.tree, 'tmp'), HOME: join(this.tree, 'home') };
    for (const folder of [this.tree, ...Object.values(folders)]) mkdirSync(folder);
    this.canaries = canariesOf(canaryMeters(options.seed, [...options.tenants, options.guestOf]));
    const program = join(import.meta.dirname, 'retain-run.child.ts');
    const [command, ...args] = [...wrap(this.beside), process.execPath, program];
    this.#child = spawn(command!, args, {
      cwd: this.tree,
      env: { PATH: process.env['PATH'], ...folders, NODE_NO_WARNINGS: '1' },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#said += chunk.toString();
    });
    this.#reader = createInterface({ input: this.#child.stdout! });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    this.#write(options);
  }

  /** @param wrap a command to start the run under, such as strace, given a folder for what it writes */
  static async start(
    options: Omit<RunOptions, 'leaks' | 'telling'> & Partial<RunOptions>,
    wrap: (beside: string) => readonly string[] = () => [],
  ): Promise<CanaryRun> {
    const run = new CanaryRun({ leaks: {}, telling: [], ...options }, wrap);
    try {
      const { pids, pending } = await run.#next('ready');
      run.pids = pids;
      run.pending = pending;
      return run;
    } catch (error) {
      await run.remove();
      throw error;
    }
  }

  async hold(): Promise<number> {
    this.#write({ say: 'hold' });
    return (await this.#next('held')).held;
  }

  async tell(say: 'release' | 'send' | 'traffic'): Promise<SendResult> {
    this.#write({ say });
    return (await this.#next('sent')).result;
  }

  /** What the heap of a telling process holds, as a file that is outside of the tree: a heap snapshot of V8. */
  async held(process: string): Promise<string> {
    this.#write({ say: 'held' });
    await this.#next('told');
    return heldFile(this.beside, process);
  }

  async end(): Promise<void> {
    this.#write({ say: 'end' });
    await this.#next('ended');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }

  async remove(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      // Its children end when their channel to it closes; a stopped one has to be woken for that.
      for (const pid of Object.values(this.pids)) tryKill(pid, 'SIGCONT');
      this.#child.kill('SIGKILL');
      await once(this.#child, 'exit');
    }
    this.#reader.close();
    rmSync(this.beside, { recursive: true, force: true, maxRetries: 5 });
  }

  #write(line: unknown): void {
    this.#child.stdin!.write(`${JSON.stringify(line)}\n`);
  }

  async #next<Type extends RunEvent['type']>(type: Type): Promise<Extract<RunEvent, { type: Type }>> {
    const { done, value } = await this.#lines.next();
    if (done === true) throw new Error(`the run ended before it was ${type}:\n${this.#said}`);
    const event = JSON.parse(value) as RunEvent;
    if (event.type !== type) throw new Error(`the run was ${event.type}, not ${type}`);
    return event as Extract<RunEvent, { type: Type }>;
  }
}

function tryKill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone already
  }
}
