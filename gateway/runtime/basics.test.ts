import { describe, expect, it } from 'vitest';
import { backoff, sleep } from './backoff.ts';
import { manualClock, simulatedClock } from './clock.ts';
import { COUNTER_NAMES_MAX, Counters, sumCounters } from './counters.ts';
import { LINE_BYTES_MAX, LineSplitter } from './lines.ts';
import { readChildMessage } from './parent.ts';
import { randomInteger, randomPick, seededRandom } from './random.ts';

describe('backoff', () => {
  it('never waits longer than its ceiling, however often it is asked', () => {
    const delays = backoff({ baseMs: 100, maxMs: 1_000, random: () => 0.999_999 });
    const given = Array.from({ length: 2_000 }, () => delays.nextMs());
    expect(given.slice(0, 5)).toEqual([99, 199, 399, 799, 999]);
    expect(Math.max(...given)).toBeLessThan(1_000);
  });

  it('spreads over the whole ceiling, not below its minimum', () => {
    const delays = backoff({ baseMs: 1_000, maxMs: 1_000, minMs: 10, random: seededRandom(1) });
    const given = Array.from({ length: 1_000 }, () => delays.nextMs());
    expect(Math.min(...given)).toBeGreaterThanOrEqual(10);
    for (let band = 0; band < 10; band++)
      expect(given.filter((ms) => Math.floor(ms / 100) === band).length).toBeGreaterThan(60);
  });

  it('begins again after a reset', () => {
    const delays = backoff({ baseMs: 100, maxMs: 10_000, random: () => 0.5 });
    delays.nextMs();
    delays.nextMs();
    delays.reset();
    expect([delays.attempts, delays.nextMs()]).toEqual([0, 50]);
  });

  it('wakes a sleeper whose signal is aborted', async () => {
    const abort = new AbortController();
    const sleeping = sleep(60_000, abort.signal);
    abort.abort();
    await expect(sleeping).rejects.toMatchObject({ name: 'AbortError' });
    await sleep(1);
  });
});

describe('random', () => {
  it('repeats from its seed, on every machine', () => {
    const random = seededRandom(7, 'household', 12);
    const again = seededRandom(7, 'household', 12);
    const drawn = Array.from({ length: 5 }, () => Math.floor(random() * 1e6));
    expect(Array.from({ length: 5 }, () => Math.floor(again() * 1e6))).toEqual(drawn);
    expect(drawn).toMatchInlineSnapshot(`
      [
        195647,
        688188,
        375370,
        157155,
        118397,
      ]
    `);
  });

  it('gives other numbers for every other part, and for parts that only look alike when joined', () => {
    const first = new Set([
      seededRandom(7)(),
      seededRandom(8)(),
      seededRandom('7', '1')(),
      seededRandom('71')(),
      seededRandom(7, 'a')(),
      seededRandom('a', 7)(),
    ]);
    expect(first.size).toBe(6);
  });

  it('is even enough for emulation', () => {
    const random = seededRandom(3);
    const counts = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) counts[randomInteger(random, 0, 9)]!++;
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(400);
    expect(['a', 'b']).toContain(randomPick(random, ['a', 'b']));
  });
});

describe('clock', () => {
  it('runs a simulated day in a real minute', () => {
    const real = manualClock(5_000);
    const originMs = Date.UTC(2026, 2, 28);
    const clock = simulatedClock({ originMs, startedAtMs: 5_000, speed: 1440, real });
    expect(clock.nowMs()).toBe(originMs);
    real.advance(60_000);
    expect(clock.nowMs()).toBe(originMs + 86_400_000);
    real.set(5_001);
    expect(clock.nowMs()).toBe(originMs + 1_440);
  });
});

describe('counters', () => {
  it('do not grow without bound when names are made of what strangers send', () => {
    const counters = new Counters();
    for (let i = 0; i < COUNTER_NAMES_MAX + 50; i++) counters.count(`refused.${i}`);
    expect(Object.keys(counters.snapshot()).length).toBeLessThanOrEqual(COUNTER_NAMES_MAX + 1);
    expect(counters.get('counters.overflow')).toBe(50);
  });

  it('keep counts and gauges apart, for sums over processes', () => {
    const counters = new Counters();
    let held = 3;
    counters.count('delivered');
    counters.count('delivered', 2);
    counters.gauge('held', () => held);
    expect(counters.snapshot()).toEqual({ delivered: 3, held: 3 });
    held = 4;
    expect([counters.get('held'), counters.get('absent')]).toEqual([4, 0]);
    expect(counters.counts()).toEqual({ delivered: 3 });
    expect(sumCounters([{ a: 1, b: 2 }, { b: 3 }])).toEqual({ a: 1, b: 5 });
  });
});

describe('lines of a child', () => {
  it('come whole however they are cut, and an endless one in bounded pieces', () => {
    const lines: string[] = [];
    const splitter = new LineSplitter((line) => lines.push(line));
    const bytes = Buffer.from('{"a":1}\n\nzähler m³\nlast');
    for (const byte of bytes) splitter.push(Buffer.from([byte]));
    splitter.end();
    expect(lines).toEqual(['{"a":1}', 'zähler m³', 'last']);
    lines.length = 0;
    for (let i = 0; i < 40; i++) splitter.push(Buffer.alloc(10_000, 'x'));
    splitter.end();
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(LINE_BYTES_MAX);
    expect(lines.join('').length).toBe(400_000);
  });
});

describe('messages of a child', () => {
  it.each([
    null,
    3,
    'ready',
    {},
    { type: 'ready' },
    { type: 'ready', details: { deep: {} } },
    { type: 'counters', counters: { a: 'x' }, gauges: {} },
    { type: 'failed', code: 3, message: 'x' },
    { type: 'other' },
  ])('of another shape are not taken: %j', (message) => {
    expect(readChildMessage(message)).toBeUndefined();
  });
});
