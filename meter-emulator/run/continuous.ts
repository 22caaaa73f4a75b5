import { dayAfter, dayAt, type LocalDay } from '../../gateway/edge/days/calendar.ts';
import { sleep } from '../../gateway/runtime/backoff.ts';
import type { Clock } from '../../gateway/runtime/clock.ts';
import type { Counters } from '../../gateway/runtime/counters.ts';
import type { FleetCommands } from './commands.ts';
import { DueQueue } from './due-queue.ts';
import { Lanes } from './lanes.ts';
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
  /** Devices of one home tenant that are awake at once. */
  readonly concurrency: number;
  readonly counters: Counters;
  readonly signal: AbortSignal;
  /** Where devices take commands. */
  readonly commands?: FleetCommands;
}

/** Closing is work for the processor; more at once only waits for the disk. */
const CLOSE_CONCURRENCY = 4;

/** A device that is awake when its day ends closes the day when it has gone to sleep again. */
const AWAKE_RETRY_MS = 50;

/** Looked at the clock at least this often: it may be set. */
const WAIT_STEP_MS = 5_000;

/**
 * Live with the clock: at each local midnight every device closes its day, and during the day that follows each of
 * them wakes at its own jittered time and sends. No device waits for another. What is in memory does not grow with
 * the days: of those that a device has still to close only the first and the last are kept.
 */
export async function runContinuously(options: ContinuousRunOptions): Promise<void> {
  const { visits, tally, stations, clock, counters } = options;
  const fault = new AbortController();
  const signal = AbortSignal.any([options.signal, fault.signal]);
  const failed = (error: unknown): void => fault.abort(error);
  const wakes = new Lanes<Station>({
    items: stations,
    stationOf: (station) => station,
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
  const diaries = stations.map((station) => new Diary(station, visits, wakes));
  const closeAll = (day: LocalDay): void => {
    tally.beginDay(day.name);
    for (const diary of diaries) {
      if (visits.isSilent(diary.station)) continue;
      for (const owner of diary.station.owners) tally.expect(owner);
      diary.dayOver(day);
      closings.add(diary.closeNext);
    }
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
  options.commands?.begin({
    hurry: (station) => wakes.hurry(station),
    speaksAgain: (owners) => {
      for (const owner of owners) tally.expect(owner);
    },
  });
  try {
    let day = dayAt(Math.floor(clock.nowMs() / 1_000));
    counters.gauge('fleet.daysBehind', () => diaries.reduce((most, { behind }) => Math.max(most, behind), 0));
    await catchUp(dayAfter(day, -1));
    for (; !signal.aborted; day = dayAfter(day)) {
      await untilEnd(day, options, signal);
      if (!signal.aborted) closeAll(day);
    }
    if (fault.signal.aborted) throw fault.signal.reason;
  } finally {
    options.commands?.end();
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

/** The days that one device has still to close. */
class Diary {
  readonly station: Station;
  readonly #visits: Visits;
  readonly #wakes: Lanes<Station>;
  #next: LocalDay | undefined;
  #last: LocalDay | undefined;
  #begun = false;

  constructor(station: Station, visits: Visits, wakes: Lanes<Station>) {
    this.station = station;
    this.#visits = visits;
    this.#wakes = wakes;
  }

  /** Days that are over and not closed. */
  get behind(): number {
    return this.#next === undefined ? 0 : this.#last!.ordinal - this.#next.ordinal + 1;
  }

  dayOver(day: LocalDay): void {
    this.#next ??= day;
    this.#last = day;
  }

  /** Close the oldest day; the milliseconds after which to come again, or null when none is left. */
  readonly closeNext = async (): Promise<number | null> => {
    const { station } = this;
    const day = this.#next;
    if (day === undefined) return null;
    if (this.#visits.isBusy(station)) return AWAKE_RETRY_MS;
    if (this.#visits.isDark(station)) return TROUBLE_RETRY_MS;
    this.#begun ||= await this.#visits.begin(station, [day]);
    const closed = this.#begun ? await this.#visits.close(station, [day]) : 0;
    this.#wakes.add(station);
    if (closed !== 1) return TROUBLE_RETRY_MS;
    this.#begun = false;
    this.#next = day.ordinal < this.#last!.ordinal ? dayAfter(day) : undefined;
    return this.#next === undefined ? null : 0;
  };
}
