import { setTimeout as delay } from 'node:timers/promises';
import { type Backoff, backoff } from '../../runtime/backoff.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import type { Random } from '../../runtime/random.ts';
import { P1Reader, type P1ReaderOptions } from '../p1/reader.ts';
import { isTrouble, type Link, type LinkTrouble, type OpenLink } from './link.ts';
import { PortMonitor } from './monitor.ts';
import type { P1Source, P1SourceSink, P1SourceStatus } from './source.ts';
import { SOURCE_TIMING, type SourceTiming } from './timing.ts';

export interface P1PortOptions {
  /** How it is called in logs and in `hes edge status`. */
  readonly name: string;
  readonly link: Link;
  readonly log: Log;
  readonly counters: Counters;
  /** Keys of an encrypted port; taking what no tag vouches for must be asked for, and is warned about. */
  readonly reading?: P1ReaderOptions;
  readonly timing?: SourceTiming;
  readonly clock?: Clock;
  readonly random?: Random;
}

/** A source over any link: opens it, reads it, watches it, tries other speeds, and opens it again. */
export class P1Port implements P1Source {
  readonly name: string;
  readonly #options: P1PortOptions;
  readonly #timing: SourceTiming;
  readonly #clock: Clock;
  readonly #monitor: PortMonitor;
  readonly #backoff: Backoff;
  #reader: P1Reader | null = null;
  #mode = 0;
  #openings = 0;

  constructor(options: P1PortOptions) {
    const { name, log, counters, timing = SOURCE_TIMING, clock = systemClock, random } = options;
    this.name = name;
    this.#options = options;
    this.#timing = timing;
    this.#clock = clock;
    this.#monitor = new PortMonitor({ name, timing, clock, log, counters });
    this.#backoff = backoff({ ...timing.backoff, ...(random === undefined ? {} : { random }) });
  }

  status(): P1SourceStatus {
    const { state, sinceMs, lastTelegramMs, telegrams, bytes } = this.#monitor;
    return {
      state,
      sinceMs,
      mode: this.#options.link.modes[this.#mode] ?? null,
      lastTelegramMs,
      telegrams,
      bytes,
      noiseBytes: this.#reader?.noiseBytes ?? 0,
      faults: { ...this.#reader?.faults },
      openings: this.#openings,
    };
  }

  async run(sink: P1SourceSink, signal: AbortSignal): Promise<void> {
    const reader = this.#readerInto(sink);
    this.#reader = reader;
    while (!signal.aborted) {
      const ended = await this.#listen(reader, signal);
      reader.flush();
      if (signal.aborted) return;
      if (ended === 'other-mode') continue;
      if (ended !== 'reopen') this.#monitor.closed(ended.state, ended.code);
      if (!this.#options.link.isPort) return;
      await pause(this.#backoff.nextMs(), signal);
    }
  }

  #readerInto(sink: P1SourceSink): P1Reader {
    const { reading = {}, log, name } = this.#options;
    if (reading.acceptUnverified === true)
      log.warn(
        { source: name },
        `P1 ${name}: TAKES TELEGRAMS WITHOUT A RIGHT TAG; anybody on the cable can alter them`,
      );
    const monitor = this.#monitor;
    return new P1Reader(
      {
        telegram: (telegram) => {
          monitor.telegram();
          this.#backoff.reset();
          if (telegram.encryption === 'unverified') this.#options.counters.count('p1.unverified');
          sink.telegram(telegram, this.#clock.nowMs());
        },
        fault: (fault) => {
          monitor.fault(fault);
          sink.fault?.(fault);
        },
      },
      reading,
    );
  }

  /** Open the link in the present mode and read until it ends, or is better opened again. */
  async #listen(reader: P1Reader, signal: AbortSignal): Promise<LinkTrouble | 'other-mode' | 'reopen'> {
    const { link } = this.#options;
    const monitor = this.#monitor;
    const opened = await link.open(link.modes[this.#mode] ?? null, {
      data: (block) => {
        monitor.block(block);
        reader.feed(block);
      },
      timeoutMs: this.#timing.connectMs,
      signal,
    });
    if (isTrouble(opened)) return opened;
    this.#openings += 1;
    monitor.opened();
    return this.#watch(opened, reader, signal);
  }

  #watch(
    opened: OpenLink,
    reader: P1Reader,
    signal: AbortSignal,
  ): Promise<LinkTrouble | 'other-mode' | 'reopen'> {
    let openedMs = this.#clock.nowMs();
    const bytesBefore = this.#monitor.bytes;
    return new Promise((resolve) => {
      const end = (why: LinkTrouble | 'other-mode' | 'reopen'): void => {
        clearInterval(timer);
        signal.removeEventListener('abort', stop);
        if (typeof why === 'string') this.#monitor.paused();
        opened.close();
        // A serial port opens again only after it was closed.
        void opened.closed.then(() => resolve(why));
      };
      const stop = (): void => end('reopen');
      const timer = setInterval(() => {
        this.#monitor.tick();
        // The clock was set back: what was opened in its future is open from now on.
        openedMs = Math.min(openedMs, this.#clock.nowMs());
        if (this.#monitor.silentMs >= QUIET_TICKS * this.#timing.tickMs) opened.check?.();
        const why = this.#better(openedMs, this.#monitor.bytes > bytesBefore, reader);
        if (why !== null) end(why);
      }, this.#timing.tickMs);
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      void opened.closed.then((trouble) => end(trouble));
    });
  }

  /** Whether to open the port again, and how. */
  #better(openedMs: number, heard: boolean, reader: P1Reader): 'other-mode' | 'reopen' | null {
    const { link } = this.#options;
    const monitor = this.#monitor;
    if (!link.isPort) return null;
    const openForMs = this.#clock.nowMs() - openedMs;
    if (monitor.silentMs >= this.#timing.silenceMs && reader.heldBytes > 0) reader.flush();
    // A port that once gave telegrams and now gives nothing is not at another speed.
    const isSearching = monitor.lastTelegramMs === null || heard;
    if (
      link.modes.length > 1 &&
      isSearching &&
      Math.min(openForMs, monitor.waitingMs) >= this.#timing.detectMs
    ) {
      this.#mode = (this.#mode + 1) % link.modes.length;
      return 'other-mode';
    }
    return Math.min(openForMs, monitor.silentMs) >= this.#timing.reopenMs ? 'reopen' : null;
  }
}

/** Quiet for so many looks at the clock: meters of the present send every second. */
const QUIET_TICKS = 3;

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => {});
}
