import type { IncomingMessage } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { isHesError } from '../../../protocol/errors.ts';
import { readJson, readLines } from './body.ts';
import { inOrder } from './bulk.ts';
import { BODY_WITHIN_MS, LINE_BYTES_MAX, LINES_IDLE_MS } from './limits.ts';

/** A request whose body a test writes. */
function requestOf(type: string): IncomingMessage & PassThrough {
  const stream = new PassThrough() as unknown as IncomingMessage & PassThrough;
  stream.headers = { 'content-type': type };
  stream.on('error', () => undefined);
  return stream;
}
const schema = z.strictObject({ a: z.int() });
const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return isHesError(error) ? error.code : String(error);
  }
};

describe('a JSON body', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('that comes drop by drop ends as too slow, and its sender is still there to be told', async () => {
    const request = requestOf('application/json');
    const code = codeOf(readJson(request, schema, 1_000));
    for (let drop = 0; drop < 5; drop++) {
      request.write(' ');
      await vi.advanceTimersByTimeAsync(BODY_WITHIN_MS / 4);
    }
    expect(await code).toBe('ERR_DESK_SLOW');
    expect(request.destroyed).toBe(false);
  });

  it('that is longer than it says is cut at its bound', async () => {
    const request = requestOf('application/json');
    const code = codeOf(readJson(request, schema, 10));
    request.write('x'.repeat(11));
    expect(await code).toBe('ERR_DESK_BODY');
  });

  it('that is cut in the middle is no body', async () => {
    const request = requestOf('application/json');
    const code = codeOf(readJson(request, schema, 100));
    request.write('{"a":');
    request.destroy();
    expect(await code).toBe('ERR_DESK_SLOW');
  });
});

describe('lines', () => {
  const valuesOf = async (request: IncomingMessage, bytesMax = 1_000_000) => {
    const seen: unknown[] = [];
    for await (const line of readLines(request, schema, bytesMax))
      seen.push('value' in line ? line.value.a : `${line.number} ${line.code}`);
    return seen;
  };

  it('are cut where they are, whatever the pieces in which they come', async () => {
    const text = '{"a":1}\n\r\n{"a":2}\r\n{"a":"é"}\n{"a":3}';
    for (let cut = 0; cut <= Buffer.byteLength(text); cut++) {
      const request = requestOf('application/x-ndjson');
      const bytes = Buffer.from(text);
      request.write(bytes.subarray(0, cut));
      request.end(bytes.subarray(cut));
      expect(await valuesOf(request)).toEqual([1, 2, '4 ERR_DESK_REQUEST', 3]);
    }
  });

  it('have a length, and all of them together', async () => {
    const long = requestOf('application/x-ndjson');
    long.end('x'.repeat(LINE_BYTES_MAX + 1));
    expect(await codeOf(valuesOf(long))).toBe('ERR_DESK_BODY');
    const many = requestOf('application/x-ndjson');
    many.end('{"a":1}\n'.repeat(100));
    expect(await codeOf(valuesOf(many, 200))).toBe('ERR_DESK_BODY');
  });

  it('that stop coming end the request', async () => {
    vi.useFakeTimers();
    try {
      const request = requestOf('application/x-ndjson');
      const code = codeOf(valuesOf(request));
      request.write('{"a":1}\n');
      await vi.advanceTimersByTimeAsync(LINES_IDLE_MS + 1);
      expect(await code).toBe('ERR_DESK_SLOW');
      expect(request.destroyed).toBe(true);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('work in order', () => {
  it('has so much in hand and no more, answers in order, and does not wait for the next to answer', async () => {
    const gates = Array.from({ length: 6 }, () => Promise.withResolvers<void>());
    let inHand = 0;
    let most = 0;
    const asked = Promise.withResolvers<void>();
    async function* source() {
      for (let at = 0; at < 5; at++) yield at;
      // Whoever waits for the answers sends the last when he has them.
      await asked.promise;
      yield 5;
    }
    const answers = inOrder(source(), 3, async (at) => {
      inHand++;
      most = Math.max(most, inHand);
      await gates[at]!.promise;
      inHand--;
      return at;
    });
    const seen: number[] = [];
    const reading = (async () => {
      for await (const answer of answers) seen.push(answer);
    })();
    const settle = async () => {
      for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    };
    await settle();
    expect(inHand).toBe(3);
    gates[2]!.resolve();
    gates[1]!.resolve();
    await settle();
    expect(seen).toEqual([]);
    for (const gate of gates.slice(0, 5)) gate.resolve();
    await settle();
    expect(seen).toEqual([0, 1, 2, 3, 4]);
    asked.resolve();
    gates[5]!.resolve();
    await reading;
    expect([seen, most]).toEqual([[0, 1, 2, 3, 4, 5], 3]);
  });

  it('gives what is in hand before it says that the stream failed', async () => {
    async function* source() {
      yield 1;
      yield 2;
      throw new Error('cut');
    }
    const seen: number[] = [];
    const reading = (async () => {
      for await (const answer of inOrder(source(), 8, async (at) => at)) seen.push(answer);
    })();
    await expect(reading).rejects.toThrow('cut');
    expect(seen).toEqual([1, 2]);
  });

  it('ends its source where its reader goes away', async () => {
    let ended = false;
    async function* source() {
      try {
        for (let at = 0; ; at++) yield at;
      } finally {
        ended = true;
      }
    }
    for await (const answer of inOrder(source(), 3, async (at) => at)) if (answer === 4) break;
    expect(ended).toBe(true);
  });
});
