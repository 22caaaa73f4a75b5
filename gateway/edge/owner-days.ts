import type { TenantId } from '../../protocol/identity.ts';
import { METERS_MAX } from '../../protocol/limits.ts';
import { type ClockQuality, type MeterReading, QUALITY, type Timestamp } from '../../protocol/reading.ts';
import { dayAfter, dayAt, dayOfOrdinal, type LocalDay, QUARTER_SECONDS } from './calendar.ts';
import { MeterDay } from './meter-day.ts';
import { clockQuality, SAMPLE_TOLERANCE_SECONDS } from './quality.ts';
import type { MeterSnapshot } from './source.ts';

/** An owner whose meters are gone from the telegrams is waited for so long; then the day closes with what was seen last. */
const ABSENT_GRACE_SECONDS = 3600;

/** A capture of midnight may be read some time after it (M-Bus is asked at intervals). */
const LATE_CAPTURE_SECONDS = 3600;

/** After an outage so many days are closed late; whatever is older is beyond what any market process asks for. */
export const MISSED_DAYS_MAX = 62;

/** Ended days that wait for room in the outbox keep their profile up to here: 8 × 2 KiB for each of 10,000 devices. */
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

export type DayNotice = 'clockSetBack' | 'daysReopened' | 'profileDropped' | 'dayDropped' | 'daysMissed';

/** How all meters of one owner stood at the end of one day. */
interface Closing {
  readonly meters: readonly MeterSnapshot[];
  readonly at: Timestamp;
  readonly meterTime: Timestamp | null;
}

interface EndedDay {
  readonly day: LocalDay;
  readonly meters: readonly MeterDay[];
  readonly closing: Closing;
}

/** A day of one owner, ready to be numbered, signed and sealed. */
export interface DayDraft {
  readonly owner: TenantId;
  readonly day: LocalDay;
  readonly capturedAt: Timestamp;
  readonly clock: ClockQuality;
  readonly meters: readonly MeterReading[];
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

  constructor(
    owner: TenantId,
    through: number,
    notice: (notice: DayNotice) => void,
    missedDays: MissedDays = 'close',
  ) {
    this.owner = owner;
    this.#through = through;
    this.#notice = notice;
    this.#missedDays = missedDays;
  }

  get through(): number {
    return this.#through;
  }

  /** Ended and not closed, oldest first. */
  get ended(): readonly LocalDay[] {
    return this.#ended.map(({ day }) => day);
  }

