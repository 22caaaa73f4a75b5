import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import { CONNACK, hex, packetOf, publishOf } from '../testing/hostile.ts';
import { INBOUND_BYTES_MAX, InboundGuard } from './inbound.ts';

const protocol = expect.objectContaining({ code: 'ERR_UPLINK_PROTOCOL' });

/** What the guard says of a stream that comes in these pieces: the index of the piece that it refuses, or -1. */
function refusedAt(pieces: readonly Uint8Array[]): number {
  const guard = new InboundGuard();
  return pieces.findIndex((piece) => {
    try {
      guard.inspect(piece);
      return false;
    } catch (error) {
      expect(isHesError(error, 'ERR_UPLINK_PROTOCOL')).toBe(true);
      return true;
    }
  });
}

const bytesOf = (stream: Uint8Array): Uint8Array[] => Array.from(stream, (byte) => Uint8Array.of(byte));

describe('the guard', () => {
  test('refuses a packet beyond the bound with the byte that tells, before any of it came', () => {
    const head = packetOf(0x30, INBOUND_BYTES_MAX + 1);
    const stream = Buffer.concat([hex(CONNACK), head]);
    expect(refusedAt(bytesOf(stream))).toBe(stream.length - 1);
    const largest = packetOf(0x30, 0xfff_ffff);
    // Four bytes of length: the third says enough.
    expect(refusedAt(bytesOf(Buffer.concat([hex(CONNACK), largest])))).toBe(4 + 3);
  });

  test('lets the largest packet pass, and whatever follows it', () => {
    const guard = new InboundGuard();
    guard.inspect(hex(CONNACK));
    guard.inspect(packetOf(0x30, Buffer.alloc(INBOUND_BYTES_MAX)));
    guard.inspect(hex('40 02 0001 d0 00'));
    expect(() => guard.inspect(hex('20'))).toThrow(protocol);
  });

  test('says the same of a stream however it is cut', () => {
    const good = Buffer.concat([
      hex(CONNACK),
      publishOf('t/ores/x/down/receipt', new Uint8Array(400).fill(0xff)),
      hex('40 02 0001'),
      packetOf(0x32, Buffer.alloc(200)),
      hex('d0 00'),
    ]);
    expect(refusedAt(bytesOf(good))).toBe(-1);
    const bad = Buffer.concat([good, hex('34')]);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: bad.length }), { maxLength: 8 }), (cuts) => {
        const places = [0, ...cuts.toSorted((a, b) => a - b), bad.length];
        const pieces = places.slice(1).map((end, index) => bad.subarray(places[index], end));
        const last = pieces.findLastIndex((piece) => piece.length > 0);
        expect(refusedAt(pieces)).toBe(last);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test('takes random bytes for packets or refuses them, and nothing else', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (blocks) => {
        refusedAt([hex(CONNACK), ...blocks]);
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});
