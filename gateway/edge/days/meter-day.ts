import { EXTREMES_MAX, PEAKS_MAX, PROFILES_MAX, REGISTERS_MAX } from '../../../protocol/limits.ts';
import {
  type Extreme,
  type MeterReading,
  type Peak,
  type Profile,
  QUALITY,
  type Register,
  type Timestamp,
  type Unit,
} from '../../../protocol/reading.ts';
import type { Instant, MeterSnapshot } from '../source.ts';
import { type LocalDay, monthBefore } from './calendar.ts';
import { buildProfile, checkClosing } from './profile.ts';
import { rescale, SAMPLE_TOLERANCE_SECONDS, STALE_SECONDS } from './quality.ts';
import {
  followingRow,
  forgetAfter,
  hasSamples,
  newRow,
  type Row,
  sampleBoundary,
  sampleCapture,
} from './row.ts';

/** What was true at any moment of the day stays true of the day. */
const STICKY_FLAGS = QUALITY.clockInvalid | QUALITY.powerFail | QUALITY.registerFell | QUALITY.registerJumped;

/** A register that says so itself is no sample: the meter did not know its value. */
const UNUSABLE_FLAGS = QUALITY.placeholder | QUALITY.clockInvalid;

/** Only these are asked about after the day: how bad the voltage was, how loaded the connection. */
const EXTREME_UNITS: ReadonlySet<Unit> = new Set<Unit>(['V', 'A']);

export interface Range {
  readonly obis: Extreme['obis'];
  readonly unit: Unit;
  readonly scaler: number;
  min: number;
  max: number;
}

/** All that a meter's day consists of, for whoever keeps it over a restart. Shared, not copied. */
export interface MeterDayState {
  readonly day: LocalDay;
  readonly last: MeterSnapshot;
  readonly lastAt: Timestamp;
  readonly rows: readonly Row[];
  readonly ranges: readonly Range[];
  readonly sticky: number;
}

/** What one meter did in one day: samples for the profile, extremes, flags, and how it stood last. */
export class MeterDay {
  readonly day: LocalDay;
  #last: MeterSnapshot;
  #lastAt: Timestamp;
  readonly #rows: Row[];
  readonly #ranges: Range[] = [];
  #sticky = 0;

  private constructor(day: LocalDay, meter: MeterSnapshot, at: Timestamp, rows: Row[]) {
    this.day = day;
    this.#last = meter;
    this.#lastAt = at;
    this.#rows = rows;
  }

  static begin(day: LocalDay, meter: MeterSnapshot, at: Timestamp): MeterDay {
    return new MeterDay(day, meter, at, []);
  }

  /** A day that goes on after a restart. */
  static restored({ day, last, lastAt, rows, ranges, sticky }: MeterDayState): MeterDay {
    const track = new MeterDay(day, last, lastAt, [...rows]);
    track.#ranges.push(...ranges);
    track.#sticky = sticky;
    return track;
  }

