import { describe, expect, it } from 'vitest';
import { QUALITY, type Timestamp } from '../../../protocol/reading.ts';
import * as example from './example.ts';
import { bare, hex, sealed } from './example.ts';
import { parseTelegramText } from './parse.ts';
import { AHEAD_SECONDS_MAX, STALE_AFTER_SECONDS, telegramSnapshot } from './snapshot.ts';

/** 2023-02-14T10:15:31+01:00, a second after the clock of the e-MUCS example. */
const AT: Timestamp = { epochSeconds: 1_676_366_131, offsetMinutes: 60 };

function snapshotOf(text: string, at = AT) {
  const outcome = parseTelegramText(text);
  if (!outcome.ok) throw new Error(outcome.fault);
  return telegramSnapshot(outcome.telegram, at);
}

interface Device {
  readonly channel: number;
  readonly type?: string;
  readonly serial?: string;
  readonly reading: string;
}

/** The e-MUCS example with other M-Bus devices behind it. */
function withDevices(...devices: readonly Device[]) {
  const head = example.EMUCS_1_7_1.slice(
    0,
    example.EMUCS_1_7_1.findIndex((line) => line.startsWith('0-1:24.1.0')),
  );
  const lines = devices.flatMap(({ channel, type = '003', serial = `7TST000000000${channel}`, reading }) => [
    `0-${channel}:24.1.0(${type})`,
    `0-${channel}:96.1.1(${hex(serial)})`,
    `0-${channel}:24.2.3${reading}`,
  ]);
  return snapshotOf(sealed([...head, ...lines])).meters.slice(1);
}

const FRESH = '(230214101001W)(00731.905*m3)';
const NEWER = '(230214101501W)(00731.999*m3)';
const OLD = '(221101120000W)(00700.000*m3)';
const YESTERDAY = '(230213120000W)(00730.000*m3)';

describe('M-Bus channels that are not to be trusted', () => {
  it('drops a replaced meter that keeps repeating, whichever number the new one has', () => {
    for (const [stale, fresh] of [
      [1, 2],
      [2, 1],
    ] as const) {
      const meters = withDevices({ channel: stale, reading: OLD }, { channel: fresh, reading: FRESH });
      expect(meters).toMatchObject([{ channel: fresh, flags: 0 }]);
    }
  });

  it('never lets a placeholder win over a reading, nor takes its zero for one', () => {
    for (const time of ['632525252525S', '700101010000W', '000101000000W', '']) {
      expect(
        withDevices({ channel: 1, reading: `(${time})(00000.000*m3)` }, { channel: 2, reading: FRESH }),
      ).toMatchObject([{ channel: 2 }]);
      expect(withDevices({ channel: 1, reading: `(${time})(00000.000*m3)` })).toEqual([]);
      expect(
        withDevices({ channel: 1, reading: `(${time})(00731.000*m3)` }, { channel: 2, reading: FRESH }),
      ).toMatchObject([{ channel: 2 }]);
    }
  });

  it('keeps a value whose time is a placeholder while there is no better one, and flags it', () => {
    const [meter] = withDevices({ channel: 1, reading: '(632525252525S)(00731.000*m3)' });
    expect(meter).toMatchObject({ flags: QUALITY.placeholder });
    expect(meter!.registers).toMatchObject([{ value: 731_000, time: null, flags: QUALITY.placeholder }]);
  });

  it('does not take a wrong year for the newest reading', () => {
    const wrong = '(630214101001W)(00650.000*m3)';
    expect(withDevices({ channel: 1, reading: wrong }, { channel: 2, reading: FRESH })).toMatchObject([
      { channel: 2, flags: 0 },
    ]);
    expect(withDevices({ channel: 1, reading: wrong })).toMatchObject([
      { channel: 1, flags: QUALITY.clockInvalid, registers: [{ value: 650_000 }] },
    ]);
  });

  it('keeps the newer reading of one meter that is on two channels', () => {
    const serial = '7FLO2121045566';
    expect(
      withDevices({ channel: 1, serial, reading: NEWER }, { channel: 2, serial, reading: FRESH }),
    ).toMatchObject([{ channel: 1 }]);
    expect(
      withDevices({ channel: 1, serial, reading: FRESH }, { channel: 2, serial, reading: FRESH }),
    ).toMatchObject([{ channel: 2 }]);
  });

  it('flags the only meter of its medium when it is stale, and keeps its reading', () => {
    const [meter] = withDevices({ channel: 1, reading: OLD });
    expect(meter).toMatchObject({ flags: QUALITY.stale });
    expect(meter!.registers).toMatchObject([{ value: 700_000, flags: QUALITY.stale }]);
  });

  it('takes no reading from a device of no medium of ours, or one without a type or a unit', () => {
    expect(withDevices({ channel: 1, type: '010', reading: FRESH })).toEqual([]);
    expect(withDevices({ channel: 1, reading: '(230214101001W)(00731.905)' })).toEqual([]);
    expect(snapshotOf(sealed([...example.HEAT, '0-2:24.2.1(251103190112W)(1.000*m3)'])).meters).toHaveLength(
      1,
    );
  });
});

