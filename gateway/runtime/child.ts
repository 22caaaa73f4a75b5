import { type ChildProcess, fork } from 'node:child_process';
import { HesError } from '../../protocol/errors.ts';
import { type Backoff, backoff } from './backoff.ts';
import { type CounterSnapshot, sumCounters } from './counters.ts';
import { LineSplitter } from './lines.ts';
import type { Log } from './log.ts';
import { type ChildMessage, type ReadyDetails, readChildMessage } from './parent.ts';
import type { Random } from './random.ts';
import { STOP_WITHIN_MS } from './service.ts';

/** A process that has said nothing by then hangs. */
export const READY_WITHIN_MS = 30_000;

/** The child's own grace, and a little for it to say so before it is killed. */
export const KILL_AFTER_MS = STOP_WITHIN_MS + 2_000;

/**
 * Restarts: the first comes within 200 ms, so that a crash is hardly noticed; a process that cannot stay up is tried
 * every ten seconds at most. Ten seconds of being ready make a life, after which the next death is a first again.
 */
export const RESTART: RestartPolicy = { baseMs: 200, maxMs: 10_000, stableMs: 10_000 };

export interface RestartPolicy {
  readonly baseMs: number;
  readonly maxMs: number;
  readonly stableMs: number;
}

export interface ChildSpec {
  readonly name: string;
  /** The program to run: a file of ours. */
  readonly module: string | URL;
  readonly args?: readonly string[];
  /** Handed over as JSON on standard input: it leaves no file behind and shows in no list of processes. */
  readonly config?: unknown;
  /** Flags for Node itself, such as `--permission`. */
  readonly nodeFlags?: readonly string[];
  /** The whole environment of the child; nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  /** `false`: a process that ends by itself, once. */
  readonly restarts?: boolean;
  /** Codes of failures that starting again cannot mend, such as a damaged file: after one the child has ended. */
  readonly endsWith?: readonly string[];
  /** Lower ranks are stopped first, equal ones together. */
  readonly stopRank?: number;
  readonly readyWithinMs?: number;
  readonly killAfterMs?: number;
  /** What the child tells besides readiness and counters. */
  readonly onNotice?: (notice: unknown) => void;
}

/**
 * `waiting`: it died and is started again after a pause. `ended`: not started again.
 */
export type ChildState = 'starting' | 'ready' | 'waiting' | 'stopping' | 'ended';

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** What it said of its end, where it was not stopped. */
  readonly failure?: ChildFailure;
}

export interface ChildFailure {
  readonly code: string;
  readonly message: string;
}

export interface ChildContext {
  readonly log: Log;
  readonly random: Random;
  readonly restart: RestartPolicy;
  /** Takes each line that the child writes to standard error or output. */
  readonly onLine: (child: string, line: string) => void;
}

/** What Node prints behind the line that says what went wrong. */
const CRASH_TRAIL = /^(\s|Node\.js v|\}$)/;

/** One supervised process over all its lives. */
export class Child {
  readonly spec: ChildSpec;
  /** Settles when the child will not be started again. */
  readonly ended: Promise<ChildExit>;
  state: ChildState = 'starting';
  details: ReadyDetails = {};
  restarts = 0;

  readonly #context: ChildContext;
  readonly #backoff: Backoff;
  readonly #firstReady = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<ChildExit>();
  #process: ChildProcess | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** Runs while the child is not ready. */
  #silence: NodeJS.Timeout | undefined;
  #wasReady = false;
  #readyAtMs = 0;
  #failure: ChildFailure | undefined;
  #lastLine = '';
  #pastCounts: CounterSnapshot = {};
  #counts: CounterSnapshot = {};
  #gauges: CounterSnapshot = {};

