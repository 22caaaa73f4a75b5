import { expect, test } from 'vitest';
import { QUALITY } from '../../../protocol/reading.ts';
import { type Random, randomInteger, randomPick, seededRandom } from '../../runtime/random.ts';
import { dayNamed } from '../days/calendar.ts';
import { DayAccumulator } from '../days/day.ts';
import type { Instant, MeterSnapshot, Snapshot } from '../source.ts';
import {
  captured,
  FARYS,
  GAS,
  IMPORT_DAY,
  IMPORT_NIGHT,
  meter,
  ORES,
  register,
  snapshot,
  timestamp,
  WATER,
} from '../testing/meters.ts';
import { type ImageData, imageOf, type StepData, stateOf, stepOf, type Written } from './state.ts';

const SEEDS = Number(process.env['HES_SEEDS'] ?? 12);

/** What a checkpoint does with frames (checkpoint.ts), without the disk and the key. */
class Frames {
  #frames: string[] = [];
  #written: Written = new WeakMap();
  #revision: number | undefined;

  save(days: DayAccumulator): void {
    const state = days.state();
    if (this.#revision === days.revision) {
      this.#frames.push(JSON.stringify(stepOf(state, this.#written)));
      return;
    }
    this.#written = new WeakMap();
    this.#frames = [JSON.stringify(imageOf(state, this.#written))];
    this.#revision = days.revision;
  }

  restored(): DayAccumulator {
    const [image, ...steps] = this.#frames;
    this.#revision = undefined;
    return accumulator({
      restored: stateOf(
        JSON.parse(image!) as ImageData,
        steps.map((step) => JSON.parse(step) as StepData),
      ),
    });
  }
}

function accumulator(extra: Partial<ConstructorParameters<typeof DayAccumulator>[0]> = {}): DayAccumulator {
  return new DayAccumulator({ owners: ({ medium }) => (medium === 'water' ? FARYS : ORES), ...extra });
}

const instant = (obis: string, unit: 'V' | 'A' | 'W', value: number): Instant => ({
  obis: obis as Instant['obis'],
  unit,
  value,
  scaler: -1,
});

/** A household with everything that a day can hold, and meters that come, go, fall, jump and are replaced. */
function household(random: Random, at: number, since: number): Snapshot {
  const odd = (chance: number): boolean => random() < chance;
  const energy = 5_000_000 + Math.floor(since / 9) - (odd(0.01) ? 9_000 : 0) + (odd(0.01) ? 9_000_000 : 0);
  const registers = [
    register(IMPORT_DAY, energy, { flags: odd(0.02) ? QUALITY.placeholder : 0 }),
    ...(odd(0.1) ? [] : [register(IMPORT_NIGHT, Math.floor(since / 50), { unit: 'Wh', scaler: 0 })]),
  ];
  const month = odd(0.5) ? '2026-03' : '2026-04';
  const meters: MeterSnapshot[] = [
    meter(odd(0.2) ? registers.toReversed() : registers, {
      flags: odd(0.02) ? randomPick(random, [QUALITY.powerFail, QUALITY.clockInvalid]) : 0,
      instants: [
        instant('1-0:32.7.0', 'V', 2_300 + randomInteger(random, -90, 90)),
        instant('1-0:31.7.0', 'A', randomInteger(random, 0, 250)),
        instant('1-0:1.7.0', 'W', 1),
      ],
      peaks: odd(0.3)
        ? [{ obis: IMPORT_DAY, month, time: null, value: randomInteger(random, 1, 9), scaler: 0, unit: 'W' }]
        : [],
    }),
  ];
  const serial = since > 4 * 86_400 ? 'GAS-NEW' : 'GAS-OLD';
  const hour = at - (at % 3_600) - (odd(0.05) ? 7_200 : 0);
  if (!odd(0.1))
    meters.push(
      meter([captured(GAS, 1_000 + Math.floor(since / 800), hour)], { medium: 'gas', channel: 1, serial }),
    );
  if (!odd(0.3))
    meters.push(
      meter([captured(WATER, 70 + Math.floor(since / 4_000), at - (at % 900) + 400)], {
        medium: 'water',
        channel: 2,
        serial: 'WATER',
      }),
    );
  return snapshot(
    at,
    meters,
    odd(0.1) ? null : timestamp(at + (odd(0.05) ? randomInteger(random, -999, 999) : 0)),
  );
}

test.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
  'a household whose edge is restarted all the time has the days of one that never was (seed %i)',
  (seed) => {
    const random = seededRandom(seed, 'restarts');
    const start =
      dayNamed(seed % 2 === 0 ? '2026-03-26' : '2026-10-22').start + randomInteger(random, 0, 86_000);
    const frames = new Frames();
    const steady = accumulator();
    let restarted = accumulator();
    let at = start;
    let days = 0;
    while (at < start + 8 * 86_400) {
      const shown = household(random, at, at - start);
      const kept = steady.observe(shown);
      expect(restarted.observe(shown)).toBe(kept);
      if (kept) frames.save(restarted);
      if (random() < 0.1) {
        frames.save(restarted);
        restarted = frames.restored();
      }
      expect(restarted.due()).toEqual(steady.due());
      for (const due of steady.due()) {
        expect(restarted.draft(due)).toEqual(steady.draft(due));
        if (random() > 0.3) continue;
        steady.closed(due);
        restarted.closed(due);
        frames.save(restarted);
        days++;
      }
      expect(restarted.through()).toEqual(steady.through());
      const pause = random() < 0.01 ? 90_000 : random() < 0.05 ? 5_000 : random() < 0.03 ? -4_000 : 450;
      at += Math.round(pause * (0.2 + random()));
    }
    expect(days).toBeGreaterThan(4);
  },
);
