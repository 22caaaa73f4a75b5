import { DEVICE_KEYS, type DeviceKeyName } from '../../../pki/device.ts';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import { type Backoff, backoff } from '../../runtime/backoff.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import type { IdentityPort } from '../device-options.ts';
import type { ActionResult } from '../operations/step.ts';
import { nodeFiles, type OutboxFiles } from '../outbox/files.ts';
import { isDue, renewAtMs } from './due.ts';
import { isDone, Plans } from './plan.ts';
import { renewKey } from './renew.ts';
import type { RenewalServer } from './server.ts';

export interface RenewalLimits {
  /** What is due or pending at a start is begun within this: a town that gets its power back does not come at once. */
  readonly startSpreadMs: number;
  /** The ceiling of the first delay after a failure; it doubles from there (full jitter). */
  readonly backoffBaseMs: number;
  readonly backoffMaxMs: number;
}

/** Months are left when a renewal is due: a CA that was away for a week is not to be overrun. */
export const RENEWAL_LIMITS: RenewalLimits = {
  startSpreadMs: 600_000,
  backoffBaseMs: 60_000,
  backoffMaxMs: 6 * 3_600_000,
};

/** How often the identity is read again: somebody may have replaced it by hand. */
const LOOK_EVERY_MS = 60_000;
/**
 * So long a plan that was carried out says so: a command that was under way when the process ended is closed by it.
 * Within this a key is fresh, and a second command for it is done already.
 */
const FRESH_MS = 60_000;
/** Told the same number of seconds, devices come back up to half as long again after it. */
const LATER_SPREAD = 0.5;

export interface RenewalOptions {
  /** The file of the identity: plans lie beside it. */
  readonly file: string;
  readonly identity: IdentityPort;
  readonly server: RenewalServer;
  readonly development: boolean;
  /** The real time. */
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly counters: Counters;
  readonly limits?: Partial<RenewalLimits>;
  readonly files?: OutboxFiles;
  /** Steps with nobody's clock. */
  readonly monotonicMs?: () => number;
}

export interface RenewalStatus {
  /** When the next key is renewed, by the clock; what is due already waits for its turn. */
  readonly nextMs: number;
  /** Keys that were made and are not in use yet. */
  readonly pending: readonly DeviceKeyName[];
  /** When a key was renewed last; null where none was since the start. */
  readonly lastMs: number | null;
  /** What keeps a renewal from being done, or null. */
  readonly failure: { readonly key: DeviceKeyName; readonly code: string; readonly atMs: number } | null;
}

/** One key: when it is due by its certificate, and until when it is left alone after a failure. */
interface Turn {
  atMs: number;
  notBeforeMs: number;
  pending: boolean;
  /** Since when a finished plan lies there; by the monotonic clock. */
  doneMs: number | null;
  failure: RenewalStatus['failure'];
  readonly backoff: Backoff;
}

/**
 * The renewal of a device's three keys: by time, and at a command (docs/adr/0180). It has no timer and holds nothing
 * up: `tick` looks whether something is due, and what it begins runs beside the readings.
 */
export class Renewal {
  readonly #options: RenewalOptions;
  readonly #monotonicMs: () => number;
  readonly #plans: Plans;
  readonly #turns: Readonly<Record<DeviceKeyName, Turn>>;
  readonly #closing = new AbortController();
  readonly #listeners: ((name: DeviceKeyName) => void)[] = [];
  #silent: () => boolean = () => false;
  /** What is being renewed now. */
  #running: AbortController | null = null;
  #lookAtMs = Number.NEGATIVE_INFINITY;
  #lastMs: number | null = null;
  /** One renewal after the other. */
  #tail: Promise<unknown> = Promise.resolve();
  #busy = 0;

  constructor(options: RenewalOptions) {
    const {
      file,
      identity,
      files = nodeFiles,
      random,
      limits,
      monotonicMs = () => performance.now(),
    } = options;
    const { startSpreadMs, backoffBaseMs: baseMs, backoffMaxMs: maxMs } = { ...RENEWAL_LIMITS, ...limits };
    this.#options = options;
    this.#monotonicMs = monotonicMs;
    this.#plans = new Plans(file, identity.device, files);
    const turn = (): Turn => ({
      atMs: Number.POSITIVE_INFINITY,
      notBeforeMs: monotonicMs() + Math.floor(random() * startSpreadMs),
      pending: false,
      doneMs: null,
      failure: null,
      backoff: backoff({ baseMs, maxMs, random }),
    });
    this.#turns = { tls: turn(), sign: turn(), agree: turn() };
  }

  /** Told of each key that was replaced, right after it was. */
  onRenewed(listener: (name: DeviceKeyName) => void): void {
    this.#listeners.push(listener);
  }

  /** In airplane mode nothing leaves the device; what is under way ends. */
  silentWhile(silent: () => boolean): void {
    this.#silent = silent;
  }

  /** Look whether something is due. Never throws, and never waits. */
  tick(): void {
    if (this.#silent()) {
      this.#running?.abort();
      return;
    }
    if (this.#closing.signal.aborted || this.#busy > 0) return;
    const name = this.#guarded(() => {
      this.#look();
      return DEVICE_KEYS.find((key) => this.#isDue(key));
    });
    if (name !== undefined) void this.#inTurn(() => this.#attempt(name, true));
  }

  /** The identity is another: a notice may have named another CA. What is due is looked at with the next tick. */
  lookAgain(): void {
    this.#lookAtMs = Number.NEGATIVE_INFINITY;
  }

