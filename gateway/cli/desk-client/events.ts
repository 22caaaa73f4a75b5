import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { isHesError } from '../../../protocol/errors.ts';
import { type Random, systemRandom } from '../../runtime/random.ts';
import { bodyOf, checkStatus, isOfTheWay } from './client.ts';
import { type Connection, transportError } from './connection.ts';
import { clientError } from './errors.ts';

/**
 * Server-sent events (WHATWG HTML §9.2), connected again whenever they break off. `open` is said each time that they
 * flow anew: what happened in between is to be asked for.
 */

export type DeskEvent =
  | { readonly kind: 'open' }
  | { readonly kind: 'lost'; readonly error: unknown }
  | { readonly kind: 'event'; readonly event: string; readonly data: string };

export interface EventsOptions {
  readonly signal: AbortSignal;
  readonly random?: Random;
  /** Nothing for so long, not even a comment, and the way is taken for broken. */
  readonly silenceMs?: number;
  readonly backoffMs?: { readonly min: number; readonly max: number };
}

/** A desk sends a comment at least every 15 s. */
const SILENCE_MS = 60_000;
const BACKOFF_MS = { min: 250, max: 10_000 };
const EVENT_LENGTH_MAX = 1024 * 1024;

/**
 * @throws what the desk refuses it with, and that nobody answers where that was never otherwise. Once events have
 *   flowed, a broken way is `lost` and tried again until `signal`.
 */
export async function* deskEvents(
  connection: Connection,
  path: string,
  options: EventsOptions,
): AsyncGenerator<DeskEvent> {
  const { signal, random = systemRandom, silenceMs = SILENCE_MS, backoffMs = BACKOFF_MS } = options;
  let lastId: string | undefined;
  let connected = false;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const response = await connection.send({
        method: 'GET',
        path,
        accept: 'text/event-stream',
        signal,
        headers: lastId === undefined ? {} : { 'last-event-id': lastId },
      });
      if (response.statusCode !== 200) await checkStatus(response, await bodyOf(response));
      connected = true;
      failures = 0;
      yield { kind: 'open' };
      for await (const { event, data, id } of eventsOf(response, connection.url, silenceMs)) {
        if (id !== undefined) lastId = id;
        yield { kind: 'event', event, data };
      }
      yield { kind: 'lost', error: undefined };
    } catch (error) {
      if (signal.aborted) return;
      if (!connected || !isOfTheWay(error)) throw error;
      yield { kind: 'lost', error };
    }
    failures += 1;
    const ceilingMs = Math.min(backoffMs.max, backoffMs.min * 2 ** failures);
    await delay(backoffMs.min + random() * ceilingMs, undefined, { signal }).catch(() => undefined);
  }
}

interface Fields {
  event: string;
  data: string[];
  id: string | undefined;
}

async function* eventsOf(
  response: IncomingMessage,
  url: URL,
  silenceMs: number,
): AsyncGenerator<{ readonly event: string; readonly data: string; readonly id: string | undefined }> {
  const silence = setTimeout(
    () => response.destroy(clientError('ERR_OP_TIMEOUT', 'the events of the desk fell silent')),
    silenceMs,
  );
  response.setEncoding('utf8');
  let rest = '';
  let fields = none();
  try {
    for await (const chunk of response as AsyncIterable<string>) {
      silence.refresh();
      rest += chunk;
      if (rest.length > EVENT_LENGTH_MAX) throw clientError('ERR_OP_ANSWER', 'an event without end');
      const lines = rest.split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line !== '') {
          takeLine(fields, line);
          continue;
        }
        const { event, data, id } = fields;
        if (data.length > 0) yield { event, data: data.join('\n'), id };
        fields = none();
      }
    }
  } catch (error) {
    throw isHesError(error) ? error : transportError(error, url);
  } finally {
    clearTimeout(silence);
    response.destroy();
  }
}

const none = (): Fields => ({ event: 'message', data: [], id: undefined });

function takeLine(fields: Fields, line: string): void {
  const colon = line.indexOf(':');
  // A comment: it keeps the connection from falling silent.
  if (colon === 0) return;
  const name = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
  if (name === 'event') fields.event = value;
  if (name === 'data') fields.data.push(value);
  if (name === 'id') fields.id = value;
}
