import type { ElectricityCurve, QuarterPeak } from './electricity.ts';

/**
 * The month's highest quarter-hour of import, on which the capacity tariff rests, and those of the thirteen months
 * before (e-MUCS 1-0:1.6.0 and 0-0:98.1.0). They are the true maxima of the curve, so a peak always agrees with the
 * load profile of its day. Found by going through the days once; kept per meter in 28 numbers.
 */
export const MONTHS_OF_HISTORY = 13;

export interface MonthPeak extends QuarterPeak {
  /** `YYYY-MM`. */
  readonly month: string;
}

const DAY_MS = 86_400_000;

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
    if (state === undefined || state.nextDay > day) {
      state = { nextDay: Math.max(this.#since, this.#firstDay(day)), months: [] };
      this.#openMonth(state);
    }
    while (state.nextDay < day) {
      const peak = this.#curve.peakOf(state.nextDay);
      const current = state.months.at(-1)!;
      if (peak.watts > current.watts)
        state.months[state.months.length - 1] = { month: current.month, ...peak };
      state.nextDay++;
      this.#openMonth(state);
    }
    this.#state = state;
    return state;
  }

  /** Begin a new month where the next day belongs to one. */
  #openMonth(state: State): void {
    const { month, startSeconds } = this.#curve.monthOf(state.nextDay);
    if (state.months.at(-1)?.month === month) return;
    state.months.push({ month, endSeconds: startSeconds, watts: 0 });
    if (state.months.length > MONTHS_OF_HISTORY + 1) state.months.shift();
  }

  /** The first day of the month thirteen months before a day's. */
  #firstDay(day: number): number {
    const [year, month] = this.#curve.monthOf(day).month.split('-').map(Number) as [number, number];
    return Date.UTC(year, month - 1 - MONTHS_OF_HISTORY, 1) / DAY_MS;
  }
}
