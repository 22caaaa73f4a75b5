import { type ClockQuality, QUALITY, type QualityFlag } from '../../../protocol/reading.ts';

/**
 * Reading qualities, IEC 61968-9 annex: `system.category.index`. System 1 is the end device, 2 the collection
 * system, which is this gateway; 3 (the MDM) is never ours to say.
 */
export type QualityCode = `${1 | 2}.${number}.${number}`;

/** Said of a reading of which nothing else was said: valid, from the device. */
export const VALID: QualityCode = '1.0.0';

/** A quarter-hour of which the device knows nothing. It is stated as missing, and never estimated here. */
export const MISSING: QualityCode = '1.5.259';

/** What the device flagged. One code each, so that the MDM can still tell the flags apart. */
export const DEVICE_QUALITIES: Readonly<Record<QualityFlag, { code: QualityCode; means: string }>> = {
  clockInvalid: { code: '1.1.9', means: 'diagnostics: clock error' },
  powerFail: { code: '1.2.32', means: 'power quality: power fail' },
  registerFell: { code: '1.5.258', means: 'reasonability: suspect (the register fell)' },
  registerJumped: {
    code: '1.5.256',
    means: 'reasonability: data outside expected range (the register jumped)',
  },
  profileGap: { code: '1.5.259', means: 'reasonability: known missing read (quarter-hours are missing)' },
  stale: {
    code: '1.4.129',
    means: 'data collection: failed probe attempt (the channel repeats an old value)',
  },
  placeholder: { code: '1.5.257', means: 'reasonability: error code (the meter sent a placeholder)' },
  closedLate: { code: '1.10.0', means: 'questionable: the day was closed after its midnight' },
};

/** A clock that is not synchronised makes every time stamp questionable, so it is an error of the clock too. */
const CLOCK_QUALITIES: Readonly<Record<ClockQuality, number>> = {
  synchronised: 0,
  unsynchronised: QUALITY.clockInvalid,
  invalid: QUALITY.clockInvalid,
};

export function clockFlags(clock: ClockQuality): number {
  return CLOCK_QUALITIES[clock];
}

const FLAG_ROWS = Object.entries(QUALITY).map(
  ([flag, bit]) => [bit, DEVICE_QUALITIES[flag as QualityFlag].code] as const,
);

const KNOWN_BITS = Object.values(QUALITY).reduce((bits, bit) => bits | bit, 0);

/** Bits of a version of the device that is newer than this table are not dropped: questionable, indeterminate. */
const UNKNOWN_BITS: QualityCode = '1.10.0';

/** The codes of flag bits, without repeats, in the order of the table; none for 0. */
export function flagCodes(flags: number): readonly QualityCode[] {
  if (flags === 0) return [];
  const codes = FLAG_ROWS.filter(([bit]) => (flags & bit) !== 0).map(([, code]) => code);
  return (flags & ~KNOWN_BITS) === 0 ? codes : [...new Set([...codes, UNKNOWN_BITS])];
}
