import { type P1Channel, type P1Telegram, printedValue } from '../../edge/p1/telegram.ts';
import { mediumOf, quantitiesOf, timeText, unitOf } from './quantities.ts';

/**
 * A telegram as one line of JSON. Values are decimal strings: a float would lose what the meter printed. Times have
 * the offset that the meter gave them; where it gave none (DSMR 2.2 and 3) there is none.
 */
export function telegramJson(telegram: P1Telegram): string {
  const { crc, header, version, meterTime, serial, ean, text, messages, unknown } = telegram;
  return `${JSON.stringify({
    crc,
    ...(telegram.encryption === 'unverified' ? { unverified: true } : {}),
    header,
    version,
    meterTime: timeText(meterTime),
    serial,
    ean,
    registers: quantitiesOf(telegram),
    channels: telegram.channels.flatMap(channelRows),
    peaks: telegram.peaks.map((peak) => ({
      month: peak.month,
      time: timeText(peak.time),
      value: printedValue(peak),
      unit: unitOf(peak.printedUnit),
    })),
    failures: telegram.failures.map(({ time, durationSeconds }) => ({
      time: timeText(time),
      value: String(durationSeconds),
      unit: 's',
    })),
    text,
    messages,
    unknown,
  })}\n`;
}

/** One row for each reading of an M-Bus device, and one without a reading for a device that gave none. */
function channelRows(device: P1Channel): object[] {
  const { channel, serial, ean, valve, readings } = device;
  const medium = mediumOf(device);
  if (readings.length === 0)
    return [{ channel, medium, serial, ean, obis: null, time: null, value: null, unit: null, valve }];
  return readings.map((reading) => ({
    channel,
    medium,
    serial,
    ean,
    obis: reading.obis,
    time: timeText(reading.time),
    value: printedValue(reading),
    unit: unitOf(reading.printedUnit),
    valve,
  }));
}