describe('M-Bus meters', () => {
  it('are two when two different ones are fresh, or nearly', () => {
    expect(withDevices({ channel: 1, reading: FRESH }, { channel: 2, reading: NEWER })).toHaveLength(2);
    expect(withDevices({ channel: 1, reading: YESTERDAY }, { channel: 2, reading: NEWER })).toHaveLength(2);
  });

  it('of different media do not displace each other', () => {
    const meters = withDevices({ channel: 1, reading: OLD }, { channel: 2, type: '007', reading: FRESH });
    expect(meters.map(({ medium, flags }) => [medium, flags])).toEqual([
      ['gas', QUALITY.stale],
      ['water', 0],
    ]);
  });

  it('come in the order of their channels with their own serial, EAN and capture time', () => {
    const { meters } = snapshotOf(sealed(example.EMUCS_2_1_1));
    expect(meters.map(({ medium, channel, serial, ean }) => [medium, channel, serial, ean])).toEqual([
      ['electricity', 0, '1SAG3100099001', '541448820000000016'],
      ['water', 1, '8KAM5544332211', '541448820000000030'],
      ['gas', 2, '7ITR9988776655', '541448820000000023'],
    ]);
    expect(meters[1]!.registers).toEqual([
      {
        obis: '0-1:24.2.3',
        value: 391_020,
        scaler: -3,
        unit: 'm3',
        time: { epochSeconds: 1_783_513_500, offsetMinutes: 120 },
        flags: 0,
      },
    ]);
  });

  it('are known by where they hang when they do not say their number', () => {
    const [meter] = withDevices({ channel: 3, serial: '', reading: FRESH });
    expect(meter!.serial).toBe('1SAG1105511887/3');
  });

  it('are measured against the edge clock where the meter has none', () => {
    const [, gas] = snapshotOf(bare(example.DSMR_2_2), {
      epochSeconds: 1_342_380_000,
      offsetMinutes: 120,
    }).meters;
    expect(gas).toMatchObject({ medium: 'gas', flags: 0 });
    const [, later] = snapshotOf(bare(example.DSMR_2_2)).meters;
    expect(later).toMatchObject({ medium: 'gas', flags: QUALITY.stale });
  });

  it('may be a day and a half behind, and hours ahead, before anything is flagged', () => {
    expect(STALE_AFTER_SECONDS).toBeGreaterThan(25 * 3600);
    expect(AHEAD_SECONDS_MAX).toBeGreaterThan(3600);
  });
});

