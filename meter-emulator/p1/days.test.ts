import { describe, expect, it } from 'vitest';
import {
  dayAfter,
  dayNamed,
  type LocalDay,
  monthBefore,
  QUARTER_SECONDS,
} from '../../gateway/edge/days/calendar.ts';
import { DayAccumulator, type DayDraft } from '../../gateway/edge/days/day.ts';
import { AUTHENTICATION_KEY_LUXEMBOURG, type P1Keys } from '../../gateway/edge/p1/glo-keys.ts';
import { P1Reader } from '../../gateway/edge/p1/reader.ts';
import { telegramSnapshot } from '../../gateway/edge/p1/snapshot.ts';
import type { P1Telegram } from '../../gateway/edge/p1/telegram.ts';
import { PROFILES_MAX } from '../../protocol/limits.ts';
import { type MeterReading, QUALITY, type Timestamp } from '../../protocol/reading.ts';
import { CONSORTIUM } from '../../protocol/tenants.ts';
import { DIALECTS, type P1Dialect } from './dialects.ts';
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
  'wallonia-iskra',
  'easymeter-q3d',
  'ebz-dd3',
];
const WITHOUT_CLOCK: ReadonlySet<P1Dialect> = new Set(['dsmr-2.2', 'easymeter-q3d', 'ebz-dd3']);
const WEEKS = [
  { first: '2026-03-26', quarters: 92 },
  { first: '2026-10-22', quarters: 100 },
] as const;

const KEYS: P1Keys = { encryption: Buffer.alloc(16, 0xaa), authentication: AUTHENTICATION_KEY_LUXEMBOURG };

/** Shows telegrams to a day's accumulator, through the very text that the port prints. */
class Gateway {
  readonly drafts: DayDraft[] = [];
  readonly #days = new DayAccumulator({ owners: () => HOME });
  readonly #dialect: P1Dialect;
  readonly #shape: YearShape;
  readonly #port: SealedPort | null;
  readonly #reader: P1Reader;
  #atSeconds = 0;

  constructor(dialect: P1Dialect, shape: YearShape) {
    this.#dialect = dialect;
    this.#shape = shape;
    const { encrypted } = DIALECTS[dialect];
    this.#port = encrypted ? new SealedPort({ keys: KEYS, title: Buffer.from('EMU00002') }) : null;
    this.#reader = new P1Reader(
      { telegram: (telegram) => this.#days.observe(telegramSnapshot(telegram, brussels(this.#atSeconds))) },
      { keys: KEYS },
    );
  }

  show(moment: number): void {
    this.#atSeconds = moment + ON_THE_WAY_SECONDS;
    const state = yearState(this.#shape, moment);
    const bytes = this.#port?.encode(this.#dialect, state) ?? encodeTelegramBytes(this.#dialect, state);
    this.#reader.feed(bytes);
  }

  closeAll(): void {
    for (const due of this.#days.due()) {
      this.drafts.push(this.#days.draft(due)!);
      this.#days.closed(due);
    }
  }
}

function weekFrom(first: LocalDay, dialect: P1Dialect, shape: YearShape): DayDraft[] {
  const gateway = new Gateway(dialect, shape);
  let day = first;
  for (let count = 0; count < DAYS; count += 1, day = dayAfter(day))
    for (let at = day.start; at < day.end; at += QUARTER_SECONDS) {
      gateway.show(at);
      if (at % HOUR_SECONDS === 0) gateway.show(at + BETWEEN_SECONDS);
      // A few minutes into a day the one before is closed.
      if (at === day.start) gateway.closeAll();
    }
  gateway.show(day.start);
  gateway.closeAll();
  return gateway.drafts;
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
      const drafts = weekFrom(begin, dialect, shape);
      expect(drafts.map(({ day }) => day.name)).toEqual(
        Array.from({ length: DAYS }, (_, index) => begin.ordinal + index).map((ordinal) =>
          new Date(ordinal * 86_400_000).toISOString().slice(0, 10),
        ),
      );
      expect(new Set(drafts.map(({ day }) => day.quarters))).toEqual(new Set([96, quarters]));
      for (const { day, meters, clock } of drafts) {
        expect(clock).toBe(WITHOUT_CLOCK.has(dialect) ? 'unsynchronised' : 'synchronised');
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
          expect(meter.flags).toBe(0);
        }
      }
    },
  );
});

