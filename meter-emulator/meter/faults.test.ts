import { describe, expect, it } from 'vitest';
import { P1Reader } from '../../gateway/edge/p1/reader.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { DIALECT_PORTS } from '../p1/dialects.ts';
import { encodeTelegramBytes, type P1Dialect } from '../p1/encode.ts';
import { mediumOf, P1_DIALECTS } from './dialect-ports.ts';
import { FaultBox } from './fault-box.ts';
import { parseFault } from './fault-plan.ts';
import { spoilt, type TelegramFault } from './faults.ts';
import { Household } from './household.ts';

const moment = Date.parse('2026-06-15T10:00:00Z');
const random = seededRandom(7, 'spoilt');

function telegramOf(dialect: P1Dialect): Buffer {
  const household = new Household(1, { medium: mediumOf(dialect) });
  const { header } = DIALECT_PORTS[dialect];
  // What is inside the frames of an encrypted dialect; the frames have a test of their own.
  return Buffer.from(encodeTelegramBytes(dialect, { ...household.stateAt(moment), header }));
}

/** What a reader makes of a spoilt telegram with a whole one before and behind it. */
function read(whole: Buffer, fault: TelegramFault) {
  const reader = new P1Reader({ telegram: () => {}, fault: () => {} });
  for (const bytes of [whole, spoilt(whole, fault, random), whole]) reader.feed(bytes);
  reader.flush();
  return { telegrams: reader.telegrams, faults: reader.faults };
}

const PRINTS_CRC = P1_DIALECTS.filter((dialect) => DIALECT_PORTS[dialect].crc);

describe('a spoilt telegram', () => {
  it.each(PRINTS_CRC)('yields no reading, and harms neither of its neighbours, in %s', (dialect) => {
    const whole = telegramOf(dialect);
    for (let round = 0; round < 20; round++) {
      expect(read(whole, 'wrong-crc')).toEqual({ telegrams: 2, faults: { 'crc-invalid': 1 } });
      expect(read(whole, 'cut')).toEqual({ telegrams: 2, faults: { cut: 1 } });
      expect(read(whole, 'noise')).toEqual({ telegrams: 2, faults: { 'crc-invalid': 1 } });
    }
  });

  it('cannot have a wrong CRC where none is printed', () => {
    const nothing = (): void => {};
    const box = new FaultBox({ begun: nothing, due: nothing, ended: nothing }, false);
    const impossible = expect.objectContaining({ code: 'ERR_EMULATED_METER_FAULT' });
    expect(() => box.wrongCrc()).toThrow(impossible);
    expect(() => box.share('wrong-crc', 0.5)).toThrow(impossible);
    expect(box.nextSpoil(random)).toBeNull();
    box.cut(2);
    expect([box.nextSpoil(random), box.nextSpoil(random), box.nextSpoil(random)]).toEqual([
      'cut',
      'cut',
      null,
    ]);
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
