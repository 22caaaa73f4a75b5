import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalDay, offsetMinutesAt } from '../../gateway/edge/days/calendar.ts';
import { DayAccumulator, type DayDraft } from '../../gateway/edge/days/day.ts';
import type { TenantId } from '../../protocol/identity.ts';
import { QUALITY } from '../../protocol/reading.ts';
import { encodeTelegram, type P1Dialect, type P1MeterState } from '../p1/encode.ts';
import { findRecordings } from './files.ts';
import { scanRecording } from './recording.ts';
import { RecordedStation, recordedDeviceId } from './station.ts';

const ORES = 'ores' as TenantId;
const NOW_MS = Date.parse('2026-06-01T12:00:00Z');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hes-telegrams-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const seconds = (iso: string): number => Date.parse(iso) / 1_000;
const timestamp = (iso: string) => ({
  epochSeconds: seconds(iso),
  offsetMinutes: offsetMinutesAt(seconds(iso)),
});

function telegram(iso: string, importWh: number, dialect: P1Dialect = 'emucs-2.1.1'): string {
  const time = timestamp(iso);
  const state: P1MeterState = {
    header: 'FLU5\\253769484_A',
    serial: '1SAG1100000292',
    ean: '541448820000000016',
    time,
    importWh: [importWh, 2_000],
    exportWh: [0, 7],
    rate: 1,
    quarterPowerW: 0,
    monthPeak: { time, powerW: 2_589 },
    closedPeaks: [],
    phases: [{ voltageDeciV: 2_341, currentCentiA: 120, importW: 280, exportW: 0 }],
    breaker: 1,
    relays: [],
    limiterW: null,
    fuseCentiA: null,
    gridVolts: 400,
    message: '',
    shortFailures: 0,
    longFailures: [],
    devices: [
      { channel: 1, deviceType: 3, serial: '7FLO2119000000', ean: null, valve: 1, time, value: 112_384 },
    ],
  };
  return encodeTelegram(dialect, state);
}

const damaged = (iso: string): string => telegram(iso, 5).replace('2.8.2', '2.8.3');

async function replayed(name: string, ...parts: string[]) {
  writeFileSync(join(folder, name), parts.join(''), 'latin1');
  const file = (await findRecordings(join(folder, name))).recordings[0]!;
  const recording = await scanRecording(file, NOW_MS);
  const days = new DayAccumulator({ owners: () => ORES, missedDays: 'skip' });
  const drafts: DayDraft[] = [];
  const station = new RecordedStation(recording, ORES);
  await station.show(recording.days, {
    observe: (snapshot) => days.observe(snapshot),
    close: async (day: LocalDay) => {
      const draft = days.draft({ owner: ORES, day });
      if (draft !== undefined) drafts.push(draft);
      days.closed({ owner: ORES, day });
    },
  });
  const importWh = drafts.map(
    ({ meters }) => meters[0]!.registers.find(({ obis }) => obis === '1-0:1.8.1')!.value,
  );
  return { recording, drafts, importWh, dates: drafts.map(({ day }) => day.name) };
}

describe('recordings', () => {
  it('are refused where there is nothing of that name, and where a folder is empty', async () => {
    await expect(findRecordings(join(folder, 'none'))).rejects.toMatchObject({ code: 'ERR_TELEGRAMS_PATH' });
    await expect(findRecordings(folder)).rejects.toMatchObject({ code: 'ERR_TELEGRAMS_PATH' });
  });

  it('are all files in a folder and below it but hidden ones, in the order of their names', async () => {
    mkdirSync(join(folder, 'more'));
    mkdirSync(join(folder, '.git'));
    for (const name of ['b.txt', 'a.txt', '.hidden', 'more/c.txt', '.git/config'])
      writeFileSync(join(folder, name), '/ISK5\r\n');
    const { recordings } = await findRecordings(folder);
    expect(recordings.map(({ name }) => name)).toEqual(['a.txt', 'b.txt', 'more/c.txt']);
  });

  it('have pseudonyms that do not depend on where the folder is', () => {
    expect(recordedDeviceId(ORES, 'a.txt')).toMatch(/^[0-9a-f]{16}$/);
    expect(recordedDeviceId(ORES, 'a.txt')).not.toBe(recordedDeviceId('farys' as TenantId, 'a.txt'));
  });
});

