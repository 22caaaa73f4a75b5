import { describe, expect, it } from 'vitest';
import { P1Reader } from '../../gateway/edge/p1/reader.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { P1_DIALECTS } from './dialect-ports.ts';
import { parseFault } from './fault-plan.ts';
import { spoilt } from './faults.ts';
import { Household } from './household.ts';
import { telegramMaker } from './telegram.ts';

const state = { ...new Household(1).stateAt(Date.parse('2026-06-15T10:00:00Z')), header: 'EMU5\\SIMULATED' };
const random = seededRandom(7, 'spoilt');

/** What a reader makes of a spoilt telegram with a whole one before and behind it. */
function read(dialect: (typeof P1_DIALECTS)[number], fault: 'noise' | 'cut' | 'wrong-crc') {
  const whole = telegramMaker(dialect, null, 1)(state);
  const reader = new P1Reader({ telegram: () => {}, fault: () => {} });
  for (const bytes of [whole, spoilt(whole, fault, random), whole]) reader.feed(bytes);
  reader.flush();
  return { telegrams: reader.telegrams, faults: reader.faults };
}

const PRINTS_CRC = P1_DIALECTS.filter((dialect) =>
  /![0-9A-F]{4}\r\n$/.test(telegramMaker(dialect, null, 1)(state).toString('latin1')),
);

describe('a spoilt telegram', () => {
  it.each(PRINTS_CRC)('yields no reading, and harms neither of its neighbours, in %s', (dialect) => {
    for (let round = 0; round < 30; round++) {
      expect(read(dialect, 'wrong-crc')).toEqual({ telegrams: 2, faults: { 'crc-invalid': 1 } });
      expect(read(dialect, 'cut')).toEqual({ telegrams: 2, faults: { cut: 1 } });
      expect(read(dialect, 'noise')).toEqual({ telegrams: 2, faults: { 'crc-invalid': 1 } });
    }
  });
});

describe('a fault that is ordered', () => {
  it.each([
    ['foo', /a kind is one of noise, cut/],
    ['', /its form is/],
    ['noise@', /its form is/],
    ['unplug:3', /has a duration/],
    ['silence:0.05', /has a duration/],
    ['wrong-crc:20s', /no duration/],
    ['wrong-crc:1.5', /a share/],
    ['wrong-crc:0', /a share/],
    ['wrong-crc:0.5@1s/10s', /a share/],
    ['cut@10', /A time is/],
    ['silence:30d', /has a duration/],
    ['silence:1s@1m/10ms', /once a second at most/],
    ['noise:400h', /a share/],
  ])('is refused with what would be right: %s', (text, why) => {
    expect(() => parseFault(text)).toThrow(expect.objectContaining({ code: 'ERR_EMULATED_METER_FAULT' }));
    expect(() => parseFault(text)).toThrow(why);
  });

  it('is read with its amount, its start and how often it comes back', () => {
    const plain = { amount: {}, share: null, startMs: 0, everyMs: null };
    expect(parseFault('closed')).toEqual({ ...plain, fault: 'closed' });
    expect(parseFault('noise@10s')).toEqual({ ...plain, fault: 'noise', startMs: 10_000 });
    expect(parseFault('wrong-crc:0.05')).toEqual({ ...plain, fault: 'wrong-crc', share: 0.05 });
    expect(parseFault('cut:3@500ms')).toEqual({
      ...plain,
      fault: 'cut',
      amount: { telegrams: 3 },
      startMs: 500,
    });
    expect(parseFault('unplug:1.5s@1m/10m')).toEqual({
      fault: 'unplug',
      amount: { ms: 1_500 },
      share: null,
      startMs: 60_000,
      everyMs: 600_000,
    });
  });
});
