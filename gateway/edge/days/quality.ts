import type { ClockQuality, Medium, Timestamp, Unit } from '../../../protocol/reading.ts';

/**
 * What the edge holds for plausible, in one place. It flags and never corrects: estimation is the MDM's business.
 */

/**
 * A sample stands for a quarter-hour's boundary when it was taken this close to it, the first one after before
 * the last one before. P1 sends every 1 or 10 s, a Modbus meter is asked at least once a minute.
 */
export const SAMPLE_TOLERANCE_SECONDS = 60;

/** Meter and edge agree: what a telegram needs to be sent and read, and the drift of a meter that is looked after. */
export const CLOCK_SYNCHRONISED_SECONDS = 30;

/** A clock that is off by a quarter-hour puts consumption into the wrong period of the profile. */
export const CLOCK_INVALID_SECONDS = 900;

/** An M-Bus value that is older than a day and an hour says nothing about the day that it is sent for. */
export const STALE_SECONDS = 25 * 3600;

/** The meter's clock against the edge's own. A meter that tells no time leaves the day unproven, not wrong. */
export function clockQuality(meterTime: Timestamp | null, at: Timestamp): ClockQuality {
  if (meterTime === null) return 'unsynchronised';
  const apart = Math.abs(meterTime.epochSeconds - at.epochSeconds);
  if (apart <= CLOCK_SYNCHRONISED_SECONDS) return 'synchronised';
  return apart < CLOCK_INVALID_SECONDS ? 'unsynchronised' : 'invalid';
}

/**
 * The most that a low-voltage or low-pressure connection can pass in a quarter-hour, in the base unit: 1 MW,
 * 400 m³/h of gas, 100 m³/h of water, 1 MW of heat. Above it the register jumped.
 */
const INCREASE_MAX: Readonly<Record<Medium, Partial<Record<Unit, number>>>> = {
  electricity: { Wh: 250_000, varh: 250_000, VAh: 250_000 },
  gas: { m3: 100, Wh: 1_000_000 },
  water: { m3: 25 },
  heat: { Wh: 250_000, J: 900_000_000, m3: 25 },
};

/** The limit for one quarter-hour in steps of `10^scaler`, or undefined for a unit that has no profile. */
export function increaseMax(medium: Medium, unit: Unit, scaler: number): number | undefined {
  const base = INCREASE_MAX[medium][unit];
  return base === undefined ? undefined : base * 10 ** -scaler;
}

/** Express `value × 10^from` in steps of `10^to`; null where that would need a fraction or leave the safe integers. */
export function rescale(value: number, from: number, to: number): number | null {
  if (from === to) return value;
  const scaled = from > to ? value * 10 ** (from - to) : value / 10 ** (to - from);
  return Number.isSafeInteger(scaled) ? scaled : null;
}
