import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isHesError } from '../../../protocol/errors.ts';
import { seededRandom } from '../../runtime/random.ts';
import { decodeFrame, FRAME_TYPE, type Frame, FrameReader, REQUEST_HEAD_BYTES } from './frame.ts';

const SEED = 20_260_328;
const FRAME_BYTES_MAX = 4_096 + REQUEST_HEAD_BYTES;

function framed(...bodies: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    bodies.flatMap((body) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(body.length);
      return [length, body];
    }),
  );
}

function requestBytes(id: number, body: Uint8Array): Buffer {
  const head = Buffer.alloc(REQUEST_HEAD_BYTES);
  head[0] = FRAME_TYPE.request;
  head.writeUInt32BE(id, 1);
  head.writeUInt32BE(1_000, 5);
  head[9] = 0;
  head.write('00112233aabbccdd', 10, 'latin1');
  return Buffer.concat([head, body]);
}

/** What a reader makes of bytes that arrive in these pieces. */
function read(pieces: readonly Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const reader = new FrameReader(FRAME_BYTES_MAX, (frame) => frames.push(frame));
  for (const piece of pieces) reader.push(piece);
  return frames;
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, i) => bytes.subarray(at[i], end));
}

describe('frames', () => {
  it.each([
    ['of no bytes', framed(new Uint8Array(0))],
    ['longer than allowed', Buffer.from([0, 1, 0, 0, FRAME_TYPE.answer])],
    ['of four gibibytes', Buffer.from([255, 255, 255, 255])],
    ['of an unknown type', framed(Buffer.from([77, 1]))],
    ['of type zero', framed(Buffer.from([0]))],
    ['of a subject that is not in the table', framed(Buffer.from([FRAME_TYPE.serve, 200]))],
    ['of a failure that is not in the table', framed(Buffer.from([FRAME_TYPE.failed, 0, 0, 0, 1, 200]))],
    ['with bytes left over', framed(Buffer.from([FRAME_TYPE.served, 0, 0]))],
    ['too short for a request', framed(requestBytes(1, Buffer.alloc(0)).subarray(0, 20))],
    ['too short for an answer', framed(Buffer.from([FRAME_TYPE.answer, 0, 0]))],
    ['with a tenant that is none', framed(Buffer.from([FRAME_TYPE.hello, 1, 46, 46, 47]))],
    [
      'with a device that is none',
      framed(
        Buffer.from(requestBytes(1, Buffer.alloc(3)).toString('latin1').replace('aabb', 'AABB'), 'latin1'),
      ),
    ],
  ])('%s are refused', (_what, bytes) => {
    expect(() => read([bytes])).toThrow(expect.objectContaining({ code: 'ERR_BUS_FRAME' }));
    expect(() => read(cut(bytes, [1, 2, 3, 4, 5]))).toThrow(
      expect.objectContaining({ code: 'ERR_BUS_FRAME' }),
    );
  });

  it('refuses a length as soon as it is there, before any memory is taken for it', () => {
    const reader = new FrameReader(FRAME_BYTES_MAX, () => undefined);
    reader.push(Buffer.from([0x7f, 0xff]));
    expect(() => reader.push(Buffer.from([0xff, 0xff]))).toThrow();
  });

  it('come out the same however the stream is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 4_096 }), { minLength: 1, maxLength: 12 }),
        fc.array(fc.nat({ max: 60_000 }), { maxLength: 40 }),
        (bodies, places) => {
          const bytes = framed(...bodies.map((body, id) => requestBytes(id, body)));
          const frames = read(cut(bytes, places));
          expect(frames).toHaveLength(bodies.length);
          frames.forEach((frame, id) => {
            expect(frame).toMatchObject({ type: 'request', id, deadlineMs: 1_000, subject: 'up.index' });
            if (frame.type === 'request') expect(Buffer.compare(frame.body, bodies[id]!)).toBe(0);
          });
        },
      ),
      { seed: SEED, numRuns: 200 },
    );
  });

  it('come out the same when they come byte by byte', () => {
    const bodies = [0, 1, 300].map((bytes) => new Uint8Array(bytes).fill(bytes));
    const bytes = framed(...bodies.map((body, id) => requestBytes(id, body)));
    expect(read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(read([bytes]));
  });

  it('do not copy a body that arrived whole', () => {
    const bytes = framed(requestBytes(1, Buffer.from('body')));
    const [frame] = read([bytes]);
    expect(frame).toMatchObject({ type: 'request' });
    if (frame?.type === 'request') expect(frame.body.buffer).toBe(bytes.buffer);
  });

  it('of random bytes are refused as frames and never otherwise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeFrame(Buffer.from(bytes), 0, bytes.length);
        } catch (error) {
          expect(isHesError(error, 'ERR_BUS_FRAME')).toBe(true);
        }
      }),
      { seed: SEED, numRuns: 5_000 },
    );
  });

  it('of good streams with flipped bits are read or refused, within their bounds', () => {
    const random = seededRandom(SEED);
    for (let run = 0; run < 2_000; run++) {
      const bytes = framed(...Array.from({ length: 4 }, (_, id) => requestBytes(id, Buffer.alloc(40, run))));
      for (let flip = 0; flip < 3; flip++)
        bytes[Math.floor(random() * bytes.length)]! ^= 1 << Math.floor(random() * 8);
      try {
        for (const frame of read([bytes]))
          if (frame.type === 'request') expect(frame.body.length).toBeLessThanOrEqual(FRAME_BYTES_MAX);
      } catch (error) {
        expect(isHesError(error, 'ERR_BUS_FRAME'), `seed ${SEED}, run ${run}`).toBe(true);
      }
    }
  });
});
