import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { until } from './processes.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** `hes` as npm links it, and the program that it starts. */
export const HES_LINKED = resolve(ROOT, 'gateway/cli/bin.cjs');
const HES = resolve(ROOT, 'gateway/cli/hes.ts');

/** A start of eleven processes on a machine that others use as well. */
const WITHIN_MS = 120_000;

export interface HesOptions {
  /** `HES_LINKED` for what a user types; the program itself is a process less. */
  readonly program?: string;
  readonly cwd?: string;
  readonly uid?: number;
}

export interface HesEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running `hes`, in a process group of its own as a shell would start it. */
export class Hes {
  readonly #process: ChildProcess;
  readonly #end: Promise<HesEnd>;
  readonly #seen = new Set<number>();
  stdout = '';
  stderr = '';

  constructor(args: readonly string[], { program = HES, cwd, uid }: HesOptions = {}) {
    const stdio: StdioOptions = ['ignore', 'pipe', 'pipe'];
    this.#process = spawn(process.execPath, [program, ...args], {
      stdio,
      detached: true,
      env: environment(),
      ...(cwd === undefined ? {} : { cwd }),
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    this.#process.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#process.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    this.#end = new Promise((ended, failed) => {
      this.#process.once('error', failed);
      this.#process.once('close', (code, signal) =>
        ended({ code, signal, stdout: this.stdout, stderr: this.stderr }),
      );
    });
  }

  /** The end of the process and of everything that holds its output. */
  async end(withinMs = WITHIN_MS): Promise<HesEnd> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.kill('SIGKILL', 'group');
      late.reject(new Error(`hes did not end within ${withinMs} ms: ${this.stderr}`));
    }, withinMs);
    try {
      return await Promise.race([this.#end, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** `group` is what Ctrl-C does; `alone` is what `kill` does. */
  kill(signal: NodeJS.Signals, whom: 'alone' | 'group'): void {
    const { pid } = this.#process;
    if (pid === undefined) return;
    for (const one of descendantsOf(pid)) this.#seen.add(one.pid);
    try {
      process.kill(whom === 'group' ? -pid : pid, signal);
    } catch {
      // it has ended by itself
    }
  }

  /** The processes under it at this moment, by what they are: `up`, `front`, `router`, `mdm`, `fleet`. */
  tree(): readonly Descendant[] {
    const found = descendantsOf(this.#process.pid!);
    for (const { pid } of found) this.#seen.add(pid);
    return found;
  }

  /** Wait until so many of a kind run. */
  async running(kind: string, count = 1): Promise<readonly Descendant[]> {
    const those = (): readonly Descendant[] => this.tree().filter((one) => one.kind === kind);
    await until(`${count} of ${kind} run: ${this.stderr}`, () => those().length >= count, WITHIN_MS);
    return those();
  }

  /** Processes that were seen under it and still run. */
  survivors(): readonly number[] {
    return [...this.#seen].filter(isAlive);
  }
}

/** Run `hes` to its end. */
export function runHes(args: readonly string[], options?: HesOptions): Promise<HesEnd> {
  return new Hes(args, options).end();
}

export interface Descendant {
  readonly pid: number;
  readonly kind: string;
}

/** Children, and theirs, in /proc. */
export function descendantsOf(pid: number): readonly Descendant[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const parent = parentOf(Number(name));
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)]);
  }
  const found: Descendant[] = [];
  const visit = (from: number): void => {
    for (const child of children.get(from) ?? []) {
      found.push({ pid: child, kind: kindOf(child) });
      visit(child);
    }
  };
  visit(pid);
  return found;
}

export function isAlive(pid: number): boolean {
  return parentOf(pid) !== undefined;
}

/** Undefined for a process that is gone, and for one that is dead and only not yet buried. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : Number(parent);
  } catch {
    return undefined;
  }
}

function kindOf(pid: number): string {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    const program = words.findIndex((word) => /\/(?:hes\.ts|bin\.cjs)$/.test(word));
    return words[program + 1] ?? 'unknown';
  } catch {
    return 'gone';
  }
}

/** What a user's shell has, and nothing of the test runner. */
function environment(): NodeJS.ProcessEnv {
  const { PATH, HOME, TMPDIR, LANG } = process.env;
  return Object.fromEntries(
    Object.entries({ PATH, HOME, TMPDIR, LANG }).filter(([, value]) => value !== undefined),
  );
}
