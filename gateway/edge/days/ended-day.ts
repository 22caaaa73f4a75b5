import type { TenantId } from '../../../protocol/identity.ts';
import { METERS_MAX } from '../../../protocol/limits.ts';
import { type ClockQuality, type MeterReading, QUALITY, type Timestamp } from '../../../protocol/reading.ts';
import type { MeterSnapshot } from '../source.ts';
import type { LocalDay } from './calendar.ts';
import { MeterDay } from './meter-day.ts';
import { clockQuality, SAMPLE_TOLERANCE_SECONDS } from './quality.ts';

/** A capture of midnight may be read some time after it (M-Bus is asked at intervals). */
export const LATE_CAPTURE_SECONDS = 3600;

/** How all meters of one owner stood at the end of one day. */
export interface Closing {
  readonly meters: readonly MeterSnapshot[];
  readonly at: Timestamp;
  readonly meterTime: Timestamp | null;
}

/** A day that is over and not closed yet. */
export interface EndedDay {
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

export function draftOf(owner: TenantId, { day, closing, meters }: EndedDay): DayDraft {
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
    const { last, lastAt } = track;
    if (lastAt.epochSeconds < day.start || closing.meters.some((meter) => isSame(last, meter))) continue;
    // Seen at the end by a source of its own, which has not spoken again since: as good as the others.
    const atEnd = lastAt.epochSeconds >= day.end - SAMPLE_TOLERANCE_SECONDS;
    readings.push(track.reading(last, lastAt, null, clockFlag | (atEnd ? 0 : late | QUALITY.stale)));
  }
  return { owner, day, capturedAt: closing.at, clock, meters: readings.slice(0, METERS_MAX) };
}

/**
 * What comes soon after midnight and still belongs to the day before: captures of M-Bus meters, and the meters of
 * another source, whose telegram was not the first. The day with it, or undefined where nothing was added.
 */
export function withLateComers(ended: EndedDay, now: Closing): EndedDay | undefined {
  const { day, meters, closing } = ended;
  const since = now.at.epochSeconds - day.end;
  if (since < 0 || since >= LATE_CAPTURE_SECONDS) return undefined;
  const onTime = since <= SAMPLE_TOLERANCE_SECONDS;
  let kept = false;
  const joining: MeterSnapshot[] = [];
  for (const meter of now.meters) {
    const track = meters.find(({ last }) => isSame(last, meter));
    if (track === undefined) continue;
    kept = track.sample(meter, onTime ? day.quarters : null) || kept;
    // A closing from before midnight stays: its meters were seen together.
    if (onTime && closing.at.epochSeconds >= day.end && !closing.meters.some((one) => isSame(one, meter)))
      joining.push(meter);
  }
  if (joining.length === 0) return kept ? ended : undefined;
  return { ...ended, closing: { ...closing, meters: [...closing.meters, ...joining] } };
}

export function isSame(one: MeterSnapshot, other: MeterSnapshot): boolean {
  return one.channel === other.channel && one.serial === other.serial && one.medium === other.medium;
}
