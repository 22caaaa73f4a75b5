import { dayAfter, dayAt, type LocalDay } from '../../gateway/edge/calendar.ts';
import { sleep } from '../../gateway/runtime/backoff.ts';
import type { Clock } from '../../gateway/runtime/clock.ts';
import type { Counters } from '../../gateway/runtime/counters.ts';
import { DueQueue } from './due-queue.ts';
import type { Station } from './station.ts';
import type { Tally } from './tally.ts';
import { TROUBLE_RETRY_MS, type Visits } from './visits.ts';

export interface ContinuousRunOptions {
  readonly visits: Visits;
  readonly tally: Tally;
  readonly stations: readonly Station[];
  readonly clock: Clock;
  /** Clock milliseconds per real one. */
  readonly speed: number;
  readonly concurrency: number;
  readonly counters: Counters;
  readonly signal: AbortSignal;
}

/** Closing is work for the processor; more at once only waits for the disk. */
const CLOSE_CONCURRENCY = 4;

/** Looked at the clock at least this often: it may be set. */
const WAIT_STEP_MS = 5_000;

/**
 * Live with the clock: at each local midnight every device closes its day, and during the day that follows each of
 * them wakes at its own jittered time and sends. What is in memory does not grow with the days.
 */
export async function runContinuously(options: ContinuousRunOptions): Promise<void> {
  const { visits, tally, stations, clock, counters } = options;
  const fault = new AbortController();
  const signal = AbortSignal.any([options.signal, fault.signal]);
  const failed = (error: unknown): void => fault.abort(error);
  const wakes = new DueQueue<Station>({
    concurrency: options.concurrency,
    work: (station) => visits.wake(station),
    failed,
  });
  const closings = new DueQueue<() => Promise<number | null>>({
    concurrency: CLOSE_CONCURRENCY,
    work: (closing) => closing(),
    failed,
  });
  const stop = (): void => {
    void closings.stop();
    void wakes.stop();
  };
  signal.addEventListener('abort', stop, { once: true });
  const closeAll = async (day: LocalDay): Promise<void> => {
    tally.beginDay(day.name);
    for (const station of stations) {
      for (const owner of station.owners) tally.expect(owner);
      let begun = false;
      closings.add(async () => {
        begun ||= await visits.begin(station, [day]);
        const closed = begun ? await visits.close(station, [day]) : 0;
        wakes.add(station);
        return closed === 1 ? null : TROUBLE_RETRY_MS;
      });
    }
    await closings.idle();
  };
  const catchUp = async (day: LocalDay): Promise<void> => {
    for (const station of stations)
      closings.add(async () => {
        await visits.catchUp(station, day);
        wakes.add(station);
        return null;
      });
    await closings.idle();
  };
  try {
    let day = dayAt(Math.floor(clock.nowMs() / 1_000));
    counters.gauge('fleet.daysBehind', () => daysBehind(clock, day));
    await catchUp(dayAfter(day, -1));
    for (; !signal.aborted; day = dayAfter(day)) {
      await untilEnd(day, options, signal);
      if (!signal.aborted) await closeAll(day);
    }
    if (fault.signal.aborted) throw fault.signal.reason;
  } finally {
    stop();
    await Promise.all([closings.stop(), wakes.stop()]);
  }
}

async function untilEnd(
  day: LocalDay,
  { clock, speed }: ContinuousRunOptions,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    const leftMs = day.end * 1_000 - clock.nowMs();
    if (leftMs <= 0 || signal.aborted) return;
    await sleep(Math.min(WAIT_STEP_MS, Math.ceil(leftMs / speed)), signal).catch(() => undefined);
  }
}

function daysBehind(clock: Clock, day: LocalDay): number {
  return Math.max(0, dayAt(Math.floor(clock.nowMs() / 1_000)).ordinal - day.ordinal);
}
