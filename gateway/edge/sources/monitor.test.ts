import { describe, expect, it } from 'vitest';
import { manualClock } from '../../runtime/clock.ts';
import { Counters } from '../../runtime/counters.ts';
import type { Log } from '../../runtime/log.ts';
import { seededRandom } from '../../runtime/random.ts';
import { PortMonitor } from './monitor.ts';
import { SOURCE_TIMING } from './timing.ts';

interface Stage {
  readonly monitor: PortMonitor;
  readonly said: string[];
  readonly counters: Counters;
  /** Live so many seconds, with something happening in each. */
  pass(seconds: number, each?: (second: number) => void): void;
  setBack(ms: number): void;
}

function stage(): Stage {
  const clock = manualClock(1_000_000_000_000);
  const said: string[] = [];
  const note = ({ port }: { port: string }): void => void said.push(port);
  const log = { info: note, warn: note } as unknown as Log;
  const counters = new Counters();
  const monitor = new PortMonitor({ name: 'meter', timing: SOURCE_TIMING, clock, log, counters });
  const pass: Stage['pass'] = (seconds, each) => {
    for (let second = 0; second < seconds; second += 1) {
      each?.(second);
      clock.advance(1000);
      monitor.tick();
    }
  };
  return { monitor, said, counters, pass, setBack: (ms) => clock.advance(-ms) };
}

const random = seededRandom('noise');
const garbage = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));
const text = Buffer.from('1-0:1.8.1(000000.034*kWh)\r\n');

describe('a port', () => {
  it('that never sends anything is a closed customer port, said once', () => {
    const { monitor, said, pass } = stage();
    monitor.opened();
    pass(29);
    expect(said).toEqual([]);
    pass(600);
    expect(said).toEqual(['port-closed']);
  });

  it('that sent telegrams and then nothing is silent, not closed', () => {
    const { monitor, said, pass } = stage();
    monitor.opened();
    pass(10, () => monitor.telegram());
    monitor.block(text);
    pass(600);
    expect(said).toEqual(['receiving', 'silent']);
  });

  it('that sends a stream of garbage is at the wrong speed', () => {
    const { monitor, said, pass } = stage();
    monitor.opened();
    pass(300, () => monitor.block(garbage(80)));
    expect(said).toEqual(['wrong-speed']);
  });

  it('that sends a stray byte now and then is noisy', () => {
    const { monitor, said, pass } = stage();
    monitor.opened();
    pass(300, (second) => second % 7 === 0 && monitor.block(garbage(2)));
    expect(said).toEqual(['noise']);
  });

  it('that sends telegrams of which every CRC is wrong is damaged', () => {
    const { monitor, said, pass } = stage();
    monitor.opened();
    pass(300, () => {
      monitor.block(text);
      monitor.fault('crc-invalid');
    });
    expect(said).toEqual(['damaged']);
  });

  it('whose encrypted telegrams do not open is undecipherable', () => {
    const { monitor, said, pass } = stage();
    monitor.opened();
    pass(300, (second) => {
      if (second % 10 !== 0) return;
      monitor.block(garbage(500));
      monitor.fault('tag-invalid');
    });
    expect(said).toEqual(['undecipherable']);
  });

  it('keeps receiving while one telegram in twenty is whole, and counts the others', () => {
    const { monitor, said, counters, pass } = stage();
    monitor.opened();
    pass(600, (second) => {
      monitor.block(text);
      if (second % 20 === 0) monitor.telegram();
      else monitor.fault('crc-invalid');
    });
    expect(said).toEqual(['receiving']);
    expect(counters.get('p1.fault.crc-invalid')).toBe(570);
  });

  it('does not change its mind with every window when it is on the border', () => {
    const { monitor, said, pass } = stage();
    monitor.opened();
    pass(3600, (second) => monitor.block(garbage(Math.floor(second / 31) % 2 === 0 ? 30 : 5)));
    expect(said.length).toBeLessThan(4);
  });

  it('stays silent when a stray byte comes between long silences', () => {
    const { monitor, said, pass } = stage();
    monitor.opened();
    monitor.block(text);
    pass(3600, (second) => second % 45 === 0 && monitor.block(garbage(1)));
    expect(said.at(-1)).toBe('silent');
    expect(said.length).toBeLessThan(4);
  });

  it('says each trouble of its link once, however often it is tried', () => {
    const { monitor, said, counters, pass } = stage();
    for (let attempt = 0; attempt < 20; attempt += 1) monitor.closed('unplugged', 'ENODEV');
    monitor.opened();
    pass(5, () => monitor.telegram());
    for (let attempt = 0; attempt < 20; attempt += 1) monitor.closed('unplugged', 'ENODEV');
    expect(said).toEqual(['unplugged', 'receiving', 'unplugged']);
    expect(counters.get('p1.state.unplugged')).toBe(2);
  });

  it('has its whole patience again after it was plugged in', () => {
    const { monitor, said, pass } = stage();
    monitor.closed('unplugged');
    pass(600);
    monitor.opened();
    pass(29);
    expect(said).toEqual(['unplugged']);
    pass(2);
    expect(said).toEqual(['unplugged', 'port-closed']);
  });

  it('is found silent within its time when the clock was set back by a year', () => {
    const { monitor, said, pass, setBack } = stage();
    monitor.opened();
    monitor.block(text);
    pass(10, () => monitor.telegram());
    setBack(365 * 86_400_000);
    pass(32);
    expect(said).toEqual(['receiving', 'silent']);
  });
});
