import type { IncomingMessage } from 'node:http';
import type { Agent, RequestOptions } from 'node:https';
import { isHesError } from '../../protocol/errors.ts';
import type { CredentialName } from '../enrolment/request.ts';
import { pkiError } from '../errors.ts';
import type { KeyAndCertificate } from '../identity.ts';
import { TLS_PARAMETERS } from '../verify/tls-parameters.ts';
import { certificatesIn, noticeIn, refusalOf } from './client-answer.ts';

/**
 * RFC 7030 from a device's side. The server is believed by the device's pinned root and its host name, and by nothing
 * else: what it answers is checked as if anybody had said it (pki/device.ts).
 */

/** Long enough for a modem at the edge of its cell, handshake included. */
const ANSWER_WITHIN_MS = 30_000;
/** A few certificates of 1 KiB, or a notice of 12 KiB, in base64; what is longer comes from no server of ours. */
export const ANSWER_BYTES_MAX = 32_768;
const HEADER_BYTES_MAX = 8_192;

export interface EstClientOptions {
  /** `https://host[:port]` */
  readonly url: string;
  /** The name in the server's certificate, where that is not the host of the URL. */
  readonly servername?: string | undefined;
  /** The field root (PEM). Null before it is known: then `cacerts` alone may be asked, and nobody is believed. */
  readonly root: string | null;
  readonly answerWithinMs?: number;
  readonly signal?: AbortSignal | undefined;
}

/** Who asks: a one-time code, or a certificate whose key the client has. */
export type EstCredential = { readonly code: string } | KeyAndCertificate;

export interface EstAuthorities {
  /** DER each, unverified. */
  readonly certificates: readonly Uint8Array[];
  /** The server's clock (RFC 9110 §6.6.1); null where it says nothing. */
  readonly serverMs: number | null;
}

/** @throws each ERR_EST_UNREACHABLE, ERR_EST_REFUSED, ERR_EST_LATER, ERR_EST_ANSWER */
export interface EstClient {
  /** @param by the certificate of what follows, so that one connection serves both */
  cacerts(by?: KeyAndCertificate): Promise<EstAuthorities>;
  /** @param request PKCS#10, DER @returns the certificate that was answered, DER, unverified */
  simpleenroll(use: CredentialName, request: Uint8Array, by: EstCredential): Promise<Uint8Array>;
  simplereenroll(use: CredentialName, request: Uint8Array, by: KeyAndCertificate): Promise<Uint8Array>;
  /** The current trust notice of a tenant, unverified. Not of RFC 7030 (docs/adr/0181). */
  notice(tenant: string): Promise<Uint8Array>;
  close(): void;
}

/** `https://host[:port]` and nothing more. */
export function isEstUrl(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return (
    url?.protocol === 'https:' &&
    url.pathname === '/' &&
    [url.username, url.password, url.search, url.hash].every((part) => part === '')
  );
}

interface Asked {
  readonly path: string;
  readonly body?: Uint8Array;
  readonly by?: EstCredential;
}

interface Answer {
  readonly text: string;
  readonly date: string | undefined;
}

export function estClient(options: EstClientOptions): EstClient {
  const { url, servername, root, answerWithinMs = ANSWER_WITHIN_MS, signal } = options;
  if (!isEstUrl(url)) throw pkiError('ERR_EST_URL', 'the EST server is named as https://host[:port]');
  const { hostname, port } = new URL(url);
  const agents = new Map<string, Agent>();

  /** One connection for each certificate: what is asked with it follows at once. */
  const agentOf = async (by: EstCredential | undefined): Promise<Agent> => {
    const { Agent } = await import('node:https');
    const pair = by !== undefined && 'key' in by ? by : undefined;
    const name = pair?.certificate ?? '';
    const agent =
      agents.get(name) ??
      new Agent({
        ...TLS_PARAMETERS,
        ...(root === null ? { rejectUnauthorized: false } : { ca: root }),
        keepAlive: true,
        maxSockets: 1,
        // What a hostile network can keep open is one socket, until close().
        ...(servername === undefined ? {} : { servername }),
        ...(pair === undefined ? {} : { key: pair.key, cert: pair.certificate }),
      });
    agents.set(name, agent);
    return agent;
  };

  const ask = async ({ path, body, by }: Asked): Promise<Answer> => {
    if (root === null && path !== 'cacerts')
      throw pkiError('ERR_EST_UNREACHABLE', 'without a root nothing is asked of an EST server but its own');
    const base64 = body === undefined ? undefined : Buffer.from(body).toString('base64');
    const request: RequestOptions = {
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? 443 : Number(port),
      path: `/.well-known/est/${path}`,
      method: base64 === undefined ? 'GET' : 'POST',
      agent: await agentOf(by),
      maxHeaderSize: HEADER_BYTES_MAX,
      ...(by !== undefined && 'code' in by ? { auth: `device:${by.code}` } : {}),
      headers:
        base64 === undefined
          ? {}
          : {
              'content-type': 'application/pkcs10',
              'content-transfer-encoding': 'base64',
              'content-length': base64.length,
            },
      signal: AbortSignal.any([
        AbortSignal.timeout(answerWithinMs),
        ...(signal === undefined ? [] : [signal]),
      ]),
    };
    try {
      return await answered(request, base64);
    } catch (cause) {
      if (isHesError(cause)) throw cause;
      throw pkiError('ERR_EST_UNREACHABLE', `the EST server at ${url} did not answer`, { cause });
    }
  };

  const enrol = async (asked: Asked): Promise<Uint8Array> => {
    const certificates = certificatesIn((await ask(asked)).text);
    if (certificates.length !== 1)
      throw pkiError('ERR_EST_ANSWER', 'the EST server answered with other than one certificate');
    return certificates[0]!;
  };

  return {
    async cacerts(by) {
      const { text, date } = await ask({ path: 'cacerts', ...(by === undefined ? {} : { by }) });
      const serverMs = Date.parse(date ?? '');
      return { certificates: certificatesIn(text), serverMs: Number.isNaN(serverMs) ? null : serverMs };
    },
    simpleenroll: (use, body, by) => enrol({ path: `${use}/simpleenroll`, body, by }),
    simplereenroll: (use, body, by) => enrol({ path: `${use}/simplereenroll`, body, by }),
    notice: async (tenant) => noticeIn((await ask({ path: `notice/${tenant}` })).text),
    close() {
      for (const agent of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

async function answered(options: RequestOptions, body: string | undefined): Promise<Answer> {
  const { request } = await import('node:https');
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const asked = request(options, resolve);
    asked.on('error', reject);
    asked.end(body);
  });
  const text = await textOf(response);
  const { statusCode: status = 0, headers } = response;
  if (status !== 200) throw refusalOf(status, text, headers['retry-after']);
  return { text, date: headers.date };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of response as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > ANSWER_BYTES_MAX) {
      response.destroy();
      throw pkiError('ERR_EST_ANSWER', `the EST server answered with more than ${ANSWER_BYTES_MAX} bytes`);
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('latin1');
}
