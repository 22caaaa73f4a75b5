import { EXTREMES_MAX, PEAKS_MAX, REGISTERS_MAX, SERIAL_LENGTH_MAX } from '../../../protocol/limits.ts';
import {
  type ObisCode,
  type Peak,
  QUALITY,
  type Register,
  type Timestamp,
  type Unit,
} from '../../../protocol/reading.ts';
import { offsetMinutesAt } from '../days/calendar.ts';
import type { Instant, MeterSnapshot, Snapshot } from '../source.ts';
import type { P1Channel, P1Peak, P1Quantity, P1Reading, P1Telegram } from './telegram.ts';
import type { P1Time } from './time.ts';
import type { P1Unit } from './units.ts';

/** An M-Bus device reports every five minutes to once a day; what is older than this repeats itself. */
export const STALE_AFTER_SECONDS = 36 * 3600;
/** How far a device's clock may be ahead of the meter's before its year is not believed. */
export const AHEAD_SECONDS_MAX = 2 * 3600;

const REGISTER_UNITS: ReadonlySet<P1Unit> = new Set<Unit>(['Wh', 'varh', 'VAh', 'm3', 'J']);
const INSTANT_UNITS: ReadonlySet<P1Unit> = new Set<Unit>(['V', 'A']);

/**
 * What a telegram says about the meters behind it, at `at` by the edge's own clock.
 *
 * The main meter is there when it has electricity registers (a heat meter's own telegram has none). M-Bus
 * meters are told apart by medium and identifier, not by channel number, which a replaced meter changes.
 */
export function telegramSnapshot(telegram: P1Telegram, at: Timestamp): Snapshot {
  const meters: MeterSnapshot[] = [];
  if (telegram.registers.length > 0) meters.push(mainMeter(telegram));
  const meterTime = meterTimeOf(telegram, at);
  if (telegram.channels.length > 0)
    for (const candidate of keptChannels(telegram.channels, meterTime ?? at))
      meters.push(channelMeter(candidate, telegram));
  return { at, meterTime, meters };
}

function mainMeter(telegram: P1Telegram): MeterSnapshot {
  const flags = telegram.clockInvalid ? QUALITY.clockInvalid : 0;
  return {
    medium: 'electricity',
    channel: 0,
    serial: serialOf(telegram),
    ean: telegram.ean,
    registers: telegram.registers.slice(0, REGISTERS_MAX).map(register),
    peaks: peaksOf(telegram),
    instants: instantsOf(telegram.instants),
    flags,
  };
}

/** A meter that does not say its number is known by what it says first. */
function serialOf({ serial, header }: P1Telegram): string {
  return plain(serial ?? header);
}

/** Printable ASCII of a bounded length: what the payload would refuse is mended here, where it arises. */
function plain(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, SERIAL_LENGTH_MAX);
}

function register({ obis, value, scaler, unit }: P1Quantity): Register {
  return { obis, value, scaler, unit: unit as Unit, time: null, flags: 0 };
}

function timestamp({ epochSeconds, offsetMinutes }: Timestamp): Timestamp {
  return { epochSeconds, offsetMinutes };
}

/** The running month first, then the closed ones; an entry whose month is a placeholder says nothing. */
function peaksOf(telegram: P1Telegram): Peak[] {
  const peaks: Peak[] = [];
  if (telegram.monthPeak !== null) takePeak(telegram.monthPeak, peaks);
  for (const peak of telegram.peaks.slice(0, PEAKS_MAX - 1)) takePeak(peak, peaks);
  return peaks;
}

function takePeak({ obis, month, time, value, scaler, unit }: P1Peak, peaks: Peak[]): void {
  if (month === null) return;
  peaks.push({
    obis,
    month,
    time: time === null ? null : timestamp(time),
    value,
    scaler,
    unit: unit as Unit,
  });
}

const VOLTAGE_CODES = ['1-0:32.7.0', '1-0:52.7.0', '1-0:72.7.0'] as ObisCode[];
const CURRENT_CODES = ['1-0:31.7.0', '1-0:51.7.0', '1-0:71.7.0'] as ObisCode[];

/**
 * Voltages and currents. On a 3×230 V delta grid the meter prints 000.0 V for L2 while current flows there:
 * that voltage was not measured, and as the lowest of a day it would report an outage.
 */
function instantsOf(instants: readonly P1Quantity[]): Instant[] {
  const kept: Instant[] = [];
  for (const { obis, value, scaler, unit } of instants) {
    if (!INSTANT_UNITS.has(unit)) continue;
    if (unit === 'V' && value === 0 && flows(instants, CURRENT_CODES[VOLTAGE_CODES.indexOf(obis)])) continue;
    kept.push({ obis, value, scaler, unit: unit as Unit });
  }
  return kept.slice(0, EXTREMES_MAX);
}

function flows(instants: readonly P1Quantity[], code: ObisCode | undefined): boolean {
  return instants.some(({ obis, value }) => obis === code && value !== 0);
}

interface Candidate {
  readonly channel: P1Channel;
  readonly readings: readonly P1Reading[];
  /** When it was captured; -Infinity where no time can be believed. */
  readonly capturedSeconds: number;
  readonly flags: number;
}

