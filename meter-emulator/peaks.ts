import { dayOfOrdinal, QUARTER_SECONDS } from '../gateway/edge/calendar.ts';
import type { ElectricityCurve, ElectricityDay } from './electricity.ts';

/**
 * The month's highest quarter-hour of import, on which the capacity tariff rests, and those of the thirteen months
 * before (e-MUCS 1-0:1.6.0 and 0-0:98.1.0). They are the true maxima of the curve, so a peak always agrees with the
 * load profile of its day. Found by going through the days once; kept per meter in 28 numbers.
 */
export const MONTHS_OF_HISTORY = 13;

export interface MonthPeak {
  /** `YYYY-MM`. */
  readonly month: string;
  /** Epoch seconds at which the quarter-hour ended. */
  readonly endSeconds: number;
  /** Average power of the quarter-hour: 4 × its Wh. */
  readonly watts: number;
}

interface State {
  /** All days before this one are accounted for. */
  nextDay: number;
  /** Oldest first; the last is the month of `nextDay`. */
  months: MonthPeak[];
}

export class MonthPeaks {
  readonly #curve: ElectricityCurve;
  readonly #since: number;
  #state: State | undefined;

  constructor(curve: ElectricityCurve, since: number) {
    this.#curve = curve;
    this.#since = since;
  }

  /** The peak of the month so far, and of the months before it (oldest first), as a day begins. */
  atStartOf(day: number): { current: MonthPeak; history: readonly MonthPeak[] } {
    const state = this.#advance(day);
    return { current: state.months.at(-1)!, history: state.months.slice(0, -1) };
  }

  #advance(day: number): State {
    let state = this.#state;
    if (state === undefined || state.nextDay > day) state = emptyState(Math.max(this.#since, firstDay(day)));
    for (; state.nextDay < day; state.nextDay++) {
      const peak = peakOfDay(this.#curve.day(state.nextDay), dayOfOrdinal(state.nextDay).start);
      const current = state.months.at(-1)!;
      if (peak.watts > current.watts)
        state.months[state.months.length - 1] = { month: current.month, ...peak };
      openMonth(state, state.nextDay + 1);
    }
    this.#state = state;
    return state;
  }
}

function emptyState(nextDay: number): State {
  const state: State = { nextDay, months: [] };
  openMonth(state, nextDay);
  return state;
}

/** Begin a new month where a day belongs to one. */
function openMonth(state: State, day: number): void {
  const { name, start } = dayOfOrdinal(day);
  const month = name.slice(0, 7);
  if (state.months.at(-1)?.month === month) return;
  state.months.push({ month, endSeconds: start, watts: 0 });
  if (state.months.length > MONTHS_OF_HISTORY + 1) state.months.shift();
}

/** The first day of the month thirteen months before a day's. */
function firstDay(day: number): number {
  let first = day;
  for (let months = 0; months <= MONTHS_OF_HISTORY; months++) {
    const { name } = dayOfOrdinal(first);
    first -= Number(name.slice(8)) - 1;
    if (months < MONTHS_OF_HISTORY) first--;
  }
  return first;
}

/** The highest quarter-hour of a day's first `quarters`; at equal height the earliest. */
export function peakOfDay(
  { importDayWh, importNightWh }: ElectricityDay,
  startSeconds: number,
  quarters = importDayWh.length - 1,
): { endSeconds: number; watts: number } {
  let highestWh = 0;
  let highestAt = 0;
  for (let quarter = 0; quarter < quarters; quarter++) {
    const before = importDayWh[quarter]! + importNightWh[quarter]!;
    const wh = importDayWh[quarter + 1]! + importNightWh[quarter + 1]! - before;
    if (wh > highestWh) {
      highestWh = wh;
      highestAt = quarter;
    }
  }
  return { endSeconds: startSeconds + (highestAt + 1) * QUARTER_SECONDS, watts: highestWh * 4 };
}