  observe(meters: readonly MeterSnapshot[], at: Timestamp, meterTime: Timestamp | null): void {
    const now = { meters, at, meterTime };
    if (this.#day === undefined) this.#resume(now);
    else if (at.epochSeconds >= this.#day.end) this.#turn(now, this.#day);
    else if (at.epochSeconds < this.#day.start && !this.#setBack(now)) return;
    const day = this.#day!;
    this.#meterTime = meterTime;
    const boundary = boundaryAt(day, at.epochSeconds);
    for (let index = 0; index < meters.length; index++) {
      const meter = meters[index]!;
      const track = this.#track(meter, index, day, at);
      if (track === undefined) continue;
      sampleBoundaryBefore(track, at.epochSeconds);
      track.observe(meter, at, boundary);
    }
    if (this.#ended.length > 0 && at.epochSeconds < day.start + LATE_CAPTURE_SECONDS) this.#lateCaptures(now);
  }

  /** A telegram came without any meter of this owner. */
  absent(at: Timestamp): void {
    const day = this.#day;
    if (day === undefined || at.epochSeconds < day.end + ABSENT_GRACE_SECONDS) return;
    this.#end({ day, meters: this.#meters, closing: this.#lastSeen() });
    this.#day = undefined;
    this.#meters = [];
  }

  draft(day: LocalDay): DayDraft | undefined {
    const ended = this.#ended.find((entry) => entry.day.ordinal === day.ordinal);
    if (ended === undefined) return undefined;
    const { closing, meters } = ended;
    const afterEnd = closing.at.epochSeconds - day.end;
    const late = afterEnd > SAMPLE_TOLERANCE_SECONDS ? QUALITY.closedLate : 0;
    const stale = afterEnd < -SAMPLE_TOLERANCE_SECONDS ? QUALITY.stale : 0;
    const clock = clockQuality(closing.meterTime, closing.at);
    const clockFlag = clock === 'invalid' ? QUALITY.clockInvalid : 0;
    const readings = closing.meters.map((meter) => {
      const track =
        meters.find((candidate) => isSame(candidate.last, meter)) ?? MeterDay.begin(day, meter, closing.at);
      return track.reading(meter, closing.at, closing.meterTime, late | stale | clockFlag);
    });
    for (const track of meters) {
      if (track.lastAt.epochSeconds < day.start || closing.meters.some((meter) => isSame(track.last, meter)))
        continue;
      readings.push(track.reading(track.last, track.lastAt, null, late | clockFlag | QUALITY.stale));
    }
    return { owner: this.owner, day, capturedAt: closing.at, clock, meters: readings.slice(0, METERS_MAX) };
  }

  /** A day, and with it every one before, is in the outbox. */
  closed(day: LocalDay): void {
    this.#through = Math.max(this.#through, day.ordinal);
    while (this.#ended.length > 0 && this.#ended[0]!.day.ordinal <= this.#through) this.#ended.shift();
  }

  /** The first telegram since the start, or since the owner's meters had gone. */
  #resume(now: Closing): void {
    const today = dayAt(now.at.epochSeconds);
    if (today.ordinal + SET_BACK_DAYS_MAX < this.#through) this.#reopen(today);
    this.#missed(today, now, []);
    this.#day = today;
  }

  /** The first telegram of another day. */
  #turn(now: Closing, day: LocalDay): void {
    const today = dayAt(now.at.epochSeconds);
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
    if (this.#ended.length > PROFILE_DAYS_MAX) {
      const old = this.#ended[this.#ended.length - 1 - PROFILE_DAYS_MAX]!;
      for (const track of old.meters) track.dropProfile();
      this.#notice('profileDropped');
    }
    if (this.#ended.length > ENDED_DAYS_MAX) {
      this.#through = this.#ended.shift()!.day.ordinal;
      this.#notice('dayDropped');
    }
  }

  /** The clock went back over midnight; true when the telegram counts. A day is never closed a second time for it. */
  #setBack(now: Closing): boolean {
    const today = dayAt(now.at.epochSeconds);
    this.#notice('clockSetBack');
    if (today.ordinal + SET_BACK_DAYS_MAX >= this.#day!.ordinal) return false;
    this.#reopen(today);
    this.#day = today;
    this.#meters = [];
    return true;
  }

  #reopen(today: LocalDay): void {
    while (this.#ended.length > 0 && this.#ended.at(-1)!.day.ordinal >= today.ordinal) this.#ended.pop();
    this.#through = Math.min(this.#through, today.ordinal - 1);
    this.#notice('daysReopened');
  }

  #lastSeen(): Closing {
    let [newest] = this.#meters;
    for (const track of this.#meters)
      if (track.lastAt.epochSeconds > newest!.lastAt.epochSeconds) newest = track;
    const at = newest!.lastAt;
    const fresh = this.#meters.filter((track) => track.lastAt.epochSeconds === at.epochSeconds);
    return { meters: fresh.map((track) => track.last), at, meterTime: this.#meterTime };
  }

  #lateCaptures(now: Closing): void {
    const ended = this.#ended.at(-1)!;
    if (ended.day.ordinal !== this.#day!.ordinal - 1) return;
    for (const meter of now.meters)
      ended.meters.find((track) => isSame(track.last, meter))?.sample(meter, null);
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
    return track;
  }
}

function isSame(one: MeterSnapshot, other: MeterSnapshot): boolean {
  return one.channel === other.channel && one.serial === other.serial && one.medium === other.medium;
}

/** The quarter-hour's boundary that a moment is close enough after, as a slot of the day, or null. */
function boundaryAt(day: LocalDay, epochSeconds: number): number | null {
  const since = epochSeconds - day.start;
  return since % QUARTER_SECONDS <= SAMPLE_TOLERANCE_SECONDS ? Math.floor(since / QUARTER_SECONDS) : null;
}

/** Telegrams stopped shortly before a boundary and came back well after it: the last one before stands for it. */
function sampleBoundaryBefore(track: MeterDay, nowSeconds: number): void {
  const last = track.lastAt.epochSeconds;
  const slot = Math.floor((last - track.day.start) / QUARTER_SECONDS) + 1;
  const boundary = track.day.start + slot * QUARTER_SECONDS;
  if (nowSeconds > boundary + SAMPLE_TOLERANCE_SECONDS && boundary - last <= SAMPLE_TOLERANCE_SECONDS)
    track.sample(track.last, slot);
}
