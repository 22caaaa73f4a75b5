import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import {
  DISCONNECT,
  encodeConnect,
  encodePuback,
  encodePublish,
  INBOUND_BYTES_MAX,
  PacketReader,
} from './packets.ts';

type Seen = readonly [string, ...unknown[]];

function reader(): { reader: PacketReader; seen: Seen[] } {
  const seen: Seen[] = [];
  return {
    seen,
    reader: new PacketReader({
      connack: (code) => seen.push(['connack', code]),
      puback: (id) => seen.push(['puback', id]),
      message: (topic, payload, id) =>
        seen.push(['message', topic, Buffer.from(payload).toString('hex'), id]),
    }),
  };
}

const protocol = expect.objectContaining({ code: 'ERR_UPLINK_PROTOCOL' });
const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('what a head-end must not send', () => {
  test.each([
    ['a CONNECT', '10 00'],
    ['a SUBACK, since nothing was subscribed', '90 03 0001 00'],
    ['a PINGRESP, since nothing was pinged', 'd0 00'],
    ['a CONNACK of another length', '20 03 000000'],
    ['a PUBACK of another length', '40 01 00'],
    ['a PUBLISH with QoS 2', '34 05 0001 61 0001'],
    ['a PUBLISH with QoS 3', '36 05 0001 61 0001'],
    ['a PUBLISH whose topic is longer than itself', '30 03 0005 61'],
    ['a PUBLISH without a topic', '30 01 00'],
    ['a PUBLISH that ends in its message id', '32 04 0001 61 00'],
    ['a length of five bytes', '30 ffffffff7f'],
  ])('is %s', (_name, bytes) => {
    expect(() => reader().reader.feed(hex(bytes))).toThrow(protocol);
  });

  test('is a packet beyond the bound, refused before it is held', () => {
    const length = INBOUND_BYTES_MAX + 1;
    const head = Buffer.from([0x30, (length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14]);
    expect(() => reader().reader.feed(head)).toThrow(protocol);
  });

  test('is anything that breaks the reader: random bytes give packets or our error', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (blocks) => {
        const { reader: packets } = reader();
        try {
          for (const block of blocks) packets.feed(Buffer.from(block));
        } catch (error) {
          expect(isHesError(error, 'ERR_UPLINK_PROTOCOL')).toBe(true);
        }
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});

describe('packets', () => {
  test('are those of MQTT 3.1.1, byte for byte', () => {
    expect(encodeConnect('00112233445566ff', 600).toString('hex')).toBe(
      `101c00044d515454040202580010${Buffer.from('00112233445566ff').toString('hex')}`,
    );
    expect(encodePublish('a/b', 10, hex('cafe')).toString('hex')).toBe('32090003612f62000acafe');
    expect(encodePuback(258).toString('hex')).toBe('40020102');
    expect(DISCONNECT.toString('hex')).toBe('e000');
    expect(encodePublish('t', 1, new Uint8Array(300)).subarray(0, 3).toString('hex')).toBe('32b102');
  });

  test('are read the same however they are cut', () => {
    const stream = Buffer.concat([
      hex('20 02 0000'),
      hex('30 06 0003 612f62 01'),
      encodePublish('t/ores/x/down/receipt', 77, new Uint8Array(400).fill(5)),
      hex('40 02 0001'),
    ]);
    const whole = reader();
    whole.reader.feed(stream);
    expect(whole.seen.map(([kind]) => kind)).toEqual(['connack', 'message', 'message', 'puback']);
    expect(whole.seen[1]).toEqual(['message', 'a/b', '01', null]);
    expect(whole.seen[2]![3]).toBe(77);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 8 }), (cuts) => {
        const { reader: packets, seen } = reader();
        const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
        for (let index = 1; index < places.length; index++)
          packets.feed(stream.subarray(places[index - 1], places[index]));
        expect(seen).toEqual(whole.seen);
      }),
      { seed: 7, numRuns: 200 },
    );
    const single = reader();
    for (const byte of stream) single.reader.feed(Buffer.from([byte]));
    expect(single.seen).toEqual(whole.seen);
  });
});
