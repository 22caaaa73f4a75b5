import { dayAt, type LocalDay, QUARTER_SECONDS } from '../days/calendar.ts';
import { SAMPLE_TOLERANCE_SECONDS } from '../days/quality.ts';

/** A telegram that counted: the edge's clock and the register that it showed. */
export interface Shown {
  readonly at: number;
  readonly value: number;
}

export interface ExpectedDay {
  readonly day: string;
  readonly capturedAt: number;
  readonly value: number;
  readonly late: boolean;
  readonly deltas: readonly (number | null)[];
}

/**
 * What must arrive, worked out from the telegrams alone (docs/adr/0071, 0074, 0102): which of them count, which of
 * them a kill takes away again, and what a day looks like that is closed now. It knows nothing of how the edge does
 * it: no days in progress, no rows, no file.
 */
export class Oracle {
  readonly #shown: Shown[] = [];
  /** So many of them are safe from a kill. */
  #safe = 0;

  /** A telegram came. `writable`: whether the disk takes what must not be lost. */
  came(at: number, value: number, writable: boolean): void {
    const before = this.#shown.at(-1);
    // Behind the midnight that was passed already, nothing counts again.
    if (before !== undefined && at < dayAt(before.at).start) return;
    const matters = before === undefined || this.#matters(before, at);
    this.#shown.push({ at, value });
    if (matters && writable) this.#safe = this.#shown.length;
  }

  /** A clean end, or a day that was closed, on a disk that takes writes: everything is safe. */
  saved(): void {
    this.#safe = this.#shown.length;
  }

  get allSafe(): boolean {
    return this.#safe === this.#shown.length;
  }

  /** A kill: what was not written down never was. */
  killed(): void {
    this.#shown.length = this.#safe;
  }

  /** The day after the last telegram's has not begun; these are over. */
  get endedBefore(): number {
    const last = this.#shown.at(-1);
    return last === undefined ? Number.NEGATIVE_INFINITY : dayAt(last.at).ordinal;
  }

  /** How a day is closed with what is known now. */
  day({ name, start, end, quarters, ordinal }: LocalDay): ExpectedDay {
    const samples = this.#samples(start, quarters);
    const next = this.#shown.findIndex(({ at }) => dayAt(at).ordinal > ordinal);
    const after = this.#shown[next]!;
    const before = this.#shown[next - 1];
    const atEnd = before !== undefined && before.at < end && before.at >= end - SAMPLE_TOLERANCE_SECONDS;
    const onTime = after.at <= end + SAMPLE_TOLERANCE_SECONDS;
    const closing = !onTime && atEnd ? before : after;
    return {
      day: name,
      capturedAt: closing.at,
      value: closing.value,
      late: closing.at > end + SAMPLE_TOLERANCE_SECONDS,
      deltas: Array.from({ length: quarters }, (_, quarter) => {
        const [from, to] = [samples[quarter], samples[quarter + 1]];
        return from === undefined || to === undefined ? null : to - from;
      }),
    };
  }

  /** The register at each boundary of a day: the first telegram within a minute after it, or the last before it. */
  #samples(start: number, quarters: number): (number | undefined)[] {
    const samples: (number | undefined)[] = new Array(quarters + 1).fill(undefined);
    const keep = (boundary: number, value: number): void => {
      const slot = (boundary - start) / QUARTER_SECONDS;
      if (slot >= 0 && slot <= quarters) samples[slot] ??= value;
    };
    // What counts never goes back behind a midnight, so the telegrams of a day stand together.
    const first = this.#shown.findLastIndex(({ at }) => at < start - SAMPLE_TOLERANCE_SECONDS);
    for (let index = Math.max(0, first); index < this.#shown.length; index++) {
      const { at, value } = this.#shown[index]!;
      const before = this.#shown[index - 1];
      if (before !== undefined && isSetBack(before.at, at))
        samples.fill(undefined, Math.max(0, Math.floor((at - start) / QUARTER_SECONDS) + 1));
      const passed = before === undefined ? undefined : passedBoundary(before.at, at);
      if (passed !== undefined) keep(passed, before!.value);
      if (at % QUARTER_SECONDS <= SAMPLE_TOLERANCE_SECONDS) keep(at - (at % QUARTER_SECONDS), value);
    }
    return samples;
  }

  /** Whether a telegram brings what must not be lost: a sample, or another day. */
  #matters(before: Shown, at: number): boolean {
    if (dayAt(at).ordinal !== dayAt(before.at).ordinal || isSetBack(before.at, at)) return true;
    const boundary = at - (at % QUARTER_SECONDS);
    const { start, quarters } = dayAt(at);
    const samples = this.#samples(start, quarters);
    const missing = (moment: number): boolean => samples[(moment - start) / QUARTER_SECONDS] === undefined;
    const passed = passedBoundary(before.at, at);
    if (passed !== undefined && missing(passed)) return true;
    return at - boundary <= SAMPLE_TOLERANCE_SECONDS && missing(boundary);
  }
}

/** What was sampled ahead of the time that a clock was set back to comes again. */
function isSetBack(before: number, at: number): boolean {
  return at < before - SAMPLE_TOLERANCE_SECONDS;
}

/** The boundary that lies between two telegrams, close behind the first and far before the second. */
function passedBoundary(before: number, at: number): number | undefined {
  const boundary = before - (before % QUARTER_SECONDS) + QUARTER_SECONDS;
  return boundary - before <= SAMPLE_TOLERANCE_SECONDS && at > boundary + SAMPLE_TOLERANCE_SECONDS
    ? boundary
    : undefined;
}
