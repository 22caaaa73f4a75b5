import { type DeviceId, isDeviceId, isTenantId, type TenantId } from '../../../protocol/identity.ts';
import { BUS_FAILURES, type BusFailure, busError } from '../errors.ts';
import { BUS_SUBJECTS, type BusSubject } from '../port.ts';

/**
 * The frames of the local bus. Each is a length (32 bits, big-endian, of what follows it), a type byte and:
 *
 * | type | direction | content |
 * |---|---|---|
 * | hello | peer → hub | version (8), tenant (ASCII) |
 * | welcome | hub → peer | version (8) |
 * | refused | hub → peer | reason (8); then the hub closes |
 * | serve, unserve | peer → hub | subject (8) |
 * | served, unserved | hub → peer | subject (8): from here on requests may, or can no longer, arrive |
 * | request | both | id (32), deadline in ms (32), subject (8), device (16 ASCII), body |
 * | answer | both | id (32), body |
 * | failed | both | id (32), failure (8) |
 */
export const FRAME_TYPE = {
  hello: 1,
  welcome: 2,
  refused: 3,
  serve: 4,
  served: 5,
  unserve: 6,
  unserved: 7,
  request: 8,
  answer: 9,
  failed: 10,
} as const;

export const BUS_VERSION = 1;

/** Why a hub refuses a peer; the order is the code on the wire. */
export const REFUSALS = ['version', 'tenant', 'connections'] as const;
export type Refusal = (typeof REFUSALS)[number];

export type SubjectFrameType = 'serve' | 'served' | 'unserve' | 'unserved';

export type RequestFrame = {
  readonly type: 'request';
  readonly id: number;
  readonly deadlineMs: number;
  readonly subject: BusSubject;
  readonly device: DeviceId;
  readonly body: Uint8Array;
};

export type Frame =
  | { readonly type: 'hello'; readonly version: number; readonly tenant: TenantId }
  | { readonly type: 'welcome'; readonly version: number }
  | { readonly type: 'refused'; readonly reason: Refusal }
  | { readonly type: SubjectFrameType; readonly subject: BusSubject }
  | RequestFrame
  | { readonly type: 'answer'; readonly id: number; readonly body: Uint8Array }
  | { readonly type: 'failed'; readonly id: number; readonly failure: BusFailure };

export const LENGTH_BYTES = 4;
const DEVICE_BYTES = 16;

/** Bytes before the body, without the length. */
export const REQUEST_HEAD_BYTES = 1 + 4 + 4 + 1 + DEVICE_BYTES;
export const ANSWER_HEAD_BYTES = 1 + 4;

export const ID_MAX = 0xffff_ffff;

/** Longer deadlines are cut to this, 24 days: what a timer of Node can hold. */
export const DEADLINE_MS_MAX = 0x7fff_ffff;

type Decoder = (buffer: Buffer, start: number, end: number) => Frame;

const subjectDecoder =
  (type: SubjectFrameType): Decoder =>
  (buffer, start, end) => ({ type, subject: readSubject(buffer, exactly(start, end, 1)) });

/** By type byte. `start` is behind the type byte, `end` behind the last byte of the frame. */
const DECODERS: Readonly<Record<number, Decoder>> = {
  [FRAME_TYPE.hello]: (buffer, start, end) => {
    const tenant = buffer.toString('latin1', atLeast(start, end, 1) + 1, end);
    if (!isTenantId(tenant)) throw malformed('a hello without a tenant');
    return { type: 'hello', version: buffer[start]!, tenant };
  },
  [FRAME_TYPE.welcome]: (buffer, start, end) => ({
    type: 'welcome',
    version: buffer[exactly(start, end, 1)]!,
  }),
  [FRAME_TYPE.refused]: (buffer, start, end) => ({
    type: 'refused',
    reason: fromTable(REFUSALS, buffer[exactly(start, end, 1)]!),
  }),
  [FRAME_TYPE.serve]: subjectDecoder('serve'),
  [FRAME_TYPE.served]: subjectDecoder('served'),
  [FRAME_TYPE.unserve]: subjectDecoder('unserve'),
  [FRAME_TYPE.unserved]: subjectDecoder('unserved'),
  [FRAME_TYPE.request]: (buffer, start, end) => {
    const body = atLeast(start, end, REQUEST_HEAD_BYTES - 1) + REQUEST_HEAD_BYTES - 1;
    const device = buffer.toString('latin1', body - DEVICE_BYTES, body);
    if (!isDeviceId(device)) throw malformed('a request without a device');
    return {
      type: 'request',
      id: buffer.readUInt32BE(start),
      deadlineMs: buffer.readUInt32BE(start + 4),
      subject: readSubject(buffer, start + 8),
      device,
      body: view(buffer, body, end),
    };
  },
  [FRAME_TYPE.answer]: (buffer, start, end) => ({
    type: 'answer',
    id: buffer.readUInt32BE(atLeast(start, end, 4)),
    body: view(buffer, start + 4, end),
  }),
  [FRAME_TYPE.failed]: (buffer, start, end) => ({
    type: 'failed',
    id: buffer.readUInt32BE(exactly(start, end, 5)),
    failure: fromTable(BUS_FAILURES, buffer[start + 4]!),
  }),
};

