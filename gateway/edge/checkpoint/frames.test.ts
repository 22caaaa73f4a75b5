import { createSecretKey } from 'node:crypto';
import { expect, test } from 'vitest';
import type { DeviceId } from '../../../protocol/identity.ts';
import { FrameSealer, HEAD_BYTES, openFrames } from './frames.ts';

const DEVICE = '00112233445566ff' as DeviceId;
const SECRET = createSecretKey(Buffer.alloc(32, 7));
const PLAIN = ['the first frame', 'the second one', 'a third', 'and the last'];

/** A file of four frames, and where each of them ends. */
function fileOf(sealer = new FrameSealer(SECRET, DEVICE)) {
  const frames = PLAIN.map((plain) => sealer.seal(plain));
  const ends: number[] = [];
  for (const frame of frames) ends.push((ends.at(-1) ?? HEAD_BYTES) + frame.length);
  return { bytes: Buffer.concat([sealer.head, ...frames]), frames, ends, head: sealer.head };
}

test('a file that was cut anywhere gives its whole frames and nothing else', () => {
  const { bytes, ends } = fileOf();
  for (let cut = 0; cut <= bytes.length; cut++) {
    const whole = ends.filter((end) => end <= cut).length;
    const opened = openFrames(SECRET, DEVICE, bytes.subarray(0, cut));
    expect(opened?.frames).toEqual(whole === 0 ? undefined : PLAIN.slice(0, whole));
    if (opened !== undefined) expect(opened.tornBytes).toBe(cut - ends[whole - 1]!);
  }
});

test('a flipped bit ends the file before the frame that it is in, and in the head there is no file', () => {
  const { bytes, ends } = fileOf();
  for (let offset = 0; offset < bytes.length; offset++) {
    const damaged = Buffer.from(bytes);
    damaged[offset]! ^= 1 << (offset % 8);
    const whole = offset < HEAD_BYTES ? 0 : ends.filter((end) => end <= offset).length;
    expect(openFrames(SECRET, DEVICE, damaged)?.frames).toEqual(
      whole === 0 ? undefined : PLAIN.slice(0, whole),
    );
  }
});

test('frames that are left out, moved, doubled or of another file do not open', () => {
  const { head, frames } = fileOf();
  const other = fileOf();
  const first = [PLAIN[0]];
  const open = (...parts: Buffer[]) => openFrames(SECRET, DEVICE, Buffer.concat(parts))?.frames;
  expect(open(head, frames[0]!, frames[2]!)).toEqual(first);
  expect(open(head, frames[0]!, frames[0]!)).toEqual(first);
  expect(open(head, frames[1]!)).toBeUndefined();
  expect(open(head, frames[0]!, other.frames[1]!)).toEqual(first);
  expect(open(other.head, ...frames)).toBeUndefined();
});

test('neither another device nor another key opens it', () => {
  const { bytes } = fileOf();
  expect(openFrames(SECRET, '0011223344556600' as DeviceId, bytes)).toBeUndefined();
  expect(openFrames(createSecretKey(Buffer.alloc(32, 8)), DEVICE, bytes)).toBeUndefined();
});
