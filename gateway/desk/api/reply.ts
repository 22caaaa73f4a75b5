import type { ServerResponse } from 'node:http';
import { deskError } from '../errors.ts';
import { STALLED_MS } from './limits.ts';
import type { Problem } from './problems.ts';
import type { ServerEvent } from './route.ts';

/** What goes back: JSON, a stream of it, or a problem. Nobody's slowness makes anything pile up here. */

/** Answers are of this moment and of this person. */
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const;

export function replyJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value);
  response
    .writeHead(status, {
      ...HEADERS,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(text),
    })
    .end(text);
}

export function replyNothing(response: ServerResponse): void {
  response.writeHead(204, HEADERS).end();
}

export function replyProblem(
  response: ServerResponse,
  problem: Problem,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = JSON.stringify(problem);
  response
    .writeHead(problem.status, {
      ...HEADERS,
      ...headers,
      'content-type': 'application/problem+json',
      'content-length': Buffer.byteLength(text),
    })
    .end(text);
}

export function beginLines(response: ServerResponse): void {
  response.writeHead(200, { ...HEADERS, 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
}

export function beginEvents(response: ServerResponse): void {
  response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
  response.flushHeaders();
}

/** As the WHATWG standard has them: identifiers and names of ours have no line breaks, JSON has none either. */
export function eventText({ event, id, data }: ServerEvent<unknown>): string {
  const named = id === undefined ? '' : `id: ${id}\n`;
  return `${named}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/**
 * Write, and wait until the client has taken enough of what was written before.
 * @throws ERR_DESK_SLOW where it takes nothing for STALLED_MS, or is gone
 */
export async function write(response: ServerResponse, text: string): Promise<void> {
  if (response.destroyed || response.closed) throw gone();
  if (response.write(text)) return;
  await new Promise<void>((resolve, reject) => {
    const done = (): void => {
      clearTimeout(timer);
      response.off('drain', done).off('close', lost);
      resolve();
    };
    const lost = (): void => {
      clearTimeout(timer);
      response.off('drain', done).off('close', lost);
      reject(gone());
    };
    const timer = setTimeout(lost, STALLED_MS);
    response.on('drain', done).on('close', lost);
  });
}

const gone = (): Error => deskError('ERR_DESK_SLOW', 'the client went away, or takes nothing');
