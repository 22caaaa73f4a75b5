import type { Socket } from 'node:net';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { BUS_FAILURES, type BusFailure } from '../errors.ts';
import { BUS_SUBJECTS, type BusSubject } from '../port.ts';
import { BatchWriter } from './batch.ts';
import {
  ANSWER_HEAD_BYTES,
  BUS_VERSION,
  DEADLINE_MS_MAX,
  FRAME_TYPE,
  type Frame,
  FrameReader,
  REFUSALS,
  REQUEST_HEAD_BYTES,
  type Refusal,
  type SubjectFrameType,
} from './frame.ts';
import type { HandledRequest } from './handlers.ts';
import type { LocalBusLimits } from './limits.ts';
import type { Outcome } from './pending.ts';

/** A peer that was asked to go gets this long before it is cut off. */
const END_WITHIN_MS = 1_000;

/** Why a link ended, as a word for logs and counters. */
export type LinkEnd = 'ended' | 'malformed' | 'unexpected' | 'slow' | 'error' | 'handshake';

export type FrameOf<T extends Frame['type']> = Extract<Frame, { type: T }>;

/** What one side takes from the other. A frame type without a handler ends the link. */
export type FrameHandlers = { readonly [T in Frame['type']]?: (frame: FrameOf<T>) => void };

/** One connection between hub and peer, alike on both ends: frames in, frames out, bounded both ways. */
export class Link {
  /** Requests that the other side has and has not answered, those included that nobody waits for any longer. */
  outstanding = 0;

  readonly #socket: Socket;
  readonly #writer: BatchWriter;
  readonly #limits: LocalBusLimits;
  #end: LinkEnd | undefined;

  constructor(
    socket: Socket,
    limits: LocalBusLimits,
    handlers: FrameHandlers,
    onEnd: (end: LinkEnd, error: Error | undefined) => void,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#writer = new BatchWriter(socket);
    const reader = new FrameReader(limits.bodyBytesMax + REQUEST_HEAD_BYTES, (frame) => {
      if (this.#end !== undefined) return;
      const handler = handlers[frame.type] as ((frame: Frame) => void) | undefined;
      if (handler === undefined) this.cut('unexpected');
      else handler(frame);
    });
    let failure: Error | undefined;
    socket.on('data', (chunk: Buffer) => {
      try {
        reader.push(chunk);
      } catch (error) {
        failure = error as Error;
        this.cut('malformed');
      }
    });
    socket.on('error', (error) => {
      failure = error;
      this.#end ??= 'error';
    });
    socket.on('close', () => {
      this.#end ??= 'ended';
      this.#writer.drop();
      onEnd(this.#end, failure);
    });
  }

  /** May a request be put to the other side: is it there, and does it read? */
  get available(): boolean {
    return this.#open && this.#writer.queuedBytes < this.#limits.writeBufferBytesMax;
  }

  hello(tenant: TenantId): void {
    if (!this.#open) return;
    this.#writer.begin(FRAME_TYPE.hello, 2 + tenant.length);
    this.#writer.u8(BUS_VERSION);
    this.#writer.ascii(tenant);
    this.#writer.end();
  }

  welcome(): void {
    this.#code(FRAME_TYPE.welcome, BUS_VERSION);
  }

  /** Say why, and close. */
  refuse(reason: Refusal): void {
    this.#code(FRAME_TYPE.refused, REFUSALS.indexOf(reason));
    this.end();
  }

  subject(type: SubjectFrameType, subject: BusSubject): void {
    this.#code(FRAME_TYPE[type], BUS_SUBJECTS.indexOf(subject));
  }

  request(id: number, { subject, device, body }: HandledRequest, deadlineMs: number): void {
    if (!this.#open) return;
    const writer = this.#writer;
    writer.begin(FRAME_TYPE.request, REQUEST_HEAD_BYTES, body.length);
    writer.u32(id);
    writer.u32(Math.min(Math.ceil(deadlineMs), DEADLINE_MS_MAX));
    writer.u8(BUS_SUBJECTS.indexOf(subject));
    writer.ascii(device satisfies DeviceId);
    writer.end(body);
  }

  outcome(id: number, outcome: Outcome): void {
    if (!this.#open) return;
    // Answers cannot be refused like requests: a side that asks and does not read what it asked for is cut off.
    if (this.#writer.queuedBytes >= this.#limits.writeBufferBytesMax) this.cut('slow');
    else if (typeof outcome === 'string') this.#failed(id, outcome);
    else {
      this.#writer.begin(FRAME_TYPE.answer, ANSWER_HEAD_BYTES, outcome.length);
      this.#writer.u32(id);
      this.#writer.end(outcome);
    }
  }

  /** Let what is queued leave, then close; resolves when closed. */
  end(): Promise<void> {
    if (this.#socket.closed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#socket.destroy(), END_WITHIN_MS);
      this.#socket.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      if (this.#end === undefined) {
        this.#end = 'ended';
        this.#writer.flush();
        this.#socket.end();
      }
    });
  }

  /** Close at once; what was queued is lost. */
  cut(why: LinkEnd): void {
    this.#end ??= why;
    this.#socket.destroy();
  }

  get #open(): boolean {
    return this.#end === undefined && this.#socket.writable;
  }

  #code(type: number, code: number): void {
    if (!this.#open) return;
    if (!this.available) {
      this.cut('slow');
      return;
    }
    this.#writer.begin(type, 2);
    this.#writer.u8(code);
    this.#writer.end();
  }

  #failed(id: number, failure: BusFailure): void {
    this.#writer.begin(FRAME_TYPE.failed, ANSWER_HEAD_BYTES + 1);
    this.#writer.u32(id);
    this.#writer.u8(BUS_FAILURES.indexOf(failure));
    this.#writer.end();
  }
}
