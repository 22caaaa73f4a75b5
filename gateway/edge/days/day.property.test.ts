import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { QUALITY } from '../../../protocol/reading.ts';
import { seededRandom } from '../../runtime/random.ts';
import { IMPORT_DAY, meter, ORES, register, snapshot } from '../testing/meters.ts';
import { dayAfter, dayNamed, QUARTER_SECONDS } from './calendar.ts';
import { DayAccumulator } from './day.ts';
import { SAMPLE_TOLERANCE_SECONDS } from './quality.ts';

/** A register that rises by the second and is never twice the same: a sample of another moment shows. */
const indexAt = (epochSeconds: number): number => Math.floor((epochSeconds - 1_700_000_000) / 10);

/** Moments at which a telegram came: every so often, with outages cut out of them. */
function telegramTimes(
  start: number,
  end: number,
  everySeconds: number,
  outages: number,
  seed: number,
): number[] {
  const random = seededRandom(seed, 'outages');
  const holes = Array.from({ length: outages }, () => {
    const from = start + random() * (end - start);
    return [from, from + random() ** 3 * 2 * 86_400] as const;
  });
  const times: number[] = [];
  for (let time = start; time <= end; time += Math.max(1, Math.round(everySeconds * (0.5 + random()))))
    if (!holes.some(([from, to]) => time >= from && time < to)) times.push(time);
  return times;
}

/** By the rule of ADR 0071, worked out from the whole list: the sample that stands for a boundary, or null. */
function sampleFor(times: readonly number[], boundary: number): number | null {
  const after = times.find((time) => time >= boundary && time <= boundary + SAMPLE_TOLERANCE_SECONDS);
  const before = times.findLast((time) => time < boundary && time >= boundary - SAMPLE_TOLERANCE_SECONDS);
  return after ?? before ?? null;
}

describe('days, whatever the telegrams', () => {
  test.each(['2026-03-27', '2026-05-10', '2026-10-23'])(
    'from %s on each come once, with exactly the increments that were sampled and gaps for the rest',
    (first) => {
      fc.assert(
        fc.property(
          fc.record({
            seed: fc.nat(),
            every: fc.constantFrom(20, 45, 300, 900),
            outages: fc.nat({ max: 8 }),
            startHour: fc.nat({ max: 30 }),
          }),
          ({ seed, every, outages, startHour }) => {
            const start = dayNamed(first).start + startHour * 3600 + (seed % 60);
            const end = dayAfter(dayNamed(first), 4).start + 3_600;
            const times = telegramTimes(start, end, every, outages, seed);
            const days = new DayAccumulator({ owners: () => ORES });
            for (const time of times)
              days.observe(snapshot(time, [meter([register(IMPORT_DAY, indexAt(time))])]));
            const due = days.due().map(({ day }) => day);
            // Consecutive, from the first that was seen to the last that is over.
            expect(due.map(({ ordinal }) => ordinal)).toEqual(due.map((_, index) => due[0]!.ordinal + index));
            for (const day of due) {
              const { meters, capturedAt } = days.draft({ owner: ORES, day })!;
              const { profiles, registers, flags } = meters[0]!;
              expect(registers[0]!.value).toBe(indexAt(capturedAt.epochSeconds));
              const late = capturedAt.epochSeconds > day.end + SAMPLE_TOLERANCE_SECONDS;
              expect((flags & QUALITY.closedLate) !== 0).toBe(late);
              const samples = Array.from({ length: day.quarters + 1 }, (_, slot) =>
                sampleFor(times, day.start + slot * QUARTER_SECONDS),
              );
              const expected = samples.slice(1).map((sample, slot) => {
                const before = samples[slot] ?? null;
                return sample === null || before === null ? null : indexAt(sample) - indexAt(before);
              });
              expect(profiles[0]!.deltas).toEqual(expected);
              expect((flags & QUALITY.profileGap) !== 0).toBe(expected.includes(null));
              expect(flags & (QUALITY.registerFell | QUALITY.registerJumped | QUALITY.stale)).toBe(0);
            }
          },
        ),
        { seed: 7, numRuns: 25 },
      );
    },
  );
});
