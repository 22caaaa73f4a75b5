import { describe, expect, it } from 'vitest';
import { dayAfter, dayNamed, type LocalDay, QUARTER_SECONDS } from '../../gateway/edge/calendar.ts';
import { DayAccumulator, type DayDraft } from '../../gateway/edge/day.ts';
import { AUTHENTICATION_KEY_LUXEMBOURG, type P1Keys } from '../../gateway/edge/p1/glo-keys.ts';
import { P1Reader } from '../../gateway/edge/p1/reader.ts';
import { telegramSnapshot } from '../../gateway/edge/p1/snapshot.ts';
import type { P1Telegram } from '../../gateway/edge/p1/telegram.ts';
import { PROFILES_MAX } from '../../protocol/limits.ts';
import { type MeterReading, QUALITY } from '../../protocol/reading.ts';
import { CONSORTIUM } from '../../protocol/tenants.ts';
import type { P1Dialect } from './dialects.ts';
import { encodeTelegramBytes } from './encode.ts';
import { SealedPort } from './sealed.ts';
import { expectedTelegram } from './testing/expected.ts';
import { shapeOf } from './testing/shapes.ts';
import { brussels, type YearShape, yearState } from './testing/year.ts';

const SEED = 11;
const HOME = CONSORTIUM[0]!.id;
const DAYS = 7;
/** A telegram is there a second after its moment, by the edge's own clock. */
const ON_THE_WAY_SECONDS = 1;
/** Telegrams between the quarter-hours change nothing. */
const BETWEEN_SECONDS = 431;
const HOUR_SECONDS = 3600;

const FAMILIES: readonly P1Dialect[] = [
  'emucs-2.1.1',
  'dsmr-2.2',
  'luxembourg',
  'sweden-aidon',
  'hungary',
  'easymeter-q3d',
];
const WEEKS = [
  { first: '2026-03-26', quarters: 92 },
  { first: '2026-10-22', quarters: 100 },
] as const;

const KEYS: P1Keys = { encryption: Buffer.alloc(16, 0xaa), authentication: AUTHENTICATION_KEY_LUXEMBOURG };

/** The drafts of a week, through the very text that the port prints. */
function draftsOf(dialect: P1Dialect, shape: YearShape, first: LocalDay): DayDraft[] {
  const days = new DayAccumulator({ owners: () => HOME });
  const port =
    dialect === 'luxembourg' ? new SealedPort({ keys: KEYS, title: Buffer.from('EMU00002') }) : null;
  let atSeconds = 0;
  const reader = new P1Reader(
    { telegram: (telegram) => void days.observe(telegramSnapshot(telegram, brussels(atSeconds))) },
    { keys: KEYS },
  );
  const show = (moment: number): void => {
    atSeconds = moment + ON_THE_WAY_SECONDS;
    const state = yearState(shape, moment);
    reader.feed(port === null ? encodeTelegramBytes(dialect, state) : port.encode(dialect, state));
  };
  const drafts: DayDraft[] = [];
  const closeAll = (): void => {
    for (const due of days.due()) {
      drafts.push(days.draft(due)!);
      days.closed(due);
    }
  };
  let day = first;
  for (let count = 0; count < DAYS; count += 1, day = dayAfter(day))
    for (let at = day.start; at < day.end; at += QUARTER_SECONDS) {
      show(at);
      if (at % HOUR_SECONDS === 0) show(at + BETWEEN_SECONDS);
      // A few minutes into a day the one before is closed.
      if (at === day.start) closeAll();
    }
  show(day.start);
  closeAll();
  return drafts;
}

/** What a register of the main meter or of a channel should be at a moment, by the state alone. */
function registersOf({ registers, channels }: P1Telegram, meter: MeterReading): Shown[] {
  if (meter.channel === 0) return registers.map(shown);
  return channels.find(({ channel }) => channel === meter.channel)!.readings.map(shown);
}

interface Shown {
  readonly obis: string;
  readonly value: number;
  readonly scaler: number;
  readonly unit: string | null;
}
const shown = ({ obis, value, scaler, unit }: Shown): Shown => ({ obis, value, scaler, unit });

describe.each(WEEKS)('the week of $first, with a day of $quarters quarter-hours', ({ first, quarters }) => {
  it.each(FAMILIES)(
    'closes each day of %s with the registers and quarter-hours of the emulator',
    (dialect) => {
      const shape: YearShape = { ...shapeOf(dialect, SEED), deviceTypes: [3, 7] };
      const begin = dayNamed(first);
      const drafts = draftsOf(dialect, shape, begin);
      expect(drafts.map(({ day }) => day.name)).toEqual(
        Array.from({ length: DAYS }, (_, index) => begin.ordinal + index).map((ordinal) =>
          new Date(ordinal * 86_400_000).toISOString().slice(0, 10),
        ),
      );
      expect(new Set(drafts.map(({ day }) => day.quarters))).toEqual(new Set([96, quarters]));
      for (const { day, meters } of drafts) {
        const boundaries = Array.from({ length: day.quarters + 1 }, (_, index) =>
          expectedTelegram(dialect, yearState(shape, day.start + index * QUARTER_SECONDS)),
        );
        expect(meters.map(({ medium }) => medium).sort()).toEqual(mediaOf(dialect));
        for (const meter of meters) {
          expect(meter.registers.map(shown)).toEqual(registersOf(boundaries.at(-1)!, meter));
          const steps = boundaries.map((telegram) => registersOf(telegram, meter));
          const deltas = steps[0]!.slice(0, PROFILES_MAX).map(({ obis, scaler, unit }, index) => ({
            obis,
            scaler,
            unit,
            start: day.start,
            periodSeconds: QUARTER_SECONDS,
            deltas: steps.slice(1).map((step, number) => step[index]!.value - steps[number]![index]!.value),
          }));
          expect({ day: day.name, profiles: meter.profiles }).toEqual({ day: day.name, profiles: deltas });
          expect(meter.flags & ~QUALITY.clockInvalid).toBe(0);
        }
      }
    },
  );
});

/** Only Belgium, the Netherlands and Luxembourg print what hangs on the M-Bus. */
function mediaOf(dialect: P1Dialect): readonly string[] {
  return /^(emucs|dsmr|luxembourg)/.test(dialect) ? ['electricity', 'gas', 'water'] : ['electricity'];
}
