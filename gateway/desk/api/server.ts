import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { TLS_PARAMETERS } from '../../../pki/trust.ts';
import type { Signer } from '../../../protocol/command/signers.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { Counters } from '../../runtime/counters.ts';
import type { ServerKey } from '../../runtime/server-key.ts';
import { deskError } from '../errors.ts';
import { checkMedia, readJson, readLines } from './body.ts';
import * as limits from './limits.ts';
import { createMatcher, type Match } from './match.ts';
import { faultOf, problemOf } from './problems.ts';
import { beginEvents, beginLines, eventText, replyJson, replyNothing, replyProblem, write } from './reply.ts';
import type { ApiContext, ApiRequest, Route, ServerEvent } from './route.ts';
import { parse } from './shapes.ts';

/**
 * The API of a desk over HTTPS. A client certificate of the office is asked for in the handshake, so that strangers
 * reach no line of what is behind it, and is judged again with each request: a session does not outlive its
 * certificate.
 */

/** Who a client certificate says somebody is: `OfficeTrust.caller` of pki. What it throws is answered with 401. */
export type CallerTrust = (certificate: X509Certificate) => Signer & { readonly tenant: TenantId };

export interface ApiOptions {
  readonly context: ApiContext;
  readonly routes: readonly Route[];
  readonly caller: CallerTrust;
  readonly counters: Counters;
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM: key and chain of the server, and the office root that clients are to come from. */
  readonly tls: { readonly key: string; readonly cert: string; readonly ca: string };
  /** Told of somebody who asked for what is not for his role. */
  readonly onDenied: (by: Signer, code: string) => Promise<void>;
}

export interface Api {
  readonly port: number;
  /** End every connection whose certificate is not believed any more, whatever is under way on it. */
  closeDistrusted(): void;
  /** Show new connections this certificate; those that are open stay with theirs. */
  setServerKey(renewed: ServerKey): void;
  stop(): Promise<void>;
}

/** How long a client that is refused may go on with a body that nobody reads. */
const LINGER_MS = 1_000;
/** A path of ours has about 60 characters, and a query a few more. */
const URL_LENGTH_MAX = 2_048;

/** @throws ERR_DESK_LISTEN */
export async function startApi(options: ApiOptions): Promise<Api> {
  const api = new ApiServer(options);
  await api.listen();
  return api;
}

