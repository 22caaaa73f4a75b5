import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { type ErrorContext, HesError, isHesError } from '../../../protocol/errors.ts';
import { ANSWER_WITHIN_MS, type Asked, type Connection } from './connection.ts';
import { clientError } from './errors.ts';

/** Questions to a desk and what it answers: JSON, and refusals as errors with the code that the desk gave them. */

/** Bytes of one answer; a page of 500 meters has 200 kB. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;
/**
 * What may be asked twice is, where the way failed: a desk that is just starting again is there soon. One that has
 * never answered is not waited for.
 */
const TRIES = 3;
const TRY_AGAIN_AFTER_MS = 500;

/** RFC 9457, with the code as a member of its own. */
const PROBLEM = z.looseObject({
  title: z.string().optional(),
  detail: z.string().optional(),
  code: z.string().regex(/^ERR_[A-Z0-9_]+$/),
  context: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
});

export interface DeskClient {
  readonly connection: Connection;
  get<S extends z.ZodType>(path: string, schema: S): Promise<z.output<S>>;
  /** @param options.again whether it does nothing twice: then it is asked again where the answer was lost */
  post<S extends z.ZodType>(
    path: string,
    body: unknown,
    schema: S,
    options?: { readonly again?: boolean },
  ): Promise<z.output<S>>;
  close(): void;
}

export function deskClient(connection: Connection): DeskClient {
  let hasAnswered = false;
  async function once<S extends z.ZodType>(asked: Asked, schema: S): Promise<z.output<S>> {
    const response = await connection.send(asked);
    hasAnswered = true;
    const text = await bodyOf(response);
    await checkStatus(response, text);
    return parse(text, schema);
  }
  async function ask<S extends z.ZodType>(asked: Asked, schema: S, tries: number): Promise<z.output<S>> {
    for (let attempt = 1; ; attempt += 1)
      try {
        return await once(asked, schema);
      } catch (error) {
        if (!hasAnswered || attempt >= tries || !isOfTheWay(error)) throw error;
        await delay(TRY_AGAIN_AFTER_MS * attempt);
      }
  }
  return {
    connection,
    get: (path, schema) => ask({ method: 'GET', path }, schema, TRIES),
    post: (path, body, schema, { again = false } = {}) =>
      ask({ method: 'POST', path, body: JSON.stringify(body) }, schema, again ? TRIES : 1),
    close: () => connection.close(),
  };
}

/** Whether the way failed and not the desk: nobody there, or no answer. */
export const isOfTheWay = (error: unknown): boolean =>
  isHesError(error, 'ERR_OP_NO_DESK') || isHesError(error, 'ERR_OP_TIMEOUT');

/** @throws ERR_OP_ANSWER where it is larger than any of a desk; ERR_OP_TIMEOUT, ERR_OP_NO_DESK where it breaks off */
export async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(
    () => response.destroy(clientError('ERR_OP_TIMEOUT', 'the answer of the desk does not end')),
    ANSWER_WITHIN_MS,
  );
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > ANSWER_BYTES_MAX) throw clientError('ERR_OP_ANSWER', 'larger than an answer of a desk');
      chunks.push(chunk);
    }
  } catch (cause) {
    if (cause instanceof HesError) throw cause;
    throw clientError('ERR_OP_NO_DESK', 'the connection to the desk broke off within its answer', { cause });
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** @throws the desk's own error; ERR_OP_ANSWER where it is none of a desk */
export async function checkStatus(response: IncomingMessage, text: string | undefined): Promise<void> {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return;
  throw problemOf(status, text ?? (await bodyOf(response)));
}

export function problemOf(status: number, text: string): HesError {
  const parsed = PROBLEM.safeParse(jsonOf(text));
  if (!parsed.success) return clientError('ERR_OP_ANSWER', `an answer of status ${status} that is no desk's`);
  const { code, detail, title, context } = parsed.data;
  const told: ErrorContext = { ...context, status };
  return new HesError(code, detail ?? title ?? `the desk refuses it (${status})`, { context: told });
}

function parse<S extends z.ZodType>(text: string, schema: S): z.output<S> {
  const parsed = schema.safeParse(text === '' ? null : jsonOf(text));
  if (parsed.success) return parsed.data;
  const at = parsed.error.issues[0]?.path.join('.') ?? '';
  throw clientError('ERR_OP_ANSWER', `an answer of another form${at === '' ? '' : `, at ${at}`}`);
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
