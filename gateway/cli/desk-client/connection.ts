import type { IncomingMessage } from 'node:http';
import { Agent, request } from 'node:https';
import type { OpenedOfficeIdentity } from '../../../pki/office/identity.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { clientError } from './errors.ts';

/** The way to a desk: HTTPS with mutual TLS. That it is the tenant's desk is proven before anything is sent. */

export interface Asked {
  readonly method: 'GET' | 'POST';
  /** With its base: `/v1/me`. */
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** How long until the head of the answer is there; and, where it is no stream, all of it. */
  readonly timeoutMs?: number;
}

export interface Connection {
  readonly url: URL;
  send(asked: Asked): Promise<IncomingMessage>;
  close(): void;
}

/** A desk answers from its database; a bulk of 66,000 balances is written line by line meanwhile. */
export const ANSWER_WITHIN_MS = 30_000;
/** A command line asks one thing, then the next; a stream stays open beside it. */
const SOCKETS_MAX = 4;

/** @param tls `openOfficeIdentity`'s: it takes the desk of one tenant, under the office's root, and no other server */
export function connectDesk(url: URL, tls: OpenedOfficeIdentity['tls']): Connection {
  const agent = new Agent({ keepAlive: true, maxSockets: SOCKETS_MAX, ...tls });
  return {
    url,
    send: (asked) => send(agent, url, asked),
    close: () => agent.destroy(),
  };
}

function send(agent: Agent, url: URL, asked: Asked): Promise<IncomingMessage> {
  const { method, path, body, contentType = 'application/json', accept = 'application/json' } = asked;
  const { headers = {}, signal, timeoutMs = ANSWER_WITHIN_MS } = asked;
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), {
      agent,
      method,
      headers: {
        accept,
        ...(body === undefined
          ? {}
          : { 'content-type': contentType, 'content-length': Buffer.byteLength(body) }),
        ...headers,
      },
      ...(signal === undefined ? {} : { signal }),
    });
    const timer = setTimeout(
      () => sent.destroy(clientError('ERR_OP_TIMEOUT', `${url.origin} does not answer`)),
      timeoutMs,
    );
    sent.once('response', (response) => {
      clearTimeout(timer);
      resolve(response);
    });
    sent.once('error', (error) => {
      clearTimeout(timer);
      reject(transportError(error, url));
    });
    sent.end(body);
  });
}

const NOBODY = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'ECONNRESET',
  'EPIPE',
]);
/** RFC 8446 §6.2: what a server says that does not take a client's certificate. */
const CALLER_ALERTS =
  /ALERT_(CERTIFICATE_REQUIRED|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED|CERTIFICATE_REVOKED|BAD_CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/;

/** What kept a question from being answered, in words that tell what to do. */
export function transportError(error: unknown, url: URL): Error {
  const { name, code = '' } = error as NodeJS.ErrnoException;
  if (name === 'AbortError' || isHesError(error, 'ERR_OP_TIMEOUT')) return error as Error;
  const codes = [code, ...((error as AggregateError).errors ?? []).map((one) => String(one.code ?? ''))];
  if (codes.some((one) => CALLER_ALERTS.test(one)))
    return clientError('ERR_OP_CALLER', `the desk at ${url.origin} does not take this identity`, {
      cause: error,
    });
  if (codes.some((one) => NOBODY.has(one)))
    return clientError(
      'ERR_OP_NO_DESK',
      `no desk answers at ${url.origin} (${codes.find((one) => NOBODY.has(one))}): start it (npm start), or name another with --desk URL`,
      { cause: error },
    );
  return clientError(
    'ERR_OP_DESK_IDENTITY',
    `whoever answers at ${url.origin} does not prove to be the desk (${code === '' ? name : code})`,
    { cause: error },
  );
}