class ApiServer implements Api {
  readonly #options: ApiOptions;
  readonly #server: Server;
  readonly #match: (method: string, path: string) => Match;
  /** Of requests that are under way. */
  readonly #underWay = new Set<AbortController>();
  /** After their handshake; as many as CONNECTIONS_MAX. */
  readonly #connections = new Set<TLSSocket>();
  readonly #sweep: NodeJS.Timeout;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.#match = createMatcher(options.routes);
    this.#server = createServer(SERVER_OPTIONS(options), (request, response) => {
      void this.#answer(request, response);
    });
    this.#server.maxConnections = limits.CONNECTIONS_MAX;
    // A stream of lines may take long; bodies have time-outs of their own.
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = limits.HEADERS_WITHIN_MS;
    this.#server.keepAliveTimeout = limits.IDLE_MS;
    this.#server.on('tlsClientError', () => options.counters.count('api.handshakes.failed'));
    this.#server.on('secureConnection', (socket) => this.#take(socket));
    // After a new list it is done at once; this is for what comes to its own end.
    this.#sweep = setInterval(() => this.closeDistrusted(), limits.SWEEP_MS).unref();
    options.counters.gauge('api.watching', () => options.context.feed.subscribers);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  listen(): Promise<void> {
    const { host, port } = this.#options.listen;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (cause) =>
        reject(deskError('ERR_DESK_LISTEN', `the API cannot listen on ${host} port ${port}`, { cause })),
      );
      this.#server.listen(port, host, () => resolve());
    });
  }

  #take(socket: TLSSocket): void {
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
  }

  closeDistrusted(): void {
    const { caller, context, counters } = this.#options;
    for (const socket of this.#connections)
      try {
        callerOf(caller, context.tenant, socket);
      } catch {
        // Nothing is said any more: half an answer, or an upload in the middle, has no place for it.
        counters.count('api.closed.caller');
        socket.destroy();
      }
  }

  setServerKey(renewed: ServerKey): void {
    const { tls } = this.#options;
    // Node draws other ticket keys for a new context where none are given, and every session would end with it.
    const ticketKeys = this.#server.getTicketKeys();
    this.#server.setSecureContext({ ...CONTEXT_OPTIONS, ca: tls.ca, ...renewed, ticketKeys });
  }

  /** Requests that run may end; streams of events end at once. */
  async stop(): Promise<void> {
    clearInterval(this.#sweep);
    for (const request of this.#underWay) request.abort();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeIdleConnections();
    const grace = setTimeout(() => this.#server.closeAllConnections(), limits.FINISH_WITHIN_MS);
    await closed;
    clearTimeout(grace);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { counters, context } = this.#options;
    counters.count('api.requests');
    // What a client does to its own connection is nobody else's error.
    response.on('error', () => undefined);
    try {
      const caller = this.#caller(request, response);
      if (caller !== undefined) await this.#serve(caller, request, response);
    } catch (error) {
      if (!isHesError(error) && !response.destroyed)
        context.log.error({ err: error }, 'a request failed here');
      this.#refuse(error, request, response);
    }
  }

  /** @returns undefined where that was answered */
  #caller(request: IncomingMessage, response: ServerResponse): Signer | undefined {
    const { caller: trust, context, counters } = this.#options;
    try {
      return callerOf(trust, context.tenant, request.socket as TLSSocket);
    } catch (error) {
      counters.count('api.refused.caller');
      const status = isHesError(error) && error.code === 'ERR_DESK_CALLER' ? 403 : 401;
      replyProblem(response, problemOf(error, status), { connection: 'close' });
      // The session is over, whatever else it had in mind.
      response.once('finish', () => request.socket.destroySoon());
      return undefined;
    }
  }

  async #serve(caller: Signer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { context, onDenied } = this.#options;
    const url = request.url ?? '';
    if (url.length > URL_LENGTH_MAX) throw deskError('ERR_DESK_REQUEST', 'the path is too long');
    const [path = '', search = ''] = url.split('?', 2);
    const { route, params } = this.#match(request.method ?? '', path);
    if (!route.roles.includes(caller.role)) {
      await onDenied(caller, 'ERR_DESK_ROLE');
      throw deskError('ERR_DESK_ROLE', `the role ${caller.role} may not ask for this`);
    }
    const gone = new AbortController();
    this.#underWay.add(gone);
    response.once('close', () => {
      this.#underWay.delete(gone);
      gone.abort();
    });
    const asked: ApiRequest<unknown, unknown, unknown, unknown> = {
      caller,
      params: route.params === undefined ? undefined : parse(route.params, params, 'the path'),
      query: route.query === undefined ? noQuery(search) : parse(route.query, queryOf(search), 'the query'),
      body:
        route.body === undefined
          ? undefined
          : await readJson(request, route.body, route.bytesMax ?? limits.BODY_BYTES_MAX),
      lines: linesOf(route, request),
      lastEventId: lastEventId(request),
      signal: gone.signal,
    };
    const value = await route.handle(context, asked as ApiRequest<never, never, never, never>);
    await this.#reply(route, value, asked, request, response);
  }

  async #reply(
    { answer }: Route,
    value: unknown,
    { signal }: ApiRequest<unknown, unknown, unknown, unknown>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    if ('json' in answer) replyJson(response, answer.status, value);
    else if ('lines' in answer) await this.#stream(value as AsyncIterable<unknown>, request, response);
    else if ('events' in answer)
      await this.#events(value as AsyncIterable<ServerEvent<unknown>>, signal, response);
    else replyNothing(response);
  }

  async #stream(
    lines: AsyncIterable<unknown>,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    beginLines(response);
    try {
      for await (const line of lines) await write(response, `${JSON.stringify(line)}\n`);
    } catch (error) {
      // The status was sent long ago: what ended it is the last line, and the lines before it hold.
      if (!isHesError(error) || response.destroyed) throw error;
      this.#options.counters.count('api.refused.lines');
      response.end(`${JSON.stringify(faultOf(error))}\n`);
      if (!request.complete) drain(request);
      return;
    }
    response.end();
  }

  async #events(
    events: AsyncIterable<ServerEvent<unknown>>,
    signal: AbortSignal,
    response: ServerResponse,
  ): Promise<void> {
    beginEvents(response);
    const alive = setInterval(() => {
      // Nothing piles up at one that takes nothing: it is found out by the next event, or is gone.
      if (!response.writableNeedDrain) response.write(': alive\n\n');
    }, limits.KEEP_ALIVE_MS);
    try {
      for await (const event of events) {
        if (signal.aborted) break;
        await write(response, eventText(event));
      }
    } finally {
      clearInterval(alive);
    }
    response.end();
  }

  #refuse(error: unknown, request: IncomingMessage, response: ServerResponse): void {
    const problem = problemOf(error);
    this.#options.counters.count(`api.refused.${problem.status}`);
    // Half an answer cannot be taken back: its reader sees that it is cut.
    if (response.headersSent || response.destroyed) return void response.destroy();
    const isUnread = !request.complete;
    replyProblem(response, problem, isUnread ? { connection: 'close' } : {});
    if (!isUnread) return;
    drain(request);
  }
}

