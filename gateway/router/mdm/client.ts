import { readFile } from 'node:fs/promises';
import { Pool } from 'undici';
import type { RouterConfig } from '../config.ts';
import { type RecordVerdict, readAnswer } from './answer.ts';
import type { MdmRecord } from './sink.ts';

/** How one request ended. */
export type PostResult =
  /** The MDM answered; what the map does not name is not acknowledged. */
  | { readonly kind: 'answered'; readonly verdicts: ReadonlyMap<string, RecordVerdict> }
  /** The MDM is there, and could not make anything of this request as a whole. */
  | { readonly kind: 'unprocessable' }
  /** No answer, or none of an MDM that works. */
  | { readonly kind: 'failed'; readonly why: FailureKind; readonly retryAfterMs: number };

export type FailureKind = 'network' | 'timeout' | 'status' | 'denied' | 'redirect' | 'answer';

export interface MdmClient {
  post(records: readonly MdmRecord[]): Promise<PostResult>;
  /** Ends what is under way. */
  close(): Promise<void>;
}

/** Statuses that speak of the request's content, not of the MDM's health (RFC 9110 §15.5). */
const UNPROCESSABLE = new Set([400, 413, 422]);
const DENIED = new Set([401, 403]);

/** A Retry-After beyond this is the device's affair: the reading goes back to it with `later`. */
const RETRY_AFTER_MS_MAX = 60_000;

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

const failed = (why: FailureKind, retryAfterMs = 0): PostResult => ({ kind: 'failed', why, retryAfterMs });

/**
 * The MDM over HTTP(S): one POST of a JSON array of records, one answer with a verdict each. Redirects are not
 * followed (a reading goes to the configured address or nowhere), time and size of an answer are bounded.
 */
export async function createMdmClient(config: RouterConfig['mdm']): Promise<MdmClient> {
  const url = new URL(config.url);
  const pool = new Pool(url.origin, {
    connections: config.inFlightMax,
    pipelining: 1,
    allowH2: false,
    headersTimeout: config.requestMs,
    bodyTimeout: config.requestMs,
    maxResponseSize: config.answerBytesMax,
    connect: { ...(await tlsOptions(config)), timeout: config.connectMs },
  });
  let authorization = await readToken(config);

  const headers = (): Record<string, string> => ({
    'content-type': 'application/json',
    accept: 'application/json',
    ...(authorization === undefined ? {} : { authorization }),
  });

  async function post(records: readonly MdmRecord[]): Promise<PostResult> {
    const sent = join(records);
    try {
      const {
        statusCode,
        headers: answered,
        body,
      } = await pool.request({
        path: `${url.pathname}${url.search}`,
        method: 'POST',
        headers: headers(),
        body: sent,
        signal: AbortSignal.timeout(config.requestMs),
      });
      // Read to its bounded end whatever the status, so that the connection can be used again.
      const text = await body.text();
      if (statusCode >= 200 && statusCode < 300) {
        const verdicts = readAnswer(text, new Set(records.map(({ key }) => key)));
        return verdicts === undefined ? failed('answer') : { kind: 'answered', verdicts };
      }
      if (UNPROCESSABLE.has(statusCode)) return { kind: 'unprocessable' };
      if (statusCode >= 300 && statusCode < 400) return failed('redirect');
      // A token that was renewed in its file is taken up without a restart.
      if (DENIED.has(statusCode)) authorization = await readToken(config);
      return failed(DENIED.has(statusCode) ? 'denied' : 'status', retryAfterMs(answered['retry-after']));
    } catch (error) {
      return failed(error instanceof Error && TIMEOUTS.test(error.name) ? 'timeout' : 'network');
    } finally {
      sent.fill(0);
    }
  }

  return { post, close: () => pool.destroy() };
}

const TIMEOUTS = /Timeout|Abort/;

/** Of its own memory: cut from a block that others share, it would lie there as long as the last of them lives. */
function join(records: readonly MdmRecord[]): Buffer {
  const parts = [OPEN, ...records.flatMap(({ body }, at) => (at === 0 ? [body] : [COMMA, body])), CLOSE];
  const joined = Buffer.allocUnsafeSlow(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

async function tlsOptions({
  tls,
}: RouterConfig['mdm']): Promise<{ ca?: Buffer; cert?: Buffer; key?: Buffer }> {
  return {
    ...(tls?.ca === undefined ? {} : { ca: await readFile(tls.ca) }),
    ...(tls?.certificate === undefined ? {} : { cert: await readFile(tls.certificate) }),
    ...(tls?.key === undefined ? {} : { key: await readFile(tls.key) }),
  };
}

async function readToken({ tokenFile }: RouterConfig['mdm']): Promise<string | undefined> {
  return tokenFile === undefined ? undefined : `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`;
}

function retryAfterMs(header: string | string[] | undefined): number {
  const seconds = typeof header === 'string' && /^[0-9]{1,9}$/.test(header) ? Number(header) : 0;
  return Math.min(seconds * 1_000, RETRY_AFTER_MS_MAX);
}
