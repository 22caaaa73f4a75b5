import type { TenantId } from '../../../protocol/identity.ts';
import { METERS_MAX } from '../../../protocol/limits.ts';
import type { Timestamp } from '../../../protocol/reading.ts';
import type { MeterSnapshot } from '../source.ts';
import { boundaryAt, sampleBoundaryBefore } from './boundary.ts';
import { dayAfter, dayAt, dayOfOrdinal, type LocalDay } from './calendar.ts';
import { type Closing, type DayDraft, draftOf, type EndedDay, isSame, withLateComers } from './ended-day.ts';
import { MeterDay } from './meter-day.ts';
import { clockQuality, SAMPLE_TOLERANCE_SECONDS } from './quality.ts';

export type { DayDraft } from './ended-day.ts';

/** An owner whose meters are gone from the telegrams is waited for so long; then the day closes with what was seen last. */
const ABSENT_GRACE_SECONDS = 3600;

/** After an outage so many days are closed late; whatever is older is beyond what any market process asks for. */
export const MISSED_DAYS_MAX = 62;

/** So many ended days that wait for room in the outbox keep their profile: 8 × 2 KiB for each of 10,000 devices. */
export const PROFILE_DAYS_MAX = 8;

/** Without a profile a waiting day is small; a year of them is more than any outbox bound makes sense for. */
export const ENDED_DAYS_MAX = 400;

/** A clock that is set back further than this had been wrong, and the days closed by it were not those days. */
const SET_BACK_DAYS_MAX = 2;

/**
 * Whether days in which nothing was seen get an index too. A meter that was cut off owes one for each; a recording
 * that was made on some days owes none for the days between.
 */
export type MissedDays = 'close' | 'skip';

export type DayNotice =
  | 'clockSet'
  | 'clockSetBack'
  | 'daysReopened'
  | 'profileDropped'
  | 'dayDropped'
  | 'daysMissed';

/** All that an owner's days consist of, for whoever keeps them over a restart. Shared, not copied. */
export interface OwnerDaysState {
  readonly owner: TenantId;
  readonly through: number;
  readonly day: LocalDay | null;
  readonly meters: readonly MeterDay[];
  readonly meterTime: Timestamp | null;
  readonly ended: readonly EndedDay[];
}

export interface OwnerDaysOptions {
  readonly owner: TenantId;
  /** Every day up to this ordinal is closed; undefined for an owner that was never seen. */
  readonly through: number | undefined;
  readonly notice: (notice: DayNotice) => void;
  readonly missedDays: MissedDays;
}

/** The days of one owner behind a device: the one in progress, and those that ended and are not closed yet. */
export class OwnerDays {
  readonly owner: TenantId;
  readonly #notice: (notice: DayNotice) => void;
  readonly #missedDays: MissedDays;
  /** Every day up to this ordinal is closed, or was before the owner was first seen. */
  #through: number;
  #day: LocalDay | undefined;
  #meters: MeterDay[] = [];
  #meterTime: Timestamp | null = null;
  readonly #ended: EndedDay[] = [];
  /** First seen by this process, by a clock that nothing has borne out. */
  #unproven: boolean;
  /** The day in progress when the clock last leapt ahead. */
  #leptFrom = Number.NEGATIVE_INFINITY;
  #behind = false;
  #revision = 0;

  constructor({ owner, through, notice, missedDays }: OwnerDaysOptions, now: number) {
    this.owner = owner;
    this.#through = through ?? dayAt(now).ordinal - 1;
    this.#unproven = through === undefined;
    this.#notice = notice;
    this.#missedDays = missedDays;
  }

  /** Days that go on after a restart. `through` is the outbox's word, where it has one: it knows what was closed. */
  static restored(options: OwnerDaysOptions, state: OwnerDaysState): OwnerDays | undefined {
    const through = options.through ?? state.through;
    // Closed by a clock that was far ahead: the next telegram decides from the start.
    if (state.day !== null && state.day.ordinal + SET_BACK_DAYS_MAX < through) return undefined;
    const days = new OwnerDays({ ...options, through }, 0);
    days.#day = state.day ?? undefined;
    days.#meters = [...state.meters];
    days.#meterTime = state.meterTime;
    days.#ended.push(...state.ended.filter(({ day }) => day.ordinal > through));
    return days;
  }

