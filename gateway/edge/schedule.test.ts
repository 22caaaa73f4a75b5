import { describe, expect, test } from 'vitest';
import { manualClock } from '../runtime/clock.ts';
import { seededRandom } from '../runtime/random.ts';
import { WakeSchedule } from './schedule.ts';
import { FARYS, ORES } from './testing/meters.ts';

const LIMITS = { jitterMs: 3_600_000, backoffBaseMs: 1_000, backoffMaxMs: 60_000 };

function schedule(random = seededRandom(5, 'schedule')) {
  const clock = manualClock(1_000_000);
  return { clock, wakes: new WakeSchedule(clock, random, LIMITS) };
}

describe('the schedule of wakes', () => {
  test('has nothing to say while nothing waits', () => {
    const { wakes } = schedule();
    expect(wakes.nextMs([])).toBeNull();
    wakes.added();
    expect(wakes.nextMs([])).toBeNull();
  });

  test('keeps a time that was drawn: a second owner that closes its day makes no second connection', () => {
    const { clock, wakes } = schedule();
    wakes.added();
    const first = wakes.nextMs([ORES]);
    clock.advance(60_000);
    wakes.added();
    expect(wakes.nextMs([ORES, FARYS])).toBe(first);
  });

  test('draws anew after a wake', () => {
    const { wakes } = schedule();
    wakes.added();
    const first = wakes.nextMs([ORES]);
    wakes.woke();
    wakes.added();
    expect(wakes.nextMs([ORES])).not.toBe(first);
  });

  test('never lets an owner be asked before the seconds that it named, and spreads those who were told the same', () => {
    const delays = Array.from({ length: 50 }, (_, seed) => {
      const { clock, wakes } = schedule(seededRandom(seed, 'later'));
      wakes.later(ORES, 600);
      return wakes.nextMs([ORES])! - clock.nowMs();
    });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(600_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(900_000);
    expect(new Set(delays.map((ms) => Math.floor(ms / 60_000))).size).toBe(5);
  });

  test('leaves alone the owner that failed, and nobody else', () => {
    const { clock, wakes } = schedule(() => 0.999);
    wakes.failed(ORES);
    expect([wakes.isDue(ORES), wakes.isDue(FARYS)]).toEqual([false, true]);
    expect(wakes.nextMs([ORES, FARYS])).toBe(0);
    clock.set(wakes.nextMs([ORES])!);
    expect(wakes.isDue(ORES)).toBe(true);
  });

  test('doubles the delay with each failure, up to its bound, and starts over after a success', () => {
    const { clock, wakes } = schedule(() => 0.999);
    const delay = (): number => wakes.nextMs([ORES])! - clock.nowMs();
    const delays = Array.from({ length: 8 }, () => {
      wakes.failed(ORES);
      return Math.round(delay() / 100) * 100;
    });
    expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 59_900, 59_900]);
    wakes.succeeded(ORES);
    wakes.failed(ORES);
    expect(delay()).toBeLessThan(1_000);
  });

  test('waits no longer than it drew when a clock that was years ahead is put right', () => {
    const { clock, wakes } = schedule();
    clock.advance(10 * 365 * 86_400_000);
    wakes.added();
    wakes.later(ORES, 600);
    clock.set(1_000_000);
    expect(wakes.nextMs([FARYS])! - clock.nowMs()).toBeLessThanOrEqual(LIMITS.jitterMs);
    const next = wakes.nextMs([ORES])!;
    expect(next - clock.nowMs()).toBeLessThanOrEqual(LIMITS.jitterMs);
    clock.set(next);
    expect([wakes.isDue(ORES), wakes.nextMs([ORES])]).toEqual([true, next]);
  });
});
