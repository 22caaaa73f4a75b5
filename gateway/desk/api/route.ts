import type { z } from 'zod';
import { ROLES, type Role } from '../../../protocol/command/roles.ts';
import type { Signer } from '../../../protocol/command/signers.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { Clock } from '../../runtime/clock.ts';
import type { Log } from '../../runtime/log.ts';
import type { Desk } from '../desk.ts';
import type { DeskStore } from '../store/port.ts';
import type { ChangeFeed } from './feed.ts';

/**
 * What the API can be asked: a row for each question. The server, the checks at its door and the OpenAPI description
 * are made from the rows; a row that is added is served, checked and described.
 */

/** What a handler works with beside the request. */
export interface ApiContext {
  readonly tenant: TenantId;
  readonly desk: Desk;
  readonly store: DeskStore;
  readonly clock: Clock;
  readonly feed: ChangeFeed;
  readonly log: Log;
}

/** A line of a request's NDJSON body, parsed; a bad one is the handler's to answer, in its place. */
export type Line<T> =
  | { readonly number: number; readonly value: T }
  | { readonly number: number; readonly code: string; readonly detail: string };

/** An event of an answer of server-sent events; `id` is what a client gives back as `Last-Event-ID`. */
export interface ServerEvent<T> {
  readonly event: string;
  readonly id?: string;
  readonly data: T;
}

export interface ApiRequest<P, Q, B, L> {
  /** Whoever the client certificate says; his session holds, and the route is for his role. */
  readonly caller: Signer;
  readonly params: P;
  readonly query: Q;
  /** The JSON body. */
  readonly body: B;
  /** The NDJSON body, read as the handler asks for it: it never lies in memory as a whole. */
  readonly lines: AsyncIterable<Line<L>>;
  readonly lastEventId: string | undefined;
  /** Aborted when the client went away or the server stops. */
  readonly signal: AbortSignal;
}

/** What a handler gives: one JSON value, nothing, or a stream that is written as fast as the client reads. */
export type Answer<R extends z.ZodType> =
  | { readonly status: 200 | 201 | 202; readonly json: R }
  | { readonly status: 200; readonly lines: R }
  | { readonly status: 200; readonly events: R }
  | { readonly status: 204 };

type Handled<A> = A extends { json: infer R extends z.ZodType }
  ? Promise<z.input<R>>
  : A extends { lines: infer R extends z.ZodType }
    ? Promise<AsyncIterable<z.input<R>>>
    : A extends { events: infer R extends z.ZodType }
      ? Promise<AsyncIterable<ServerEvent<z.input<R>>>>
      : Promise<void>;

interface Row<P, Q, B, L, A> {
  readonly method: 'GET' | 'POST';
  /** With its base: `/v1/commands/{id}`. */
  readonly path: string;
  /** Who may ask. What he may ask of one command is the desk's question. */
  readonly roles: readonly Role[];
  /** One line for the description. */
  readonly summary: string;
  /** Of `{…}` in the path: strict objects of texts. */
  readonly params?: P;
  readonly query?: Q;
  /** A JSON body. At most BODY_BYTES_MAX unless `bytesMax` says more. */
  readonly body?: B;
  /** An NDJSON body, by its lines. At most LINES_BYTES_MAX unless `bytesMax` says otherwise. */
  readonly lines?: L;
  readonly bytesMax?: number;
  readonly answer: A;
  handle(context: ApiContext, request: ApiRequest<Output<P>, Output<Q>, Output<B>, Output<L>>): Handled<A>;
}

type Output<T> = T extends z.ZodType ? z.output<T> : undefined;

/** A row as the server reads it: whatever its shapes are. */
export interface Route
  extends Omit<Row<z.ZodObject, z.ZodObject, z.ZodType, z.ZodType, Answer<z.ZodType>>, 'handle'> {
  handle(context: ApiContext, request: ApiRequest<never, never, never, never>): Promise<unknown>;
}

/** A row, its handler typed by its schemas. */
export function route<
  const A extends Answer<z.ZodType>,
  P extends z.ZodObject | undefined = undefined,
  Q extends z.ZodObject | undefined = undefined,
  B extends z.ZodType | undefined = undefined,
  L extends z.ZodType | undefined = undefined,
>(row: Row<P, Q, B, L, A>): Route {
  return row as unknown as Route;
}

export const EVERYBODY: readonly Role[] = Object.keys(ROLES) as Role[];
/** People, not systems. */
export const PEOPLE: readonly Role[] = EVERYBODY.filter((role) => ROLES[role].kind === 'person');