  constructor(spec: ChildSpec, context: ChildContext) {
    this.spec = spec;
    this.ended = this.#ended.promise;
    this.#context = context;
    this.#backoff = backoff({ ...context.restart, random: context.random });
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Counts over all lives (a killed one's last half second is lost), gauges of the present one. */
  get counters(): CounterSnapshot {
    return { ...sumCounters([this.#pastCounts, this.#counts]), ...this.#gauges };
  }

  /** @throws ERR_SUPERVISOR_START when it does not become ready this first time */
  start(): Promise<void> {
    this.#spawn();
    return this.#firstReady.promise;
  }

  /** SIGTERM, then SIGKILL after the grace; resolves when the process is gone. */
  async stop(): Promise<void> {
    if (this.state === 'ended') return;
    this.state = 'stopping';
    clearTimeout(this.#retry);
    const process = this.#process;
    if (process === undefined) return this.#finish({ code: null, signal: null });
    process.kill('SIGTERM');
    const { killAfterMs = KILL_AFTER_MS, name } = this.spec;
    const timer = setTimeout(() => {
      this.#context.log.error({ child: name, killAfterMs, code: 'ERR_SERVICE_STOP' }, 'killed');
      process.kill('SIGKILL');
    }, killAfterMs);
    await this.ended;
    clearTimeout(timer);
  }

  /** For tests that pull the rug. */
  kill(signal: NodeJS.Signals): boolean {
    return this.#process?.kill(signal) ?? false;
  }

  /** A message for the child's `process.on('message')`. */
  tell(message: object): void {
    if (this.#process?.connected) this.#process.send(message, () => undefined);
  }

  #spawn(): void {
    const { module, args = [], nodeFlags = [], env = {}, config, name } = this.spec;
    this.state = 'starting';
    this.#failure = undefined;
    const process = fork(module, args, {
      execArgv: [...nodeFlags],
      env,
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    });
    this.#process = process;
    this.#feed(process, config);
    this.#forward(process);
    process.on('message', (message) => this.#heard(readChildMessage(message)));
    const { readyWithinMs = READY_WITHIN_MS } = this.spec;
    this.#silence = setTimeout(() => {
      this.#failure = { code: 'ERR_SUPERVISOR_START', message: `was not ready within ${readyWithinMs} ms` };
      process.kill('SIGKILL');
    }, readyWithinMs);
    process.once('error', (error) => {
      this.#failure ??= { code: 'ERR_SUPERVISOR_START', message: `could not be run (${error.name})` };
      // A process that never came to be has no 'close'.
      if (process.pid === undefined) this.#gone({ code: null, signal: null });
    });
    // 'close' and not 'exit': by then the last lines and messages have been read.
    process.once('close', (code, signal) => {
      this.#context.log.debug({ child: name, exitCode: code, signal }, 'gone');
      if (process.pid !== undefined) this.#gone({ code, signal });
    });
  }

  #feed(process: ChildProcess, config: unknown): void {
    // A child that dies before it has read its configuration is seen by its exit.
    process.stdin?.on('error', () => undefined);
    process.stdin?.end(config === undefined ? '' : JSON.stringify(config));
  }

  #forward(process: ChildProcess): void {
    for (const stream of [process.stdout, process.stderr]) {
      const lines = new LineSplitter((line) => {
        if (!CRASH_TRAIL.test(line)) this.#lastLine = line;
        this.#context.onLine(this.spec.name, line);
      });
      stream?.on('data', (chunk: Buffer) => lines.push(chunk));
      stream?.on('end', () => lines.end());
    }
  }

  #heard(message: ChildMessage | undefined): void {
    if (message === undefined) this.#context.log.warn({ child: this.spec.name }, 'an unknown message');
    else if (message.type === 'counters') {
      this.#counts = message.counters;
      this.#gauges = message.gauges;
    } else if (message.type === 'notice') this.spec.onNotice?.(message.notice);
    else if (message.type === 'failed') this.#failure = { code: message.code, message: message.message };
    else if (this.state === 'starting') {
      clearTimeout(this.#silence);
      this.state = 'ready';
      this.details = message.details;
      this.#wasReady = true;
      this.#readyAtMs = performance.now();
      this.#firstReady.resolve();
    }
  }

  #gone(exit: ChildExit): void {
    const wasReadyMs = this.state === 'ready' ? performance.now() - this.#readyAtMs : 0;
    clearTimeout(this.#silence);
    this.#process = undefined;
    this.#pastCounts = sumCounters([this.#pastCounts, this.#counts]);
    this.#counts = {};
    this.#gauges = {};
    if (this.state === 'stopping' || !this.#wasReady || this.spec.restarts === false) {
      this.#finish(exit);
      return;
    }
    if (this.#failure !== undefined && this.spec.endsWith?.includes(this.#failure.code) === true) {
      this.#finish({ ...exit, failure: this.#failure });
      return;
    }
    if (wasReadyMs >= this.#context.restart.stableMs) this.#backoff.reset();
    const pauseMs = this.#backoff.nextMs();
    this.state = 'waiting';
    this.restarts++;
    this.#context.log.warn(
      {
        child: this.spec.name,
        exitCode: exit.code,
        signal: exit.signal,
        code: this.#failure?.code,
        reason: this.#failure?.message,
        restarts: this.restarts,
        pauseMs,
      },
      'a child died; it is started again',
    );
    this.#retry = setTimeout(() => this.#spawn(), pauseMs);
  }

  #finish(exit: ChildExit): void {
    const stopped = this.state === 'stopping';
    this.state = 'ended';
    if (!this.#wasReady) this.#firstReady.reject(this.#startError(exit, stopped));
    this.#ended.resolve(exit);
  }

  #startError({ code, signal }: ChildExit, stopped: boolean): HesError {
    const why =
      this.#failure?.message ??
      (stopped
        ? 'was stopped while it started'
        : `ended (${signal ?? code}) before it was ready: ${this.#lastLine}`);
    return new HesError('ERR_SUPERVISOR_START', `${this.spec.name}: ${why}`, {
      context: { child: this.spec.name, reason: this.#failure?.code ?? 'exit' },
    });
  }
}