describe('the main meter', () => {
  it('is not there in the telegram of a heat meter', () => {
    const { meters } = snapshotOf(sealed(example.HEAT));
    expect(meters).toMatchObject([
      {
        medium: 'heat',
        channel: 1,
        serial: '711002092D2C0B0C',
        registers: [{ value: 87_310, scaler: 6, unit: 'J' }],
      },
    ]);
  });

  it('has no voltage of a phase that a delta grid does not measure, but a dead phase has zero', () => {
    const voltages = (text: string) =>
      snapshotOf(text)
        .meters[0]!.instants.filter(({ unit }) => unit === 'V')
        .map(({ obis }) => obis);
    const delta = sealed(example.EMUCS_1_7_1);
    expect(voltages(delta)).toEqual(['1-0:32.7.0', '1-0:72.7.0']);
    const dead = sealed(example.EMUCS_1_7_1.map((line) => line.replace('51.7.0(000.95', '51.7.0(000.00')));
    expect(voltages(dead)).toEqual(['1-0:32.7.0', '1-0:52.7.0', '1-0:72.7.0']);
  });

  it('says that its clock is invalid, and gives no time', () => {
    const snapshot = snapshotOf(sealed(example.KAMSTRUP));
    expect(snapshot.meterTime).toBeNull();
    expect(snapshot.meters[0]).toMatchObject({ flags: QUALITY.clockInvalid, serial: 'KAM5' });
  });

  it('gives its registers, the running peak before the closed ones, and its voltages and currents', () => {
    const snapshot = snapshotOf(sealed(example.EMUCS_1_7_1));
    expect(snapshot.at).toBe(AT);
    expect(snapshot.meterTime).toEqual({ epochSeconds: AT.epochSeconds - 1, offsetMinutes: 60 });
    const [meter] = snapshot.meters;
    expect(meter!.registers.map(({ obis, value, scaler, unit }) => [obis, value, scaler, unit])).toEqual([
      ['1-0:1.8.1', 812_404, 0, 'Wh'],
      ['1-0:1.8.2', 1_203_917, 0, 'Wh'],
      ['1-0:2.8.1', 455_180, 0, 'Wh'],
      ['1-0:2.8.2', 201_036, 0, 'Wh'],
    ]);
    expect(meter!.peaks.map(({ month, value }) => [month, value])).toEqual([
      ['2023-02', 5127],
      ['2022-11', 0],
      ['2022-12', 6244],
      ['2023-01', 4771],
    ]);
    expect(meter!.instants.at(-1)).toEqual({ obis: '1-0:71.7.0', value: 204, scaler: -2, unit: 'A' });
  });

  it('gives reactive energy where it is printed', () => {
    const [meter] = snapshotOf(sealed(example.LUXEMBOURG)).meters;
    expect(meter!.registers.map(({ obis, unit }) => [obis, unit])).toContainEqual(['1-0:4.8.0', 'varh']);
  });

  it('tells the two hours of October apart by its own clock where a capture has no letter', () => {
    const capture = (at: string): string | undefined => {
      const lines = example.DSMR_2_2.map((line) => line.replace('120715210000', '261025020000'));
      const outcome = parseTelegramText(bare(lines));
      if (!outcome.ok) throw new Error(outcome.fault);
      const epochSeconds = Date.parse(at) / 1000;
      const { meters } = telegramSnapshot(outcome.telegram, { epochSeconds, offsetMinutes: 60 });
      const time = meters.find(({ medium }) => medium === 'gas')!.registers[0]!.time!;
      return new Date(time.epochSeconds * 1000).toISOString().slice(11, 16);
    };
    expect(capture('2026-10-25T00:00:00Z')).toBe('00:00');
    expect(capture('2026-10-25T00:59:59Z')).toBe('00:00');
    expect(capture('2026-10-25T01:00:00Z')).toBe('01:00');
    expect(capture('2026-10-26T01:00:00Z')).toBe('01:00');
  });

  it('takes a clock without its letter for the nearer one of the two hours of October', () => {
    const text = sealed(example.SAGEMCOM_B1.map((line) => line.replace('250417220509S', '261025023000')));
    const outcome = parseTelegramText(text);
    if (!outcome.ok) throw new Error(outcome.fault);
    const clock = (at: string): string => {
      const { meterTime } = telegramSnapshot(outcome.telegram, {
        epochSeconds: Date.parse(at) / 1000,
        offsetMinutes: 60,
      });
      return new Date(meterTime!.epochSeconds * 1000).toISOString().slice(11, 16);
    };
    expect(clock('2026-10-25T00:29:59Z')).toBe('00:30');
    expect(clock('2026-10-25T00:30:05Z')).toBe('00:30');
    expect(clock('2026-10-25T01:29:55Z')).toBe('01:30');
    expect(clock('2026-10-25T01:30:05Z')).toBe('01:30');
  });

  it('has a serial that the payload takes, whatever it printed', () => {
    const odd = sealed([...example.KAMSTRUP, `0-0:96.1.0(\u00e9${'x'.repeat(90)})`]);
    expect(snapshotOf(odd).meters[0]!.serial).toMatch(/^\?x{63}$/);
  });
});
