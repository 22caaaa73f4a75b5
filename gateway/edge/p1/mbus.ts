import type { Medium, ObisCode } from '../../../protocol/reading.ts';
import type { ChannelDraft, ReadState, TelegramDraft } from './draft.ts';
import type { LineView } from './line.ts';
import { CHANNELS_MAX, DEVICE_TYPES } from './obis.ts';
import { isPlaceholderTime, type P1Time, readTime } from './time.ts';
import { findUnit, NO_UNIT } from './units.ts';

/** Find the channel of a line, or undefined where its number is none of ours. */
export function channelOf(line: LineView, draft: TelegramDraft): ChannelDraft | undefined {
  const { channels } = draft;
  for (const known of channels) if (known.channel === line.b) return known;
  if (line.b < 1 || line.b > CHANNELS_MAX) return undefined;
  const channel: ChannelDraft = {
    channel: line.b,
    deviceType: null,
    medium: null,
    serial: null,
    ean: null,
    valve: null,
    readings: [],
  };
  channels.push(channel);
  return channel;
}

/** The time in a group; null for a placeholder, and for what is no time. */
export const timeOf = (line: LineView, group: number): P1Time | null =>
  isPlaceholderTime(line.bytes, line.from[group]!, line.to[group]!)
    ? null
    : readTime(line.bytes, line.from[group]!, line.to[group]!);

export function takeReading(line: LineView, state: ReadState): boolean {
  const valueGroup = line.groups === 1 ? 0 : 1;
  if (!line.number(valueGroup)) return false;
  const channel = channelOf(line, state.draft);
  if (channel === undefined) return false;
  const { unit } = line;
  const time = valueGroup === 0 ? null : timeOf(line, 0);
  channel.readings.push({
    obis: line.name(),
    value: line.digits,
    scaler: unit.exponent - line.decimals,
    unit: unit === NO_UNIT ? null : unit.unit,
    printedUnit: unit.printed,
    time,
    placeholder: valueGroup === 1 && time === null,
  });
  return true;
}

const READING_CODE = /^\d-\d:24\.\d\.\d$/;
const LEGACY_GROUPS = 6;

/** `0-1:24.3.0(time)(status)(minutes)(count)(0-1:24.2.1)(m3)`, then `(value)` on a line of its own. */
export function takeLegacyReading(line: LineView, state: ReadState): boolean {
  if (line.groups < LEGACY_GROUPS) return false;
  const channel = channelOf(line, state.draft);
  if (channel === undefined) return false;
  const code = line.bytes.toString('latin1', line.from[4], line.to[4]);
  const time = timeOf(line, 0);
  state.pending = {
    channel,
    obis: READING_CODE.test(code) ? (code as ObisCode) : line.name(),
    unit: findUnit(line.bytes, line.from[5]!, line.to[5]!) ?? null,
    time,
    placeholder: time === null,
  };
  return line.groups === LEGACY_GROUPS || takeLegacyValue(line, state, LEGACY_GROUPS);
}

/** The value that the pending first line announced. */
export function takeLegacyValue(line: LineView, state: ReadState, group: number): boolean {
  const pending = state.pending;
  state.pending = null;
  if (pending === null || !line.number(group)) return false;
  const unit = line.unit === NO_UNIT ? pending.unit : line.unit;
  pending.channel.readings.push({
    obis: pending.obis,
    value: line.digits,
    scaler: (unit?.exponent ?? 0) - line.decimals,
    unit: unit?.unit ?? null,
    printedUnit: unit?.printed ?? '',
    time: pending.time,
    placeholder: pending.placeholder,
  });
  return true;
}

/** Value group A of a medium that has a meter of its own in the telegram (IEC 62056-61 §5.1). */
const MEDIA: Readonly<Record<number, Medium>> = { 6: 'heat', 7: 'gas', 8: 'water', 9: 'water' };

/**
 * `7-0:23.1.0(01238.740*m3)(19-01-01 00:00:00)`: a meter of another medium under its own code instead of an M-Bus
 * channel's. The ACE4000 prints 24 hours of its gas meter so; the gas meter's number stands on a channel before.
 */
export function takeMediumReading(line: LineView, state: ReadState): boolean {
  if (line.groups > 2 || !line.number(0) || line.unit === NO_UNIT) return false;
  const { digits, decimals, unit } = line;
  const channel = mediumChannel(line, state.draft);
  if (channel === undefined) return false;
  const time = line.groups === 1 ? null : timeOf(line, 1);
  channel.readings.push({
    obis: line.name(),
    value: digits,
    scaler: unit.exponent - decimals,
    unit: unit.unit,
    printedUnit: unit.printed,
    time,
    placeholder: line.groups > 1 && time === null,
  });
  return true;
}

/** The channel that is of this medium already, or has a number and no type yet, or the first free one. */
function mediumChannel(line: LineView, draft: TelegramDraft): ChannelDraft | undefined {
  const medium = MEDIA[line.a] ?? null;
  const { channels } = draft;
  for (const known of channels) if (known.deviceType === null && known.medium === medium) return known;
  for (const known of channels) {
    if (known.deviceType !== null || known.medium !== null) continue;
    known.medium = medium;
    return known;
  }
  if (line.b === 0) line.b = channels.length + 1;
  const channel = channelOf(line, draft);
  if (channel?.deviceType === null) channel.medium = medium;
  return channel;
}

export function takeMediumValve(line: LineView, { draft }: ReadState): boolean {
  if (!line.integerGroup(0)) return false;
  const state = line.digits;
  const channel = mediumChannel(line, draft);
  if (channel === undefined) return false;
  channel.valve = state;
  return true;
}

export function takeDeviceType(line: LineView, state: ReadState): boolean {
  const channel = channelOf(line, state.draft);
  if (channel === undefined) return false;
  // Printed in decimal by most, in hex by some: 00C and 012 are both the heat meter of the flow side.
  const hex = Number.parseInt(line.bytes.toString('latin1', line.from[0], line.to[0]), 16);
  channel.deviceType = line.integerGroup(0) ? line.digits : Number.isNaN(hex) ? null : hex;
  channel.medium = channel.deviceType === null ? null : (DEVICE_TYPES[channel.deviceType] ?? null);
  return true;
}

export function takeValve(line: LineView, { draft }: ReadState): boolean {
  if (!line.integerGroup(0)) return false;
  const channel = channelOf(line, draft);
  if (channel === undefined) return false;
  channel.valve = line.digits;
  return true;
}
