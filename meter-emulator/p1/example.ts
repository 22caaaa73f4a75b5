import type { Timestamp } from '../../protocol/reading.ts';
import type { P1MeterState } from './state.ts';

/** 2026-03-01T00:00:00+01:00. */
const START_SECONDS = 1_772_319_600;
const HOUR_SECONDS = 3600;
const MONTH_SECONDS = 30 * 24 * HOUR_SECONDS;

const winter = (epochSeconds: number): Timestamp => ({ epochSeconds, offsetMinutes: 60 });

/** A believable three-phase meter with gas and water behind it; another number gives other values. */
export function stateOf(number: number, changes: Partial<P1MeterState> = {}): P1MeterState {
  const now = START_SECONDS + number * HOUR_SECONDS;
  return {
    header: 'ISk5\\2MT382-1000',
    serial: `1EMU${String(4_400_000_000 + number)}`,
    ean: '541448820000000016',
    time: winter(now),
    importWh: [4_321_987 + number * 731, 8_765_012 + number * 377],
    exportWh: [1_234_500 + number * 97, 400_321 + number],
    rate: number % 2 === 0 ? 1 : 2,
    quarterPowerW: 412 + number,
    monthPeak: { time: winter(now - 5 * HOUR_SECONDS), powerW: 3911 + number },
    closedPeaks: Array.from({ length: 13 }, (_, index) => ({
      monthEnd: winter(START_SECONDS - (12 - index) * MONTH_SECONDS),
      time: winter(START_SECONDS - (12 - index) * MONTH_SECONDS - 77 * HOUR_SECONDS),
      powerW: 2900 + 113 * index + number,
    })),
    phases: [0, 1, 2].map((phase) => ({
      voltageDeciV: 2291 + phase * 7 + (number % 50),
      currentCentiA: 215 + phase * 31 + number,
      importW: 390 + phase * 41 + number,
      exportW: 0,
    })),
    breaker: 1,
    relays: [0, 0, 0, 0],
    limiterW: null,
    fuseCentiA: null,
    gridVolts: 400,
    message: '',
    shortFailures: 7,
    longFailures: [
      { end: winter(START_SECONDS - MONTH_SECONDS), durationSeconds: 1260 },
      { end: winter(START_SECONDS - 3 * MONTH_SECONDS), durationSeconds: 7431 },
    ],
    devices: [
      {
        channel: 1,
        deviceType: 3,
        serial: `7EMU${String(3_300_000_000 + number)}`,
        ean: '541448820000000023',
        valve: 1,
        time: winter(now - 300),
        value: 1_812_344 + number,
      },
      {
        channel: 2,
        deviceType: 7,
        serial: `8EMU${String(2_200_000_000 + number)}`,
        ean: '541448820000000030',
        valve: null,
        time: winter(now - 240),
        value: 412_907 + number,
      },
    ],
    ...changes,
  };
}
