import type { Clock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { P1Fault } from '../p1/telegram.ts';
import { Evidence } from './evidence.ts';
import { PORT_STATES, type PortState } from './source.ts';
import type { SourceTiming } from './timing.ts';

export interface MonitorOptions {
  readonly name: string;
  readonly timing: SourceTiming;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: Counters;
}

/**
 * Watches one port and says in which state it is: one log line and one count for each change, none for what
 * stays. It decides by times and counts that are told to it, so a test needs no port and no waiting.
 */
export class PortMonitor {
  state: PortState = 'starting';
  sinceMs: number;
  lastTelegramMs: number | null = null;
  telegrams = 0;
  bytes = 0;
  readonly #options: MonitorOptions;
  readonly #evidence = new Evidence();
  #open = false;
  /** The next opening is one after trouble, and not a change of speed: waiting begins anew. */
  #isAfresh = true;
  /** When it began to listen, or heard the last telegram: from then on it is waited. */
  #waitingSinceMs: number;
  #lastByteMs: number | null = null;
  #collectingSinceMs: number;
  /** What the last window looked like. */
  #verdict: PortState | null = null;
  #tickedMs = Number.NEGATIVE_INFINITY;
  /** What there was when the last line was written. */
  #told = { telegrams: 0, bytes: 0, faults: 0 };
  #faults = 0;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.sinceMs = options.clock.nowMs();
    this.#waitingSinceMs = this.sinceMs;
    this.#collectingSinceMs = this.sinceMs;
  }

  /** Milliseconds without a byte, counted from the beginning where there never was one. */
  get silentMs(): number {
    return this.#options.clock.nowMs() - Math.max(this.#lastByteMs ?? 0, this.#waitingSinceMs);
  }

  /** Milliseconds without a telegram. */
  get waitingMs(): number {
    return this.#options.clock.nowMs() - this.#waitingSinceMs;
  }

  /** The port is open. What was wrong before stands until something is heard: opening alone mends nothing. */
  opened(): void {
    this.#open = true;
    if (!this.#isAfresh) return;
    this.#isAfresh = false;
    this.#waitingSinceMs = this.#options.clock.nowMs();
    this.#collectAnew();
  }

  closed(trouble: PortState, code?: string): void {
    this.#open = false;
    this.#isAfresh = true;
    this.#enter(trouble, code);
  }

  /** Closed on purpose, to be opened again in another way. */
  paused(): void {
    this.#open = false;
  }

  block(block: Uint8Array): void {
    this.bytes += block.length;
    this.#lastByteMs = this.#options.clock.nowMs();
    this.#evidence.block(block);
  }

  telegram(): void {
    this.telegrams += 1;
    this.#options.counters.count('p1.telegrams');
    this.lastTelegramMs = this.#options.clock.nowMs();
    this.#waitingSinceMs = this.lastTelegramMs;
    this.#collectAnew();
    this.#enter('receiving');
  }

  fault(fault: P1Fault): void {
    this.#faults += 1;
    this.#options.counters.count(`p1.fault.${fault}`);
    this.#evidence.fault(fault);
  }

  /** Look at the clock. */
  tick(): void {
    const { timing, clock } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs < this.#tickedMs) this.#clockSetBack(nowMs);
    this.#tickedMs = nowMs;
    if (!this.#open) return;
    const windowMs = clock.nowMs() - this.#collectingSinceMs;
    if (this.silentMs >= timing.silenceMs) {
      this.#collectAnew();
      this.#enter(this.#lastByteMs === null ? 'port-closed' : 'silent');
    } else if (windowMs >= timing.telegramMs && this.silentMs < timing.silenceMs / 2) {
      // Bytes still come: half a telegram of the moment when a cable was pulled is no noise, silence will be said.
      const verdict = this.#evidence.bytes === 0 ? null : this.#evidence.verdict(windowMs);
      const isConfirmed = verdict === this.#verdict || !EVIDENT.has(this.state);
      this.#collectAnew();
      this.#verdict = verdict;
      if (verdict !== null && isConfirmed) this.#enter(verdict);
    }
  }

  /** What lies ahead of the clock now would be waited for as long as the clock was wrong: waiting begins anew. */
  #clockSetBack(nowMs: number): void {
    this.#waitingSinceMs = Math.min(this.#waitingSinceMs, nowMs);
    this.sinceMs = Math.min(this.sinceMs, nowMs);
    if (this.#lastByteMs !== null) this.#lastByteMs = Math.min(this.#lastByteMs, nowMs);
    this.#collectAnew();
  }

  /** Evidence is of one window without a telegram: what was noise an hour ago says nothing about now. */
  #collectAnew(): void {
    this.#collectingSinceMs = this.#options.clock.nowMs();
    this.#evidence.reset();
    this.#verdict = null;
  }

  #enter(state: PortState, code?: string): void {
    if (state === this.state) return;
    const { clock, log, counters, name } = this.#options;
    const nowMs = clock.nowMs();
    const { level, text } = PORT_STATES[state];
    const since = this.#told;
    this.#told = { telegrams: this.telegrams, bytes: this.bytes, faults: this.#faults };
    log[level](
      {
        source: name,
        port: state,
        before: this.state,
        beforeMs: nowMs - this.sinceMs,
        telegrams: this.telegrams - since.telegrams,
        bytes: this.bytes - since.bytes,
        faults: this.#faults - since.faults,
        ...(code === undefined ? {} : { code }),
      },
      `P1 ${name}: ${text}`,
    );
    counters.count(`p1.state.${state}`);
    this.state = state;
    this.sinceMs = nowMs;
  }
}

/**
 * States that were concluded from bytes. A line on the border between two of them, or stray bytes between silences,
 * would change the state with every window: from one of these on, two windows must agree.
 */
const EVIDENT: ReadonlySet<PortState> = new Set<PortState>([
  'wrong-speed',
  'noise',
  'damaged',
  'undecipherable',
  'silent',
  'port-closed',
]);
