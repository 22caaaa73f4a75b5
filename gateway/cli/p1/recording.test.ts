import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMUCS_1_7_1, HEAT, sealed } from '../../edge/p1/example.ts';
import { ForeignWatch } from './foreign.ts';
import { Recording } from './recording.ts';

const SEED = 20_261_124;
const TEXT = sealed(EMUCS_1_7_1) + sealed(HEAT);
const SENT = Buffer.from(TEXT, 'latin1');

function restored(bytes: Uint8Array, sizes: readonly number[] = [bytes.length]): Buffer {
  const recording = new Recording();
  const parts: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, sizes[turn % sizes.length]!);
    parts.push(Buffer.from(recording.feed(bytes.subarray(at, at + size))));
    at += size;
  }
  parts.push(recording.end());
  return Buffer.concat(parts);
}

const inUtf16 = (text: string, isLittle: boolean): Buffer => {
  const bytes = Buffer.from(`\ufeff${text}`, 'utf16le');
  return isLittle ? bytes : bytes.swap16();
};
const pairs = SENT.toString('hex').match(/../g)!;

const RECORDINGS: Readonly<Record<string, Buffer>> = {
  'what the port sent': SENT,
  'UTF-16 as PowerShell writes it': inUtf16(TEXT, true),
  'UTF-16 the other way round': inUtf16(TEXT, false),
  'CR alone at the line ends': Buffer.from(TEXT.replaceAll('\n', ''), 'latin1'),
  'line ends as source code writes them': Buffer.from(
    TEXT.replaceAll('\\', '\\\\').replaceAll('\r', '\\r').replaceAll('\n', '\\n'),
    'latin1',
  ),
  'JSON without its quotes': Buffer.from(JSON.stringify(TEXT).slice(1, -1), 'latin1'),
  'a hex dump': Buffer.from(pairs.join(''), 'latin1'),
  'a hex dump with blanks and lines': Buffer.from(
    pairs.map((pair, index) => pair.toUpperCase() + (index % 16 === 15 ? '\n' : ' ')).join(''),
    'latin1',
  ),
  'a hex dump with colons': Buffer.from(pairs.join(':'), 'latin1'),
};

describe('a recording', () => {
  it('of a port is passed on as it is, byte by byte and at once', () => {
    const recording = new Recording();
    const encrypted = Buffer.from('db080d0a0d0d0a2f', 'hex');
    expect(Buffer.from(recording.feed(encrypted))).toEqual(encrypted);
    expect(restored(Buffer.from([0x0d, 0x41, 0x0d, 0xdb, 8, 0x0d]))).toEqual(
      Buffer.from([0x0d, 0x41, 0x0d, 0xdb, 8, 0x0d]),
    );
    expect(restored(Buffer.from('x'))).toEqual(Buffer.from('x'));
    expect(restored(Buffer.alloc(0))).toHaveLength(0);
  });

  it('that begins in the middle of a hex message is no dump once something else comes', () => {
    const middle = Buffer.from(`2F484A4B2F484A4B2F48)\r\n${TEXT}`, 'latin1');
    expect(restored(middle).includes(SENT)).toBe(true);
    expect(restored(middle, [22, 40]).includes(SENT)).toBe(true);
  });

  it('with a backslash in a name is none that somebody wrote down', () => {
    const named = Buffer.from(TEXT.replace(/^\/[^\r]*/, '/ISk5\\n2MT\\r\\nX'), 'latin1');
    expect(restored(named)).toEqual(named);
  });

  it('that somebody wrote down in quotes, with the name as it is and an octet by its number, is read', () => {
    const written = `"${TEXT.replace('_A', '\\x5fA').replace('(50217)', '(5\\u0030217)').replaceAll('\r\n', '\\r\\n')}"\n`;
    expect(written).toContain('\\253');
    expect(restored(Buffer.from(written)).toString()).toBe(`"${TEXT}"\n`);
  });

  it.each(Object.entries(RECORDINGS))('is turned back into what the port sent: %s', (_, bytes) => {
    expect(restored(bytes)).toEqual(SENT);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 6 }), (sizes) => {
        expect(restored(bytes, sizes)).toEqual(SENT);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });
});

describe('what is no P1', () => {
  const nameOf = (bytes: Uint8Array): string | null => {
    const watch = new ForeignWatch();
    for (const byte of bytes) watch.feed(Uint8Array.of(byte));
    return watch.name;
  };

  it('is not found in telegrams, nor in nothing', () => {
    expect(nameOf(SENT)).toBeNull();
    expect(nameOf(Buffer.alloc(0))).toBeNull();
    expect(nameOf(Buffer.alloc(5000, 0x7e))).toBeNull();
  });

  it('is called by its name', () => {
    const hdlc = Buffer.concat([Buffer.from('7ea010', 'hex'), Buffer.alloc(14, 1), Buffer.from('7e', 'hex')]);
    expect(nameOf(hdlc)).toContain('HDLC');
    expect(nameOf(Buffer.from('00ff68fafa6853ff000167db08', 'hex'))).toContain('M-Bus');
    expect(nameOf(Buffer.from('1b1b1b1b01010101760500', 'hex'))).toContain('SML');
  });
});