/**
 * Of each medium: every meter whose reading is about as new as the newest one's, once per serial number. So
 * two gas meters are two, a replaced one that keeps repeating its last reading is dropped, and a reading that
 * nobody believes the time of (placeholder, wrong year) stays, flagged, only while there is no better one.
 */
function keptChannels(channels: readonly P1Channel[], reference: Timestamp): Candidate[] {
  const candidates: Candidate[] = [];
  for (const channel of channels) {
    const candidate = candidateOf(channel, reference);
    if (candidate !== null) candidates.push(candidate);
  }
  return candidates
    .filter((candidate) => !candidates.some((other) => displaces(other, candidate)))
    .sort((one, other) => one.channel.channel - other.channel.channel);
}

function displaces(other: Candidate, candidate: Candidate): boolean {
  if (other === candidate || other.channel.medium !== candidate.channel.medium) return false;
  const newerBySeconds = other.capturedSeconds - candidate.capturedSeconds;
  if (newerBySeconds > STALE_AFTER_SECONDS) return true;
  const { serial } = candidate.channel;
  if (serial === null || serial !== other.channel.serial) return false;
  // The same meter under two numbers: the newer reading, and of equals the higher number, where it moved to.
  return newerBySeconds > 0 || (!(newerBySeconds < 0) && other.channel.channel > candidate.channel.channel);
}

function candidateOf(channel: P1Channel, reference: Timestamp): Candidate | null {
  if (channel.medium === null) return null;
  const readings = newestOfEach(
    channel.readings
      .filter(
        ({ unit, value, placeholder }) =>
          unit !== null && REGISTER_UNITS.has(unit) && !(placeholder && value === 0),
      )
      .map((reading) => settled(reading, reference)),
  );
  if (readings.length === 0) return null;
  let capturedSeconds = Number.NEGATIVE_INFINITY;
  let flags = 0;
  for (const reading of readings) {
    const own = flagsOf(reading, reference);
    flags |= own;
    if (reading.time !== null && (own & QUALITY.clockInvalid) === 0)
      capturedSeconds = Math.max(capturedSeconds, reading.time.epochSeconds);
  }
  return { channel, readings, capturedSeconds, flags };
}

const REPEATED_SECONDS = 3600;
const SUMMER_OFFSET_MINUTES = 120;

/** A clock runs a little ahead or behind, so of the two hours it is the one that is nearer. */
function meterTimeOf({ meterTime }: P1Telegram, at: Timestamp): Timestamp | null {
  return meterTime && timestamp(inFirstPass(meterTime, at, REPEATED_SECONDS / 2) ?? meterTime);
}

/** Nothing is captured ahead of its telegram, so where it lies ahead it was the earlier hour; else that were a gap. */
function settled(reading: P1Reading, reference: Timestamp): P1Reading {
  const time = reading.time && inFirstPass(reading.time, reference, 0);
  return time ? { ...reading, time } : reading;
}

/**
 * A time without its letter, in the hour that October has twice, was taken for the later one. The same in the earlier
 * one where it lies too far ahead; null where it does not, or is another time.
 */
function inFirstPass(time: P1Time, { epochSeconds }: Timestamp, aheadSecondsMax: number): P1Time | null {
  if (!time.assumed || time.epochSeconds <= epochSeconds + aheadSecondsMax) return null;
  const earlier = time.epochSeconds - REPEATED_SECONDS;
  if (time.offsetMinutes === SUMMER_OFFSET_MINUTES || offsetMinutesAt(earlier) !== SUMMER_OFFSET_MINUTES)
    return null;
  return { ...time, epochSeconds: earlier, offsetMinutes: SUMMER_OFFSET_MINUTES };
}

/** One reading of each code, the newest: the ACE4000 prints the last 24 hours of its gas meter under one code. */
function newestOfEach(readings: readonly P1Reading[]): readonly P1Reading[] {
  if (readings.length < 2) return readings;
  const newest = new Map<ObisCode, P1Reading>();
  for (const reading of readings) {
    const known = newest.get(reading.obis);
    if (known === undefined || secondsOf(reading) > secondsOf(known)) newest.set(reading.obis, reading);
  }
  return [...newest.values()];
}

const secondsOf = ({ time }: P1Reading): number => time?.epochSeconds ?? Number.NEGATIVE_INFINITY;

function flagsOf({ time, placeholder }: P1Reading, reference: Timestamp): number {
  if (placeholder) return QUALITY.placeholder;
  if (time === null) return 0;
  const ageSeconds = reference.epochSeconds - time.epochSeconds;
  if (ageSeconds < -AHEAD_SECONDS_MAX) return QUALITY.clockInvalid;
  return ageSeconds > STALE_AFTER_SECONDS ? QUALITY.stale : 0;
}

function channelMeter({ channel, readings, flags }: Candidate, telegram: P1Telegram): MeterSnapshot {
  return {
    medium: channel.medium!,
    channel: channel.channel,
    // Without a number of its own it is known by where it hangs; such a name is no evidence of a replacement.
    serial: plain(channel.serial ?? `${serialOf(telegram)}/${channel.channel}`),
    ean: channel.ean,
    registers: readings.map(({ obis, value, scaler, unit, time, placeholder }) => ({
      obis,
      value,
      scaler,
      unit: unit as Unit,
      time: time === null ? null : timestamp(time),
      flags: placeholder ? QUALITY.placeholder : flags,
    })),
    peaks: [],
    instants: [],
    flags,
  };
}