  /** `credential.renew` (Hardware.perform): now, whatever the clock says. */
  perform(name: DeviceKeyName): Promise<ActionResult> {
    return this.#inTurn(async (): Promise<ActionResult> => {
      if (this.standing(name)) return 'done';
      const failure = await this.#attempt(name, false);
      if (failure === null) return 'done';
      // What may pass is told as such; the key that was made goes on being asked for.
      return PASSING.has(failure.code) ? 'busy' : 'hardware';
    });
  }

  /** Whether this key was renewed a moment ago (Hardware.standing): also by the process before this one. */
  standing(name: DeviceKeyName): boolean {
    const plan = this.#plans.read(name);
    return plan !== undefined && isDone(plan, this.#options.identity.load(), name);
  }

  /** When `tick` is worth it (ms of the clock). */
  nextMs(): number {
    this.#guarded(() => this.#look());
    return Math.min(...DEVICE_KEYS.map((name) => this.#nextOf(name)));
  }

  status(): RenewalStatus {
    const turns = DEVICE_KEYS.map((name) => this.#turns[name]);
    const failures = turns.flatMap(({ failure }) => (failure === null ? [] : [failure]));
    return {
      nextMs: this.nextMs(),
      pending: DEVICE_KEYS.filter((name) => this.#turns[name].pending),
      lastMs: this.#lastMs,
      failure: failures.sort((one, other) => other.atMs - one.atMs)[0] ?? null,
    };
  }

  /** Resolves when nothing is being renewed. */
  async idle(): Promise<void> {
    await this.#tail;
  }

  /** End what runs; what was begun goes on with the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#tail;
  }

  /** Read identity and plans again, once in a while. */
  #look(): void {
    const nowMs = this.#monotonicMs();
    if (nowMs < this.#lookAtMs) return;
    const identity = this.#options.identity.load();
    for (const name of DEVICE_KEYS) {
      const turn = this.#turns[name];
      const plan = this.#plans.read(name);
      const done = plan !== undefined && isDone(plan, identity, name);
      turn.atMs = renewAtMs(identity, name);
      turn.pending = plan !== undefined && !done;
      turn.doneMs = done ? (turn.doneMs ?? nowMs) : null;
      if (turn.doneMs !== null && nowMs - turn.doneMs >= FRESH_MS) {
        this.#plans.remove(name);
        turn.doneMs = null;
      }
    }
    this.#lookAtMs = nowMs + LOOK_EVERY_MS;
  }

  #isDue(name: DeviceKeyName): boolean {
    const turn = this.#turns[name];
    if (!turn.pending && !isDue(turn.atMs, this.#options.clock.nowMs())) {
      // A clock that was put right, or a key that somebody else replaced.
      turn.failure = null;
      return false;
    }
    return this.#monotonicMs() >= turn.notBeforeMs;
  }

  #nextOf(name: DeviceKeyName): number {
    const { pending, atMs, notBeforeMs } = this.#turns[name];
    const nowMs = this.#options.clock.nowMs();
    const aloneMs = nowMs + Math.max(0, notBeforeMs - this.#monotonicMs());
    return Math.ceil(pending ? aloneMs : Math.max(atMs, aloneMs));
  }

  async #attempt(name: DeviceKeyName, byTime: boolean): Promise<HesError | null> {
    const { file, identity, server, development, clock, files, counters, log } = this.#options;
    const turn = this.#turns[name];
    const { device } = identity;
    this.#running = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, this.#running.signal]);
    try {
      await renewKey(
        { file, identity, server, development, nowMs: clock.nowMs(), files, signal, byTime },
        name,
      );
    } catch (error) {
      this.#failed(name, error);
      return isHesError(error) ? error : unexpected(error);
    } finally {
      this.#running = null;
      this.#lookAtMs = Number.NEGATIVE_INFINITY;
    }
    turn.failure = null;
    turn.doneMs = null;
    turn.backoff.reset();
    turn.notBeforeMs = this.#monotonicMs();
    this.#lastMs = clock.nowMs();
    counters.count('edge.renewal.renewed');
    log.info({ device, key: name }, 'a key was renewed');
    for (const listener of this.#listeners) listener(name);
    return null;
  }

  /** Counted each time, said when it is another trouble than before. */
  #failed(name: DeviceKeyName, error: unknown): void {
    if (this.#closing.signal.aborted) return;
    const { clock, counters, log, random, identity } = this.#options;
    const turn = this.#turns[name];
    const failure = isHesError(error) ? error : unexpected(error);
    const { code, context } = failure;
    const seconds = context['seconds'];
    const delayMs =
      code === 'ERR_EST_LATER' && typeof seconds === 'number'
        ? seconds * 1_000 * (1 + random() * LATER_SPREAD)
        : turn.backoff.nextMs();
    turn.notBeforeMs = this.#monotonicMs() + delayMs;
    counters.count(`edge.renewal.failed.${code}`);
    if (turn.failure?.code !== code)
      log.warn({ err: failure, device: identity.device, key: name }, 'a key is not renewed yet');
    turn.failure = { key: name, code, atMs: clock.nowMs() };
  }

  /** A disk that cannot be read is a trouble of the renewal and of nothing else. */
  #guarded<Result>(look: () => Result): Result | undefined {
    try {
      return look();
    } catch (error) {
      this.#lookAtMs = this.#monotonicMs() + LOOK_EVERY_MS;
      this.#failed('tls', error);
      return undefined;
    }
  }

  #inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#busy++;
    const result = this.#tail.then(work).finally(() => {
      this.#busy--;
    });
    this.#tail = result.catch(() => {});
    return result;
  }
}

/** What time alone mends. */
const PASSING: ReadonlySet<string> = new Set(['ERR_EST_UNREACHABLE', 'ERR_EST_LATER', 'ERR_RENEWAL_DISK']);

const unexpected = (cause: unknown): HesError =>
  new HesError('ERR_UNEXPECTED', 'a renewal failed in a way that nobody foresaw', { cause });
