import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { HesError } from '../../../protocol/errors.ts';
import { dayAfter, dayAt, dayNamed, type LocalDay } from '../../edge/days/calendar.ts';
import type { Clock } from '../../runtime/clock.ts';

/** A clock that every process of a run shows alike (`simulatedClock` of gateway/runtime). */
export interface SimulatedClockConfig {
  readonly kind: 'simulated';
  readonly originMs: number;
  readonly startedAtMs: number;
  readonly speed: number;
}

const MINUTES_PER_DAY = 24 * 60;

/** Which simulated day a data folder has reached: its devices closed the days before, and days do not come again. */
const DAY_FILE = 'simulated-day.json';

/** A bounded run jumps from day to day, so its routers stand at the end of it and see only past days. */
export function clockAfter(first: LocalDay, days: number, startedAtMs: number): SimulatedClockConfig {
  const end = dayAfter(first, days).start;
  return { kind: 'simulated', originMs: end * 1_000, startedAtMs, speed: 1 };
}

/** A run without end: so many days a minute, from the first day or from where this folder's last run stopped. */
export function runningClock(options: {
  readonly data: string;
  readonly from: string;
  readonly daysPerMinute: number;
  readonly startedAtMs: number;
}): SimulatedClockConfig {
  const reached = readReachedDay(options.data);
  const first = dayNamed(reached !== undefined && reached > options.from ? reached : options.from);
  return {
    kind: 'simulated',
    originMs: first.start * 1_000,
    startedAtMs: options.startedAtMs,
    speed: MINUTES_PER_DAY * options.daysPerMinute,
  };
}

/** As fast as the real one, and with its time. */
export function realTime(startedAtMs: number): SimulatedClockConfig {
  return { kind: 'simulated', originMs: startedAtMs, startedAtMs, speed: 1 };
}

const LOOK_EVERY_MS = 1_000;

/** Writes down each simulated day as it begins. */
export class DayKeeper {
  readonly #file: string;
  readonly #clock: Clock;
  #timer: NodeJS.Timeout | undefined;
  #kept = '';

  constructor(data: string, clock: Clock) {
    this.#file = join(data, DAY_FILE);
    this.#clock = clock;
  }

  begin(): void {
    this.#timer = setInterval(() => this.#keep(), LOOK_EVERY_MS);
  }

  end(): void {
    clearInterval(this.#timer);
    this.#keep();
  }

  #keep(): void {
    const day = dayAt(Math.floor(this.#clock.nowMs() / 1_000)).name;
    if (day === this.#kept) return;
    writeFileSync(`${this.#file}.new`, `${JSON.stringify({ day })}\n`, { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
    this.#kept = day;
  }
}

/** @throws ERR_DATA_DAMAGED */
function readReachedDay(data: string): string | undefined {
  const file = join(data, DAY_FILE);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  try {
    return dayNamed((JSON.parse(text) as { day: string }).day).name;
  } catch (cause) {
    throw new HesError(
      'ERR_DATA_DAMAGED',
      `${file} names no day: remove it, or the whole folder to begin anew`,
      { cause },
    );
  }
}
