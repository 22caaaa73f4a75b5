import { describe, expect, it } from 'vitest';
import * as example from './example.ts';
import { bare, sealed } from './example.ts';
import { Framer, HEADER_BYTES_MAX, TELEGRAM_BYTES_MAX } from './framer.ts';
import { P1Reader, readTelegrams } from './reader.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const FULL = sealed(example.EMUCS_1_7_1);
const SERIAL = '1SAG1105511887';

/** Feed in blocks of one size and end the stream; frames as text, `overlong` where one was dropped. */
function framesOf(text: string, blockBytes = text.length): string[] {
  const frames: string[] = [];
  const framer = new Framer({
    frame: (frame) => frames.push(frame.toString('latin1')),
    overlong: () => frames.push('overlong'),
  });
  const all = bytes(text);
  for (let at = 0; at < all.length; at += blockBytes) framer.feed(all.subarray(at, at + blockBytes));
  framer.flush();
  return frames;
}

/** What is read of a text: serial numbers of telegrams and names of faults, in their order. */
function read(text: string): string[] {
  const events: string[] = [];
  const reader = new P1Reader({
    telegram: ({ serial }) => events.push(serial ?? 'none'),
    fault: (fault) => events.push(fault),
  });
  reader.feed(bytes(text));
  reader.flush();
  return events;
}

describe('a telegram that was cut, and then a full one', () => {
  it('loses the cut one and reads the full one, wherever the cut was', () => {
    for (let cut = 1; cut < FULL.length - 6; cut += 1) {
      const events = read(FULL.slice(0, cut) + FULL);
      expect(events.at(-1), `cut at ${cut}`).toBe(SERIAL);
      expect(
        events.filter((event) => event === SERIAL),
        `cut at ${cut}`,
      ).toHaveLength(1);
    }
  });

  it('reads the full one and calls the other one cut, in a line, at its end, and in the CRC', () => {
    const line = FULL.indexOf('1-0:1.8.2');
    expect(read(FULL.slice(0, line + 14) + FULL)).toEqual(['cut', SERIAL]);
    expect(read(FULL.slice(0, line) + FULL)).toEqual(['cut', SERIAL]);
    expect(read(FULL.slice(0, -4) + FULL)).toEqual(['crc-invalid', SERIAL]);
  });

  it('reads the full one that follows the end of another that began before the cable was plugged in', () => {
    for (let cut = 1; cut < FULL.length; cut += 13) expect(read(FULL.slice(cut) + FULL)).toEqual([SERIAL]);
  });

  it('calls a stream that ends in the middle cut, and forgets it', () => {
    expect(read(FULL + FULL.slice(0, 500))).toEqual([SERIAL, 'cut']);
    const events: string[] = [];
    const reader = new P1Reader({
      telegram: () => events.push('telegram'),
      fault: (fault) => events.push(fault),
    });
    reader.feed(bytes(FULL.slice(0, 500)));
    reader.flush();
    reader.feed(bytes(FULL.slice(500)));
    reader.flush();
    expect(events).toEqual(['cut']);
  });
});

describe('a slash', () => {
  const withText = (text: string): string =>
    sealed([...example.EMUCS_1_7_1.slice(0, -1), `0-0:96.13.2(${text})`]);

  it('in a message begins no telegram, not even where it looks like a first line', () => {
    for (const text of ['a/b', '/', '///', '/FLU5\\253770234_A', 'see http://www.example.be/ABC5 now'])
      expect(read(withText(text))).toEqual([SERIAL]);
  });

  it('in a message that was cut gives way to the telegram that begins there', () => {
    const text = withText('go to /ABC5 and');
    const cut = text.indexOf(' and');
    expect(read(text.slice(0, cut) + FULL)).toEqual(['cut', SERIAL]);
  });

  it('in front of a first line is noise', () => {
    expect(read(`//${FULL}`)).toEqual([SERIAL]);
    expect(read(`/FLU5\\2/FL${FULL}`)).toEqual([SERIAL]);
    expect(read(`/(x)\r\n/\r\n/ab\r\n${FULL}`)).toEqual([SERIAL]);
  });
});