/**
 * One frame, without its length. Bodies are views of the buffer, not copies.
 * @throws ERR_BUS_FRAME
 */
export function decodeFrame(buffer: Buffer, start: number, end: number): Frame {
  const decoder = start < end ? DECODERS[buffer[start]!] : undefined;
  if (decoder === undefined) throw malformed('an unknown frame type');
  return decoder(buffer, start + 1, end);
}

/**
 * Cuts a stream into frames. A frame that arrives whole in one chunk is not copied; one that spans chunks is copied
 * once, into a buffer of its own whose size is bounded by `frameBytesMax`.
 */
export class FrameReader {
  readonly #frameBytesMax: number;
  readonly #onFrame: (frame: Frame) => void;
  readonly #length = Buffer.allocUnsafe(LENGTH_BYTES);
  #lengthFilled = 0;
  #partial: Buffer | undefined;
  #partialFilled = 0;

  constructor(frameBytesMax: number, onFrame: (frame: Frame) => void) {
    this.#frameBytesMax = frameBytesMax;
    this.#onFrame = onFrame;
  }

  /** @throws ERR_BUS_FRAME; the stream is of no further use then */
  push(chunk: Buffer): void {
    let at = this.#continuePartial(chunk);
    while (at < chunk.length) {
      if (chunk.length - at < LENGTH_BYTES || this.#lengthFilled > 0) {
        at = this.#continueLength(chunk, at);
        at = this.#continuePartial(chunk, at);
        continue;
      }
      const start = at + LENGTH_BYTES;
      const end = start + this.#checkLength(chunk.readUInt32BE(at));
      if (end > chunk.length) {
        this.#partial = Buffer.allocUnsafeSlow(end - start);
        at = this.#continuePartial(chunk, start);
      } else {
        this.#onFrame(decodeFrame(chunk, start, end));
        at = end;
      }
    }
  }

  #continueLength(chunk: Buffer, from: number): number {
    const to = Math.min(chunk.length, from + LENGTH_BYTES - this.#lengthFilled);
    this.#lengthFilled += chunk.copy(this.#length, this.#lengthFilled, from, to);
    if (this.#lengthFilled === LENGTH_BYTES) {
      this.#lengthFilled = 0;
      this.#partial = Buffer.allocUnsafeSlow(this.#checkLength(this.#length.readUInt32BE(0)));
    }
    return to;
  }

  #continuePartial(chunk: Buffer, from = 0): number {
    const partial = this.#partial;
    if (partial === undefined) return from;
    const to = Math.min(chunk.length, from + partial.length - this.#partialFilled);
    this.#partialFilled += chunk.copy(partial, this.#partialFilled, from, to);
    if (this.#partialFilled < partial.length) return to;
    this.#partial = undefined;
    this.#partialFilled = 0;
    this.#onFrame(decodeFrame(partial, 0, partial.length));
    return to;
  }

  #checkLength(bytes: number): number {
    if (bytes === 0 || bytes > this.#frameBytesMax) throw malformed(`a frame of ${bytes} bytes`);
    return bytes;
  }
}

/** A plain Uint8Array: nobody behind the port may come to lean on Buffer's methods. */
function view(buffer: Buffer, start: number, end: number): Uint8Array {
  return new Uint8Array(buffer.buffer, buffer.byteOffset + start, end - start);
}

function readSubject(buffer: Buffer, at: number): BusSubject {
  return fromTable(BUS_SUBJECTS, buffer[at]!);
}

function fromTable<T>(table: readonly T[], index: number): T {
  const entry = table[index];
  if (entry === undefined) throw malformed('a code out of its table');
  return entry;
}

function exactly(start: number, end: number, bytes: number): number {
  if (end - start !== bytes) throw malformed('a frame of the wrong length for its type');
  return start;
}

function atLeast(start: number, end: number, bytes: number): number {
  if (end - start < bytes) throw malformed('a frame too short for its type');
  return start;
}

function malformed(what: string): Error {
  return busError('ERR_BUS_FRAME', `the other side sent ${what}`);
}
