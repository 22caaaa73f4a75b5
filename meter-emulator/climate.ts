import { drawAt, stateOf } from './hash.ts';

/**
 * The weather that a whole fleet shares: one region, so cold days and grey days fall together for all meters, as
 * they do in Belgium. All of it is a function of (seed, day): nothing is drawn in order.
 */

const DAYS_PER_YEAR = 365.2425;
const COLDEST_DAY_OF_YEAR = 17;
/** Monthly means of Uccle run from about 3.5 °C (January) to 18.5 °C (July). */
const MEAN_TEMPERATURE_C = 10.9;
const TEMPERATURE_SWING_C = 7.6;
/** Below this outdoor temperature a house is heated; the Belgian gas sector counts degree days from 16.5 °C. */
const HEATING_THRESHOLD_C = 16.5;

const RADIANS = Math.PI / 180;
const BRUSSELS_LATITUDE = 50.85 * RADIANS;
const BRUSSELS_LONGITUDE_DEGREES = 4.35;

/** A household with panels buys less while the sun shines: what is left of its load at full sun. */
const LEFT_AT_FULL_SUN = 0.18;
/** The panel output (part of its peak) at which a household's own load is covered as far as it ever is. */
const COVERING_SUN = 0.3;

export interface Climate {
  temperatureC(day: number): number;
  /** How many degrees the day stayed below the heating threshold. */
  heatingDegrees(day: number): number;
  /** 0 is a blue sky, 1 a closed cover. */
  cloud(day: number): number;
  /** Output of a panel at a moment of a day, 0 to about 0.9 of its peak power. */
  sun(day: number, epochSeconds: number): number;
}

export function createClimate(seed: number): Climate {
  const state = stateOf(seed, 0xc11a7e);
  let cloudDay = Number.NaN;
  let cloudOfDay = 0;
  const cloud = (day: number): number => {
    // Asked for each quarter-hour of a day in turn.
    if (day !== cloudDay) {
      cloudOfDay = cover(day);
      cloudDay = day;
    }
    return cloudOfDay;
  };
  const cover = (day: number): number => {
    const winter = 0.1 * Math.cos(yearPhase(day));
    const share = 0.56 + winter + 0.42 * noise(state, 1, day / 3) + 0.28 * noise(state, 2, day);
    return Math.min(1, Math.max(0.04, share));
  };
  const temperatureC = (day: number): number =>
    MEAN_TEMPERATURE_C -
    TEMPERATURE_SWING_C * Math.cos(yearPhase(day)) +
    5 * noise(state, 3, day / 6) +
    2 * noise(state, 4, day / 2);
  return {
    temperatureC,
    cloud,
    heatingDegrees: (day) => Math.max(0, HEATING_THRESHOLD_C - temperatureC(day)),
    sun(day, epochSeconds) {
      const height = sunHeight(epochSeconds);
      if (height <= 0) return 0;
      const cover = cloud(day);
      // Clouds pass: under a broken cover one quarter-hour is bright and the next is not.
      const passing = 1 - 0.6 * cover * drawAt(state, Math.floor(epochSeconds / 900));
      return 0.95 * height ** 1.1 * (1 - 0.7 * cover) * passing;
    },
  };
}

/** 0 in the coldest time of the year, π in the warmest. */
export function yearPhase(day: number): number {
  return (2 * Math.PI * (day - COLDEST_DAY_OF_YEAR)) / DAYS_PER_YEAR;
}

/**
 * The sine of the sun's elevation over Brussels, negative at night: declination and equation of time after Spencer,
 * good to half a degree, which is more than a household curve can show.
 */
export function sunHeight(epochSeconds: number): number {
  const days = epochSeconds / 86_400;
  const angle = (2 * Math.PI * (days % DAYS_PER_YEAR)) / DAYS_PER_YEAR;
  const declination =
    0.006918 -
    0.399912 * Math.cos(angle) +
    0.070257 * Math.sin(angle) -
    0.006758 * Math.cos(2 * angle) +
    0.000907 * Math.sin(2 * angle);
  const equationOfTimeMinutes =
    229.18 *
    (0.000075 +
      0.001868 * Math.cos(angle) -
      0.032077 * Math.sin(angle) -
      0.014615 * Math.cos(2 * angle) -
      0.040849 * Math.sin(2 * angle));
  const utcMinutes = (days - Math.floor(days)) * 1_440;
  const solarMinutes = utcMinutes + 4 * BRUSSELS_LONGITUDE_DEGREES + equationOfTimeMinutes;
  const hourAngle = (solarMinutes / 4 - 180) * RADIANS;
  return (
    Math.sin(BRUSSELS_LATITUDE) * Math.sin(declination) +
    Math.cos(BRUSSELS_LATITUDE) * Math.cos(declination) * Math.cos(hourAngle)
  );
}

/** How much of its load a household with panels still buys. */
export function boughtPart(sun: number): number {
  return 1 - (1 - LEFT_AT_FULL_SUN) * Math.min(1, sun / COVERING_SUN);
}

/** Value noise, -1 to 1: draws at whole positions, a smooth way between them. */
function noise(state: number, channel: number, position: number): number {
  const before = Math.floor(position);
  const part = position - before;
  const smooth = part * part * (3 - 2 * part);
  const lattice = state ^ Math.imul(channel, 0x9e3779b1);
  const from = drawAt(lattice, before);
  const to = drawAt(lattice, before + 1);
  return 2 * (from + (to - from) * smooth) - 1;
}