describe('a replay', () => {
  it('says which telegrams are damaged, and takes nothing from them', async () => {
    const { recording, importWh } = await replayed(
      'meter.txt',
      telegram('2026-05-12T10:00:00Z', 1_000),
      damaged('2026-05-12T11:00:00Z'),
    );
    expect(recording.faults).toEqual({ 'crc-invalid': 1 });
    expect(recording.telegrams).toBe(1);
    expect(importWh).toEqual([1_000]);
  });

  it('has nothing to offer where no telegram is valid', async () => {
    const { recording } = await replayed(
      'noise.txt',
      'nothing of it is a telegram\n',
      damaged('2026-05-12T11:00:00Z'),
    );
    expect(recording.telegrams).toBe(0);
    expect(recording.days).toEqual([]);
  });

  it('makes one index for each local day, of that day’s last telegram exactly as printed', async () => {
    const { dates, importWh, drafts } = await replayed(
      'meter.txt',
      telegram('2026-05-12T10:00:00Z', 1_000),
      telegram('2026-05-12T21:59:50Z', 1_234),
      telegram('2026-05-12T22:00:00Z', 1_235),
      telegram('2026-05-13T08:00:00Z', 5_678),
    );
    expect(dates).toEqual(['2026-05-12', '2026-05-13']);
    expect(importWh).toEqual([1_234, 5_678]);
    expect(drafts[0]!.meters[1]!.registers[0]).toMatchObject({
      obis: '0-1:24.2.3',
      value: 112_384,
      scaler: -3,
    });
    expect(drafts[0]!.meters[0]!.registers[0]).toMatchObject({ value: 1_234, scaler: 0, unit: 'Wh' });
  });

  it('makes no index for days that were not recorded', async () => {
    const { dates } = await replayed(
      'meter.txt',
      telegram('2026-03-01T10:00:00Z', 1),
      telegram('2026-05-12T10:00:00Z', 2),
    );
    expect(dates).toEqual(['2026-03-01', '2026-05-12']);
  });

  it('sorts telegrams that are not in the order of time', async () => {
    const { dates, importWh } = await replayed(
      'meter.txt',
      telegram('2026-05-13T10:00:00Z', 3),
      telegram('2026-05-12T12:00:00Z', 2),
      telegram('2026-05-12T10:00:00Z', 1),
    );
    expect(dates).toEqual(['2026-05-12', '2026-05-13']);
    expect(importWh).toEqual([2, 3]);
  });

  it('takes the edge’s clock where the meter’s is not plausible, and flags it', async () => {
    const { dates, drafts } = await replayed('meter.txt', telegram('2051-01-01T00:00:00Z', 9));
    expect(dates).toEqual(['2026-06-01']);
    expect(drafts[0]!.meters[0]!.flags & QUALITY.clockInvalid).toBeTruthy();
    expect(drafts[0]!.clock).toBe('invalid');
  });

  it('takes a telegram without a plausible time to be of the moment of the one before it', async () => {
    const { dates, importWh } = await replayed(
      'meter.txt',
      telegram('2026-05-12T10:00:00Z', 1),
      telegram('2051-01-01T00:00:00Z', 2),
      telegram('2026-05-12T11:00:00Z', 3),
    );
    expect(dates).toEqual(['2026-05-12']);
    expect(importWh).toEqual([3]);
  });

  it.each(['dsmr-4.2', 'dsmr-5.0', 'emucs-1.7.1', 'emucs-2.1.1'] as const)('reads %s', async (dialect) => {
    const { importWh } = await replayed('meter.txt', telegram('2026-05-12T10:00:00Z', 1_581_123, dialect));
    expect(importWh).toEqual([1_581_123]);
  });

  it('shows the quarter-hours of a day that was recorded from midnight to midnight', async () => {
    const start = seconds('2026-05-11T22:00:00Z');
    const parts = Array.from({ length: 97 }, (_, quarter) =>
      telegram(new Date((start + quarter * 900) * 1_000).toISOString(), 1_000 + quarter * 10),
    );
    const { drafts } = await replayed('meter.txt', ...parts);
    const profile = drafts[0]!.meters[0]!.profiles.find(({ obis }) => obis === '1-0:1.8.1')!;
    expect(profile.deltas.slice(0, 95)).toEqual(Array.from({ length: 95 }, () => 10));
  });
});
