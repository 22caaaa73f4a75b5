import { describe, expect, it } from 'vitest';
import { manualClock } from './clock.ts';
import { Counters } from './counters.ts';
import { type Ending, watchExpiry } from './expiry.ts';
import { createLog } from './log.ts';

const DAY_MS = 86_400_000;
const NOW_MS = Date.UTC(2026, 0, 1);

interface Line {
  readonly level: string;
  readonly what: string;
  readonly daysLeft: number;
}

function watched(...endings: Ending[]) {
  const clock = manualClock(NOW_MS);
  const counters = new Counters();
  const lines: Line[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as Line) };
  const watch = watchExpiry({
    read: () => endings,
    clock,
    counters,
    log: createLog({ name: 'test', destination }),
  });
  const said = () => lines.splice(0).map(({ level, what, daysLeft }) => `${level} ${what} ${daysLeft}`);
  return { endings, clock, counters, watch, said };
}

const certificate = (what: string, days: number): Ending => ({
  kind: 'certificate',
  what,
  notAfterMs: NOW_MS + days * DAY_MS,
});

describe('what ends by itself', () => {
  it('is said once below 90 and 30 days, each day in the last week, and when it is over', () => {
    const { clock, watch, said } = watched(certificate('server', 100));
    const told: string[] = [];
    for (let hour = 0; hour < 102 * 24; hour++) {
      watch.look();
      told.push(...said());
      clock.advance(DAY_MS / 24);
    }
    expect(told).toEqual([
      'info server 89',
      'warn server 29',
      'error server 6',
      'error server 5',
      'error server 4',
      'error server 3',
      'error server 2',
      'error server 1',
      'error server 0',
      'error server -1',
      'error server -2',
    ]);
    watch.stop();
  });

  it('is said at the start, by the nearest threshold alone, and not at all where there is time', () => {
    const { watch, said } = watched(certificate('server', 20), certificate('root', 900));
    expect(said()).toEqual(['warn server 20']);
    watch.stop();
  });

  it('is quiet again once it was renewed, and said anew when that ends', () => {
    const { endings, clock, watch, said } = watched(certificate('server', 20));
    said();
    endings[0] = certificate('server', 400);
    watch.look();
    clock.advance(375 * DAY_MS);
    watch.look();
    expect(said()).toEqual(['warn server 25']);
    watch.stop();
  });

  it('of a revocation list is said two days before and from the last day on: it should be days younger', () => {
    const { clock, watch, said, counters } = watched({
      kind: 'list',
      what: 'ores',
      notAfterMs: NOW_MS + 7 * DAY_MS,
    });
    const told: string[] = [];
    for (let day = 0; day < 9; day++) {
      watch.look();
      told.push(...said());
      clock.advance(DAY_MS);
    }
    expect(told).toEqual(['warn ores 1', 'error ores 0', 'error ores -1']);
    expect(counters.snapshot()).toEqual({ 'crl.days_left.ores': -2 });
    watch.stop();
  });

  it('is a gauge at any moment; of several of one name the first to end counts', () => {
    const { clock, watch, counters } = watched(
      certificate('issuing.ores', 500),
      certificate('issuing.ores', 10),
      certificate('root', 5_000),
    );
    const gauges = { 'certificate.days_left.issuing.ores': 10, 'certificate.days_left.root': 5_000 };
    expect(counters.snapshot()).toEqual(gauges);
    clock.advance(11 * DAY_MS);
    expect(counters.get('certificate.days_left.issuing.ores')).toBe(-1);
    expect(watch.soon().map(({ what, daysLeft }) => [what, daysLeft])).toEqual([['issuing.ores', -1]]);
    watch.stop();
  });
});
