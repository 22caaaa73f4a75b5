import { type MeterReading, type Peak, type Profile, QUALITY } from '../../../protocol/reading.ts';
import { dayNamed } from './calendar.ts';
import type { DayDraft } from './ended-day.ts';

/** Whether nothing may be said of a time, from a second of metering time up to, not with, another. */
export type Withheld = (fromSeconds: number, toSeconds: number) => boolean;

/**
 * A day without what it says of airplane mode: its quarter-hours are gaps, flagged as such, and a monthly peak that
 * was then, or may have been, is left out. Registers stay: the index itself is sent.
 */
export function withhold(draft: DayDraft, withheld: Withheld): DayDraft {
  return { ...draft, meters: draft.meters.map((meter) => withoutWithheld(meter, withheld)) };
}

function withoutWithheld(meter: MeterReading, withheld: Withheld): MeterReading {
  const profiles = meter.profiles.map((profile) => gapsIn(profile, withheld));
  const hasGaps = profiles.some((profile, index) => profile !== meter.profiles[index]);
  return {
    ...meter,
    profiles,
    peaks: meter.peaks.filter((peak) => !isWithheldPeak(peak, withheld)),
    flags: hasGaps ? meter.flags | QUALITY.profileGap : meter.flags,
  };
}

/** A period that is of airplane mode in any part says nothing: what is left of it could be told from its neighbours. */
function gapsIn(profile: Profile, withheld: Withheld): Profile {
  const { start, periodSeconds, deltas } = profile;
  const isGap = (index: number): boolean => {
    const from = start + index * periodSeconds;
    return withheld(from, from + periodSeconds);
  };
  if (!deltas.some((delta, index) => delta !== null && isGap(index))) return profile;
  return { ...profile, deltas: deltas.map((delta, index) => (isGap(index) ? null : delta)) };
}

/** A peak is of the quarter-hour that ended at its time; without a time it may be of any in its month. */
const PEAK_SECONDS = 900;

function isWithheldPeak({ time, month }: Peak, withheld: Withheld): boolean {
  if (time !== null) return withheld(time.epochSeconds - PEAK_SECONDS, time.epochSeconds);
  return withheld(dayNamed(`${month}-01`).start, dayNamed(`${monthAfter(month)}-01`).start);
}

function monthAfter(name: string): string {
  const [year, month] = name.split('-').map(Number) as [number, number];
  return month === 12 ? `${year + 1}-01` : `${year}-${String(month + 1).padStart(2, '0')}`;
}