/**
 * A register that falls further than a day's samples reach (2 GWh in steps of a watt-hour) is said to have fallen on
 * the day on which it did and on the next one, whose first sample is the first behind the fall.
 */
const SAMPLE_REACH = 2 ** 31;

describe('the days of 2026', () => {
  it.each(FAMILIES)(
    'each close with what %s shows at their midnights, and say when a register fell',
    (dialect) => {
      const shape: YearShape = { ...shapeOf(dialect, SEED), deviceTypes: [3, 7] };
      const gateway = new Gateway(dialect, shape);
      const midnights: number[] = [];
      for (let day = dayNamed('2026-01-01'); day.name <= '2027-01-01'; day = dayAfter(day)) {
        midnights.push(day.start);
        gateway.show(day.start);
        gateway.closeAll();
      }
      expect(gateway.drafts).toHaveLength(365);
      const due = midnights.map((midnight) => expectedTelegram(dialect, yearState(shape, midnight)));
      let fellFar: readonly string[] = [];
      gateway.drafts.forEach(({ day, meters }, index) => {
        const [before, after] = [due[index]!, due[index + 1]!];
        const main = meters.find(({ channel }) => channel === 0)!;
        expect(main.registers.map(shown)).toEqual(after.registers.map(shown));
        const fell = after.registers.flatMap(({ obis, value, scaler }, place) => {
          const by = before.registers[place]!.value - value;
          return by > 0 ? [{ obis, isFar: scaler === 0 && by > SAMPLE_REACH }] : [];
        });
        const flagged = main.registers.filter(({ flags }) => (flags & QUALITY.registerFell) !== 0);
        // A register beyond those that have a profile is not watched.
        const watched = after.registers.slice(0, PROFILES_MAX).map(({ obis }) => obis as string);
        const dueFlags = [...fell.map(({ obis }) => obis), ...fellFar].filter((obis) =>
          watched.includes(obis),
        );
        expect({ day: day.name, flagged: flagged.map(({ obis }) => obis).sort() }).toEqual({
          day: day.name,
          flagged: dueFlags.sort(),
        });
        fellFar = fell.filter(({ isFar }) => isFar).map(({ obis }) => obis);
        if (dialect === 'emucs-2.1.1') expect(peaksOf(main)).toEqual(peaksDue(day, after));
      });
    },
  );
});

const peaksOf = ({ peaks }: MeterReading): unknown[] =>
  peaks.map(({ month, value, time }) => ({ month, value, time })).sort(byMonth);
const byMonth = (one: { month: string }, other: { month: string }): number =>
  one.month.localeCompare(other.month);

/** Of the day's month and of the one before: what the closing midnight shows of them, closed or running. */
function peaksDue(day: LocalDay, after: P1Telegram): unknown[] {
  const months = [monthBefore(day), day.name.slice(0, 7)];
  return [...after.peaks, after.monthPeak!]
    .filter(({ month }) => month !== null && months.includes(month))
    .map(({ month, value, time }) => ({ month: month!, value, time: time === null ? null : stamp(time) }))
    .sort(byMonth);
}

const stamp = ({ epochSeconds, offsetMinutes }: Timestamp): Timestamp => ({ epochSeconds, offsetMinutes });

/** Only Belgium, the Netherlands and Luxembourg print what hangs on the M-Bus. */
function mediaOf(dialect: P1Dialect): readonly string[] {
  return /^(emucs|dsmr|luxembourg)/.test(dialect) ? ['electricity', 'gas', 'water'] : ['electricity'];
}