describe('noise', () => {
  it('before, between and behind telegrams is counted and nothing else', () => {
    const reader = new P1Reader({ telegram: () => undefined });
    reader.feed(bytes(`\x00\xff\xfegarbage\r\n${FULL}\x00\r\n??${FULL}  25803103\r\n\xff\xff`));
    reader.flush();
    expect(reader.telegrams).toBe(2);
    expect(reader.faults).toEqual({});
    expect(reader.noiseBytes).toBe('\xff\xfegarbage??25803103\xff\xff'.length);
  });

  it('without any line end is not kept', () => {
    const framer = new Framer({ frame: () => undefined, overlong: () => undefined });
    for (let count = 0; count < 100; count += 1) framer.feed(Buffer.alloc(10_000, '/'));
    expect(framer.heldBytes).toBeLessThanOrEqual(HEADER_BYTES_MAX + 1);
  });

  it('that looks like a telegram without an end is dropped at the bound, and the next one is read', () => {
    const endless = `/ABC5\r\n${'1-0:1.8.0(000001.000*kWh)\r\n'.repeat(1000)}`;
    const events = read(endless + FULL);
    expect(events).toEqual(['overlong', SERIAL]);
    const oneLine = `/ABC5\r\n${'x'.repeat(3 * TELEGRAM_BYTES_MAX)}\r\n`;
    expect(read(oneLine + FULL)).toEqual(['overlong', SERIAL]);
  });

  it('never makes it hold more than one telegram', () => {
    const framer = new Framer({ frame: () => undefined, overlong: () => undefined });
    framer.feed(bytes('/ABC5\r\n'));
    let most = 0;
    for (let count = 0; count < 5 * TELEGRAM_BYTES_MAX; count += 1) {
      framer.feed(Buffer.from('x'));
      most = Math.max(most, framer.heldBytes);
    }
    expect(most).toBeLessThanOrEqual(TELEGRAM_BYTES_MAX);
  });
});

describe('the end of a telegram', () => {
  it('may be missing, as an Iskra leaves it: the next first line ends it', () => {
    const iskra = `${example.ISKRA.join('\r\n')}\r\n`;
    expect(read(iskra + iskra + iskra)).toEqual(Array(3).fill('ISK0102030405'));
    expect(read(iskra + FULL)).toEqual(['ISK0102030405', SERIAL]);
    expect(read(iskra.trimEnd() + iskra)).toEqual(['ISK0102030405', 'ISK0102030405']);
  });

  it('may have no line end behind it, at the end of a file or before the next', () => {
    const bareEnd = FULL.trimEnd();
    expect(read(bareEnd)).toEqual([SERIAL]);
    expect(read(bareEnd + bareEnd)).toEqual([SERIAL, SERIAL]);
  });

  it('may have a short or a lower-case CRC, or none', () => {
    expect(framesOf('/ABC5\r\nx\r\n!b9f\r\n/ABC5\r\ny\r\n!\r\n/ABC5\r\nz\r\n!12345\r\n')).toEqual([
      '/ABC5\r\nx\r\n!b9f',
      '/ABC5\r\ny\r\n!',
      '/ABC5\r\nz\r\n!1234',
    ]);
  });

  it('is no exclamation mark within a line', () => {
    expect(read(sealed([...example.EMUCS_1_7_1, '0-0:96.13.3(Attention!)']))).toEqual([SERIAL]);
  });

  it('is found with bare line feeds, without the blank second line, and across dialects', () => {
    const stream = [
      FULL.replaceAll('\r\n', '\n'),
      sealed(example.EMUCS_2_1_1),
      bare(example.DSMR_2_2),
      sealed(example.HEAT),
      bare(example.EASYMETER),
    ].join('');
    expect(read(stream)).toEqual([
      SERIAL,
      '1SAG3100099001',
      'KA6U001511209910',
      'ADC3100000990011',
      '1ESY1336009999',
    ]);
  });
});

describe('blocks', () => {
  it('may end anywhere, in the middle of a first line too', () => {
    const stream = `noise${FULL.slice(0, 321)}${FULL}`;
    const whole = framesOf(stream);
    for (let split = 1; split < stream.length; split += 1) {
      const frames: string[] = [];
      const framer = new Framer({
        frame: (frame) => frames.push(frame.toString('latin1')),
        overlong: () => frames.push('overlong'),
      });
      framer.feed(bytes(stream.slice(0, split)));
      framer.feed(bytes(stream.slice(split)));
      framer.flush();
      expect(frames, `split at ${split}`).toEqual(whole);
    }
  });

  it('of any size give the same frames as the whole', () => {
    const stream =
      `noise/x\r\n${FULL}${FULL.slice(0, 321)}${FULL}${example.ISKRA.join('\r\n')}\r\n` +
      `/ABC5\r\n${'y'.repeat(TELEGRAM_BYTES_MAX)}${sealed(example.EMUCS_2_1_1)}\x00!\r\n${bare(example.DSMR_2_2)}`;
    const whole = framesOf(stream);
    expect(whole).toHaveLength(7);
    for (const size of [1, 2, 3, 7, 64, 1000, 4095, 4096, 4097, 20_000])
      expect(framesOf(stream, size)).toEqual(whole);
  });
});

describe('a recording', () => {
  it('gives its telegrams and its faults', () => {
    const { telegrams, faults } = readTelegrams(bytes(`${FULL}${FULL.replace('000812', '000813')}${FULL}`));
    expect(telegrams).toHaveLength(2);
    expect(faults).toEqual(['crc-invalid']);
  });
});
