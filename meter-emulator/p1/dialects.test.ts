import { describe, expect, it } from 'vitest';
import type { P1Keys } from '../../gateway/edge/p1/glo-keys.ts';
import { readTelegrams } from '../../gateway/edge/p1/reader.ts';
import { DIALECT_PORTS, DIALECTS, type P1Dialect } from './dialects.ts';
import { encodeTelegram } from './encode.ts';
import { stateOf } from './example.ts';
import { SealedPort } from './sealed.ts';

const NAMES = Object.keys(DIALECTS) as P1Dialect[];
const KEYS: P1Keys = { encryption: Buffer.alloc(16, 0xaa), authentication: Buffer.alloc(16, 0xbb) };
const TITLE = Buffer.from('EMU00003', 'latin1');

const textOf = (dialect: P1Dialect, changes: Parameters<typeof stateOf>[1] = {}): string =>
  encodeTelegram(dialect, stateOf(1, { header: DIALECTS[dialect].header, ...changes }));

describe('a dialect', () => {
  it('fits into its own interval at the speed of its line', () => {
    // A byte goes over the line with a start bit, parity where there is one, and a stop bit: ten bits.
    const bytesPerSecond = { '115200 8N1': 11_520, '9600 7E1': 960 } as const;
    for (const name of NAMES) {
      const { line, periodSeconds } = DIALECT_PORTS[name];
      const seconds = textOf(name, { message: 'x'.repeat(20) }).length / bytesPerSecond[line];
      expect({ name, fits: seconds < periodSeconds }).toEqual({ name, fits: true });
    }
  });

  it.each(NAMES)('%s says that it is simulated, what it is after, and closes as its row says', (name) => {
    const { header, after, crc, ends, line } = DIALECTS[name];
    expect(header).toMatch(/^[A-Za-z0-9]{3}.*SIM|^SIM/);
    expect(after.length).toBeGreaterThan(10);
    const text = textOf(name);
    expect(text.startsWith(`/${header}\r\n`)).toBe(true);
    const closings = {
      crc: /\r\n![0-9A-F]{4}\r\n$/,
      'short crc': /\r\n![0-9A-F]{1,4}\r\n$/,
      bang: /\)\r\n!\r\n$/,
      nothing: /\)\r\n$/,
    };
    expect(text).toMatch(closings[ends]);
    expect(crc).toBe(ends === 'crc' || ends === 'short crc');
    // Seven bits carry no more.
    if (line === '9600 7E1') expect(text).toMatch(/^[\x00-\x7f]*$/);
  });

  it('prints a state that says nothing of what only some dialects ask for', () => {
    for (const name of NAMES) {
      const { faults, telegrams } = readTelegrams(Buffer.from(textOf(name), 'latin1'));
      expect({ name, faults, telegrams: telegrams.length }).toEqual({ name, faults: [], telegrams: 1 });
    }
  });

  it('prints a CRC that begins with a zero without it where the row says so', () => {
    const closings = Array.from({ length: 300 }, (_, number) => {
      const text = encodeTelegram('heat-nl', stateOf(number, { header: DIALECTS['heat-nl'].header }));
      expect(readTelegrams(Buffer.from(text, 'latin1')).telegrams).toHaveLength(1);
      return text.slice(text.indexOf('!') + 1, -2);
    });
    expect(closings.every((closing) => !closing.startsWith('0'))).toBe(true);
    expect(new Set(closings.map(({ length }) => length))).toEqual(new Set([3, 4]));
  });
});

describe('a port that encrypts', () => {
  it('refuses to use a counter twice when all are used up', () => {
    const port = new SealedPort({ keys: KEYS, title: TITLE, firstCounter: 0xffff_ffff });
    port.encode('luxembourg', stateOf(0));
    expect(() => port.encode('luxembourg', stateOf(0))).toThrow(
      expect.objectContaining({ code: 'ERR_EMULATOR_P1_COUNTER' }),
    );
  });

  it('numbers its frames one after the other, so that equal telegrams look nothing alike', () => {
    const port = new SealedPort({ keys: KEYS, title: TITLE, firstCounter: 41 });
    const frames = [port.encode('austria', stateOf(0)), port.encode('austria', stateOf(0))];
    // Behind tag, title, length and security byte.
    expect(frames.map((frame) => frame.readUInt32BE(14))).toEqual([41, 42]);
    expect(port.counter).toBe(43);
    const [one, other] = frames.map((frame) => frame.subarray(18)) as [Buffer, Buffer];
    expect(one.equals(other)).toBe(false);
    const { telegrams } = readTelegrams(Buffer.concat(frames), { keys: KEYS });
    expect(telegrams.map(({ encryption }) => encryption)).toEqual(['verified', 'verified']);
  });

  it('tells nothing to who has another key', () => {
    const port = new SealedPort({ keys: KEYS, title: TITLE });
    const frame = port.encode('luxembourg', stateOf(0));
    const keys = { ...KEYS, encryption: Buffer.alloc(16, 0xab) };
    expect(readTelegrams(frame, { keys })).toMatchObject({ telegrams: [], faults: ['tag-invalid'] });
    expect(readTelegrams(frame)).toMatchObject({ telegrams: [], faults: ['encrypted'] });
  });
});
