import type { IncomingMessage } from 'node:http';
import type { z } from 'zod';
import { isHesError } from '../../../protocol/errors.ts';
import { deskError } from '../errors.ts';
import { BODY_WITHIN_MS, LINE_BYTES_MAX, LINES_IDLE_MS } from './limits.ts';
import { faultOf } from './problems.ts';
import type { Line } from './route.ts';
import { parse } from './shapes.ts';

/** Bodies of requests: bounded in bytes and in time, whatever their sender says of them. */

const NEWLINE = 0x0a;

/** @throws ERR_DESK_MEDIA */
export function checkMedia(request: IncomingMessage, media: string): void {
  const given = (request.headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (given !== media || encoding !== 'identity')
    throw deskError('ERR_DESK_MEDIA', `the body has to be ${media}, and not compressed`);
}

function tooLarge(bytesMax: number): Error {
  return deskError('ERR_DESK_BODY', `the body is larger than ${bytesMax} bytes`);
}

const tooSlow = (): Error => deskError('ERR_DESK_SLOW', 'the body did not come in time');

/** @throws ERR_DESK_MEDIA, ERR_DESK_BODY, ERR_DESK_SLOW, ERR_DESK_REQUEST */
export async function readJson<T extends z.ZodType>(
  request: IncomingMessage,
  schema: T,
  bytesMax: number,
): Promise<z.output<T>> {
  checkMedia(request, 'application/json');
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) throw tooLarge(bytesMax);
  return parse(schema, parseJson(await readAll(request, bytesMax)), 'the body');
}

/** Whoever is refused stays connected for as long as it takes to tell him. */
function readAll(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const end = (act: () => void): void => {
      clearTimeout(timer);
      request.off('data', take).off('end', whole).off('close', cut);
      act();
    };
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bytesMax) end(() => reject(tooLarge(bytesMax)));
      else chunks.push(chunk);
    };
    const whole = (): void => end(() => resolve(Buffer.concat(chunks)));
    const cut = (): void => end(() => reject(tooSlow()));
    const timer = setTimeout(cut, BODY_WITHIN_MS);
    request.on('data', take).on('end', whole).on('close', cut);
  });
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** @throws ERR_DESK_REQUEST; the text is not quoted, it may be anything */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch {
    throw deskError('ERR_DESK_REQUEST', 'the body is no JSON');
  }
}

/**
 * Lines of JSON as they come, read no faster than they are taken. A line that is none of them is given as its fault;
 * empty ones are passed over.
 * @throws ERR_DESK_BODY where a line or the whole is too large, ERR_DESK_SLOW
 */
export async function* readLines<T extends z.ZodType>(
  request: IncomingMessage,
  schema: T,
  bytesMax: number,
): AsyncGenerator<Line<z.output<T>>> {
  let number = 0;
  let bytes = 0;
  let rest: Buffer = Buffer.alloc(0);
  const line = (text: Buffer): Line<z.output<T>> | undefined => {
    number++;
    if (text.length === 0 || (text.length === 1 && text[0] === 0x0d)) return undefined;
    try {
      return { number, value: parse(schema, parseJson(text), `line ${number}`) };
    } catch (error) {
      if (!isHesError(error)) throw error;
      return { number, ...faultOf(error) };
    }
  };
  // Node's own time-out would end an honest long stream too.
  let isAwaited = true;
  const idle = setTimeout(() => {
    if (isAwaited) request.destroy(tooSlow());
    else idle.refresh();
  }, LINES_IDLE_MS);
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > bytesMax) throw tooLarge(bytesMax);
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (let at = rest.indexOf(NEWLINE); at >= 0; at = rest.indexOf(NEWLINE)) {
        const parsed = line(rest.subarray(0, at));
        rest = rest.subarray(at + 1);
        if (parsed === undefined) continue;
        // The time that it takes to do something with it is not its sender's.
        isAwaited = false;
        yield parsed;
        isAwaited = true;
      }
      if (rest.length > LINE_BYTES_MAX) throw tooLarge(LINE_BYTES_MAX);
      idle.refresh();
    }
    const last = rest.length === 0 ? undefined : line(rest);
    if (last !== undefined) yield last;
  } finally {
    clearTimeout(idle);
  }
}