/** Closed at once, what is still on its way here would have the answer thrown away there. */
function drain(request: IncomingMessage): void {
  request.resume();
  setTimeout(() => request.socket.destroySoon(), LINGER_MS).unref();
}

/** What a new context has to be given again; the others are the server's. */
const CONTEXT_OPTIONS = { ...TLS_PARAMETERS, minVersion: 'TLSv1.3' } as const;

const SERVER_OPTIONS = ({ tls }: ApiOptions): ServerOptions => ({
  ...tls,
  ...CONTEXT_OPTIONS,
  requestCert: true,
  rejectUnauthorized: true,
  handshakeTimeout: limits.HANDSHAKE_WITHIN_MS,
  connectionsCheckingInterval: limits.LOOK_EVERY_MS,
  maxHeaderSize: limits.HEADER_BYTES_MAX,
  ALPNProtocols: ['http/1.1'],
  noDelay: true,
});

/** @throws what the trust throws; ERR_DESK_CALLER where he is another tenant's */
function callerOf(trust: CallerTrust, tenant: TenantId, socket: TLSSocket): Signer {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw deskError('ERR_DESK_CALLER', 'there is no client certificate');
  const caller = trust(certificate);
  if (caller.tenant !== tenant)
    throw deskError('ERR_DESK_CALLER', `this is the desk of ${tenant}, and you are of ${caller.tenant}`);
  return { role: caller.role, person: caller.person };
}

/** @throws ERR_DESK_REQUEST where something is said twice: which one would count, nobody should have to know */
function queryOf(search: string): Record<string, string> {
  const pairs = [...new URLSearchParams(search)];
  const query = Object.fromEntries(pairs);
  if (Object.keys(query).length < pairs.length)
    throw deskError('ERR_DESK_REQUEST', 'the query: something is said twice');
  return query;
}

function noQuery(search: string): undefined {
  if (search !== '') throw deskError('ERR_DESK_REQUEST', 'the query: there is none here');
  return undefined;
}

/** Refused before the answer begins. @throws ERR_DESK_MEDIA */
function linesOf(
  { lines, bytesMax = limits.LINES_BYTES_MAX }: Route,
  request: IncomingMessage,
): AsyncIterable<never> {
  if (lines === undefined) return none();
  checkMedia(request, 'application/x-ndjson');
  return readLines(request, lines, bytesMax) as AsyncIterable<never>;
}

async function* none(): AsyncGenerator<never> {}

const EVENT_ID_LENGTH_MAX = 64;

function lastEventId(request: IncomingMessage): string | undefined {
  const given = request.headers['last-event-id'];
  return typeof given === 'string' && given.length <= EVENT_ID_LENGTH_MAX ? given : undefined;
}
