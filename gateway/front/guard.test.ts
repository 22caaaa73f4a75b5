import { PassThrough } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameGuard, guardStream } from './guard.ts';
import { bytes, connect, DISCONNECT, PINGREQ, packet, publish } from './testing/wire.ts';

const LIMITS = { packetBytesMax: 1_000, connectBytesMax: 100 };
const HELLO = connect({ clientId: '0123456789abcdef' });

const inspect = (...chunks: Uint8Array[]) => {
  const guard = new FrameGuard(LIMITS);
  for (const chunk of chunks) {
    const refusal = guard.inspect(chunk);
    if (refusal !== undefined) return refusal;
  }
  return undefined;
};

describe('the frame guard', () => {
  it('refuses a length above the bound before any byte of the body, wherever the length is cut', () => {
    const announced = packet(0x32, Buffer.alloc(2_000)).subarray(0, 3);
    for (let cut = 0; cut <= announced.length; cut += 1)
      expect(inspect(HELLO, announced.subarray(0, cut), announced.subarray(cut))).toBe('oversize');
  });

  it('lets a packet of exactly the bound pass, and not one byte more', () => {
    expect(inspect(HELLO, packet(0x32, Buffer.alloc(1_000)))).toBeUndefined();
    expect(inspect(HELLO, packet(0x32, Buffer.alloc(1_001)))).toBe('oversize');
  });

  it('says of any valid stream the same however it is cut, and lets it pass', () => {
    const piece = fc.constantFrom(
      PINGREQ,
      DISCONNECT,
      packet(0x40, bytes(0, 1)),
      publish({ topic: 't/x', payload: Buffer.alloc(300) }),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 20 }),
        fc.array(fc.nat(4_000), { maxLength: 30 }),
        (pieces, cuts) => {
          const stream = Buffer.concat([HELLO, ...pieces]);
          const at = [
            0,
            ...cuts.map((cut) => Math.min(cut, stream.length)).sort((a, b) => a - b),
            stream.length,
          ];
          expect(inspect(...at.slice(1).map((end, n) => stream.subarray(at[n], end)))).toBeUndefined();
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });

  it('says of any bytes the same however they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(300), (tail, cut) => {
        const stream = Buffer.concat([HELLO, tail]);
        expect(inspect(stream.subarray(0, cut), stream.subarray(cut))).toBe(inspect(stream));
      }),
      { seed: 7, numRuns: 500 },
    );
  });
});

describe('a guarded stream', () => {
  it('passes on nothing from the refused chunk on, and refuses once', () => {
    const stream = new PassThrough();
    const refusals: string[] = [];
    guardStream(stream, {
      frames: new FrameGuard(LIMITS),
      unreadBytesMax: 1_000,
      refuse: (reason) => refusals.push(reason),
      slow: () => refusals.push('slow'),
    });
    expect(stream.push(HELLO)).toBe(true);
    stream.push(bytes(0x00));
    stream.push(bytes(0x00));
    expect(refusals).toEqual(['malformed']);
    expect(stream.read()).toEqual(HELLO);
    expect(stream.read()).toBeNull();
  });

  it('passes on nothing to a reader whose answers pile up unread', () => {
    const stream = new PassThrough({ writableHighWaterMark: 10_000 });
    const ends: string[] = [];
    stream.cork();
    stream.write(Buffer.alloc(1_001));
    guardStream(stream, {
      frames: new FrameGuard(LIMITS),
      unreadBytesMax: 1_000,
      refuse: (reason) => ends.push(reason),
      slow: () => ends.push('slow'),
    });
    expect(stream.push(HELLO)).toBe(false);
    expect(ends).toEqual(['slow']);
    expect(stream.read()).toBeNull();
  });
});