  get state(): OwnerDaysState {
    const { owner } = this;
    const common = { owner, through: this.#through, meterTime: this.#meterTime, ended: this.#ended };
    return { ...common, day: this.#day ?? null, meters: this.#meters };
  }

  /** Rises with each change that is more than new samples of meters that are known already. */
  get revision(): number {
    return this.#revision;
  }

  get through(): number {
    return this.#through;
  }

  /** Ended and not closed, oldest first. */
  get ended(): readonly LocalDay[] {
    return this.#ended.map(({ day }) => day);
  }

  /** True when something was kept that must not be lost. */
  observe(meters: readonly MeterSnapshot[], at: Timestamp, meterTime: Timestamp | null): boolean {
    const now = { meters, at, meterTime };
    const revision = this.#revision;
    if (this.#day === undefined) this.#resume(now);
    else if (at.epochSeconds >= this.#day.end) this.#turn(now, this.#day);
    else if (at.epochSeconds < this.#day.start && !this.#setBack(now, this.#day)) return false;
    const day = this.#day!;
    this.#behind = false;
    this.#meterTime = meterTime;
    if (this.#unproven && meterTime !== null) this.#unproven = clockQuality(meterTime, at) === 'invalid';
    const boundary = boundaryAt(day, at.epochSeconds);
    let kept = false;
    for (let index = 0; index < meters.length; index++) {
      const meter = meters[index]!;
      const track = this.#track(meter, index, day, at);
      if (track === undefined) continue;
      if (track.rewound(at)) this.#revision++;
      kept = sampleBoundaryBefore(track, at.epochSeconds) || kept;
      kept = track.observe(meter, at, boundary) || kept;
    }
    if (this.#ended.length > 0) this.#lateComers(now, day);
    return kept || this.#revision !== revision;
  }

  /** A telegram came without any meter of this owner. True when its day ended by that. */
  absent(at: Timestamp): boolean {
    const day = this.#day;
    if (day === undefined || at.epochSeconds < day.end + ABSENT_GRACE_SECONDS) return false;
    this.#end({ day, meters: this.#meters, closing: this.#lastSeen() });
    this.#day = undefined;
    this.#meters = [];
    this.#revision++;
    return true;
  }

  /** The meters of the day in progress, each as it was seen last. */
  get seen(): readonly MeterDay[] {
    return this.#meters;
  }

  /**
   * How the meters stand now, as the index of the last day that is over: sent beside that day's own where the index
   * is wanted before the next midnight. It says nothing of quarter-hours.
   */
  current(): DayDraft | undefined {
    if (this.#day === undefined || this.#meters.length === 0) return undefined;
    const day = dayOfOrdinal(this.#day.ordinal - 1);
    return draftOf(this.owner, { day, meters: [], closing: this.#lastSeen() });
  }

  draft(day: LocalDay): DayDraft | undefined {
    const ended = this.#ended.find((entry) => entry.day.ordinal === day.ordinal);
    return ended === undefined ? undefined : draftOf(this.owner, ended);
  }

  /** A day, and with it every one before, is in the outbox. */
  closed(day: LocalDay): void {
    this.#through = Math.max(this.#through, day.ordinal);
    while (this.#ended.length > 0 && this.#ended[0]!.day.ordinal <= this.#through) this.#ended.shift();
    // A clock that no meter contradicts has by now run for a day.
    if (this.#meterTime === null) this.#unproven = false;
    this.#revision++;
  }

  /** The first telegram since the start, or since the owner's meters had gone. */
  #resume(now: Closing): void {
    const today = dayAt(now.at.epochSeconds);
    if (today.ordinal + SET_BACK_DAYS_MAX < this.#through) this.#meters = this.#reopen(today);
    this.#missed(today, now, []);
    this.#day = today;
    this.#revision++;
  }

  /** The first telegram of another day. */
  #turn(now: Closing, day: LocalDay): void {
    const today = dayAt(now.at.epochSeconds);
    this.#revision++;
    if (this.#unproven && today.ordinal - day.ordinal > MISSED_DAYS_MAX) {
      this.#clockSet(today);
      return;
    }
    if (today.ordinal - day.ordinal > SET_BACK_DAYS_MAX) this.#leptFrom = day.ordinal;
    const onTime = now.at.epochSeconds <= day.end + SAMPLE_TOLERANCE_SECONDS;
    const before = this.#lastSeen();
    // An outage that began just after the last telegram of the day leaves that one as the closing reading.
    const atEnd = !onTime && before.at.epochSeconds >= day.end - SAMPLE_TOLERANCE_SECONDS;
    for (const track of this.#meters) {
      const shown = now.meters.find((meter) => isSame(track.last, meter));
      if (shown !== undefined) track.sample(shown, onTime ? day.quarters : null);
      sampleBoundaryBefore(track, now.at.epochSeconds);
    }
    const seen = this.#meters.filter((track) => track.lastAt.epochSeconds >= day.start);
    const followers = seen.map((track) => track.following(dayAfter(day)));
    this.#end({ day, meters: seen, closing: atEnd ? before : now });
    this.#missed(today, now, followers);
    this.#day = today;
    this.#meters =
      today.ordinal === day.ordinal + 1 ? followers : followers.map((track) => track.following(today));
  }

  /** The clock was set for the first time: what was before had no date, and nothing is owed for it. */
  #clockSet(today: LocalDay): void {
    this.#notice('clockSet');
    this.#through = today.ordinal - 1;
    this.#ended.length = 0;
    this.#day = today;
    this.#meters = [];
  }

  /** Days in which nothing was seen: they close with what the first telegram after them shows, and no profile. */
  #missed(today: LocalDay, now: Closing, meters: readonly MeterDay[]): void {
    if (this.#missedDays === 'skip') return;
    const last = this.#ended.at(-1)?.day.ordinal ?? this.#through;
    const first = Math.max(last + 1, this.#through + 1, today.ordinal - MISSED_DAYS_MAX);
    if (first < today.ordinal) this.#notice('daysMissed');
    for (let ordinal = first; ordinal < today.ordinal; ordinal++) {
      const day = dayOfOrdinal(ordinal);
      const tracks = meters.map((track) => (track.day.ordinal === ordinal ? track : track.following(day)));
      this.#end({ day, meters: tracks, closing: now });
    }
  }

  #end(ended: EndedDay): void {
    if (ended.day.ordinal <= this.#through) return;
    this.#ended.push(ended);
    // Days in which nothing was seen push out no profile: one outage may add two months of them at once.
    const sampled = this.#ended.filter(({ meters }) => meters.some(({ hasSamples }) => hasSamples));
    if (sampled.length > PROFILE_DAYS_MAX) {
      for (const track of sampled[0]!.meters) track.dropProfile();
      this.#notice('profileDropped');
    }
    if (this.#ended.length > ENDED_DAYS_MAX) {
      this.#through = this.#ended.shift()!.day.ordinal;
      this.#notice('dayDropped');
    }
  }

  /** The clock went back over midnight; true when the telegram counts. A day is never closed a second time for it. */
  #setBack(now: Closing, day: LocalDay): boolean {
    // Two sources at midnight: the slower one's telegram may come second.
    if (now.at.epochSeconds >= day.start - SAMPLE_TOLERANCE_SECONDS) return false;
    const today = dayAt(now.at.epochSeconds);
    if (!this.#behind) this.#notice('clockSetBack');
    this.#behind = true;
    if (today.ordinal + SET_BACK_DAYS_MAX >= day.ordinal) return false;
    this.#meters = this.#reopen(today);
    this.#day = today;
    this.#revision++;
    return true;
  }

  /**
   * The clock had been wrong, and the days that it closed were not those days. The one from which it leapt was:
   * it goes on where it is not closed yet, with the meters that are returned.
   */
  #reopen(today: LocalDay): MeterDay[] {
    let meters: readonly MeterDay[] = [];
    while (this.#ended.length > 0 && this.#ended.at(-1)!.day.ordinal >= today.ordinal) {
      const { day, meters: seen } = this.#ended.pop()!;
      if (day.ordinal === today.ordinal) meters = seen;
    }
    const real = this.#leptFrom <= today.ordinal + SET_BACK_DAYS_MAX ? this.#leptFrom : today.ordinal - 1;
    this.#through = Math.min(this.#through, Math.max(real, today.ordinal - 1));
    this.#notice('daysReopened');
    return [...meters];
  }

  #lastSeen(): Closing {
    let [newest] = this.#meters;
    for (const track of this.#meters)
      if (track.lastAt.epochSeconds > newest!.lastAt.epochSeconds) newest = track;
    const at = newest!.lastAt;
    const fresh = this.#meters.filter((track) => track.lastAt.epochSeconds === at.epochSeconds);
    return { meters: fresh.map((track) => track.last), at, meterTime: this.#meterTime };
  }

  #lateComers(now: Closing, day: LocalDay): void {
    const ended = this.#ended.at(-1)!;
    if (ended.day.ordinal !== day.ordinal - 1) return;
    const joined = withLateComers(ended, now);
    if (joined === undefined) return;
    this.#ended[this.#ended.length - 1] = joined;
    this.#revision++;
  }

  /** Telegrams keep their order, so the place in the last one nearly always is the meter's. */
  #track(meter: MeterSnapshot, index: number, day: LocalDay, at: Timestamp): MeterDay | undefined {
    const guess = this.#meters[index];
    if (guess !== undefined && isSame(guess.last, meter)) return guess;
    const known = this.#meters.find((track) => isSame(track.last, meter));
    if (known !== undefined) return known;
    // A meter that was replaced during the day stays in the day's index, as long as there is room for it.
    if (this.#meters.length >= METERS_MAX) return undefined;
    const track = MeterDay.begin(day, meter, at);
    this.#meters.push(track);
    this.#revision++;
    return track;
  }
}