  /** The same meter on another day. It knows where its registers stood. */
  following(day: LocalDay): MeterDay {
    const rows = this.#rows.map((row) => followingRow(row, day));
    return new MeterDay(day, this.#last, this.#lastAt, rows);
  }

  get last(): MeterSnapshot {
    return this.#last;
  }

  get lastAt(): Timestamp {
    return this.#lastAt;
  }

  get state(): MeterDayState {
    const { day } = this;
    return {
      day,
      last: this.#last,
      lastAt: this.#lastAt,
      rows: this.#rows,
      ranges: this.#ranges,
      sticky: this.#sticky,
    };
  }

  /**
   * Take what the meter shows; `boundary` is the slot that this is a sample for, where it is one.
   * True when something was kept that must not be lost: a sample or a flag.
   */
  observe(meter: MeterSnapshot, at: Timestamp, boundary: number | null): boolean {
    const before = this.#sticky;
    this.#last = meter;
    this.#lastAt = at;
    this.#sticky |= meter.flags & STICKY_FLAGS;
    for (const instant of meter.instants) this.#extend(instant);
    return this.sample(meter, boundary) || this.#sticky !== before;
  }

  /** Put registers into the slots that they are samples for, without having been seen in this day. */
  sample(meter: MeterSnapshot, boundary: number | null): boolean {
    let kept = false;
    for (let index = 0; index < meter.registers.length; index++) {
      const register = meter.registers[index]!;
      if (boundary === null && register.time === null) continue;
      if ((register.flags & UNUSABLE_FLAGS) !== 0) continue;
      const row = this.#rowOf(register, index);
      if (row === undefined) continue;
      if (register.time !== null) kept = sampleCapture(row, register) || kept;
      else if (boundary !== null) kept = sampleBoundary(row, boundary, register) || kept;
    }
    return kept;
  }

  /** True when the clock was set back, and what it had sampled ahead of `at` was forgotten. */
  rewound(at: Timestamp): boolean {
    if (at.epochSeconds >= this.#lastAt.epochSeconds - SAMPLE_TOLERANCE_SECONDS) return false;
    for (const row of this.#rows) forgetAfter(row, at.epochSeconds);
    return true;
  }

  /** Whether anything was sampled in this day. */
  get hasSamples(): boolean {
    return this.#rows.some(hasSamples);
  }

  /** The quarter-hours are given up to save memory; the registers that close the day stay. */
  dropProfile(): void {
    this.#rows.length = 0;
  }

  /**
   * The reading that closes the day with `closing`, this meter as it stood at `at`.
   * `flags` are those that the accumulator knows: closedLate, stale.
   */
  reading(closing: MeterSnapshot, at: Timestamp, meterTime: Timestamp | null, flags: number): MeterReading {
    const results = this.#rows.map((row) => ({ row, ...buildProfile(row) }));
    const profiles = results.map(({ profile }) => profile).filter((profile) => profile !== null);
    const now = (meterTime ?? at).epochSeconds;
    const registers = closing.registers.slice(0, REGISTERS_MAX).map((register): Register => {
      const result = results.find(({ row }) => row.obis === register.obis);
      let found = register.flags;
      if (register.time !== null && now - register.time.epochSeconds > STALE_SECONDS) found |= QUALITY.stale;
      if (result !== undefined) {
        found |= result.flags & STICKY_FLAGS;
        if ((register.flags & UNUSABLE_FLAGS) === 0)
          found |= checkClosing(result.row, register, at.epochSeconds);
      }
      return found === register.flags ? register : { ...register, flags: found };
    });
    // What a register fell or jumped is said of that register; of one that is gone there is only the meter to say it of.
    const ofRows = results.reduce((all, { row, flags: found }) => {
      const closes = registers.some(({ obis }) => obis === row.obis);
      return all | (closes ? found & ~STICKY_FLAGS : found);
    }, 0);
    const noProfile = this.#rows.length === 0 ? QUALITY.profileGap : 0;
    return {
      medium: closing.medium,
      channel: closing.channel,
      serial: closing.serial,
      ean: closing.ean,
      flags: closing.flags | this.#sticky | flags | ofRows | noProfile,
      registers,
      profiles: profiles.slice(0, PROFILES_MAX) satisfies Profile[],
      peaks: this.#peaks(closing),
      extremes: this.#ranges.map(({ obis, min, max, scaler, unit }) => ({ obis, min, max, scaler, unit })),
    };
  }

  /**
   * Peaks of the day's month and of the one before. On the last day of a month the closing telegram already
   * shows the new month's, so that the one seen last within the day counts for the day's own.
   */
  #peaks(closing: MeterSnapshot): Peak[] {
    const month = this.day.name.slice(0, 7);
    const before = monthBefore(this.day);
    const found = new Map<string, Peak>();
    for (const peak of [...this.#last.peaks, ...closing.peaks])
      if (peak.month === month || peak.month === before) found.set(`${peak.obis} ${peak.month}`, peak);
    return [...found.values()].slice(0, PEAKS_MAX);
  }

  /** Meters print their registers in one order, so the place in the telegram nearly always is the row's. */
  #rowOf(register: Register, index: number): Row | undefined {
    const guess = this.#rows[index];
    if (guess?.obis === register.obis) return guess;
    const known = this.#rows.find((row) => row.obis === register.obis);
    if (known !== undefined || this.#rows.length >= PROFILES_MAX) return known;
    const row = newRow(this.#last.medium, register, this.day);
    if (row !== undefined) this.#rows.push(row);
    return row;
  }

  #extend(instant: Instant): void {
    if (!EXTREME_UNITS.has(instant.unit)) return;
    const range = this.#ranges.find(({ obis }) => obis === instant.obis);
    if (range === undefined) {
      const { obis, unit, scaler, value } = instant;
      if (this.#ranges.length < EXTREMES_MAX)
        this.#ranges.push({ obis, unit, scaler, min: value, max: value });
      return;
    }
    const value = rescale(instant.value, instant.scaler, range.scaler);
    if (value === null) return;
    if (value < range.min) range.min = value;
    if (value > range.max) range.max = value;
  }
}
