import type { X509Certificate } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket, TlsOptions } from 'node:tls';
import { isHesError } from '../../protocol/errors.ts';
import { isTenantId, type TenantId } from '../../protocol/identity.ts';
import type { Authority } from '../ca/authority.ts';
import { CREDENTIAL_NAMES, type CredentialName } from '../enrolment/request.ts';
import { pkiError } from '../errors.ts';
import { TLS_PARAMETERS } from '../verify/tls-parameters.ts';
import { der, derOid, TAG } from '../x509/der.ts';
import { writeCertsOnly } from './cms.ts';
import { createEnrolment, type Enrolment } from './enrolment.ts';
import * as limits from './limits.ts';
import { AddressRate } from './rate.ts';
import { answerOf } from './status.ts';

/**
 * Enrolment over Secure Transport (RFC 7030) for one tenant's devices: cacerts, csrattrs, simpleenroll and
 * simplereenroll, each also under a label (§3.2.2) that says which of the three keys is meant; without one it is that
 * of TLS. docs/adr/0175.
 */
export interface EstOptions {
  readonly authority: Authority;
  /** DER: what `cacerts` hands out, the field root and the issuing CA. */
  readonly cacerts: readonly Uint8Array[];
  readonly manufacturers: readonly X509Certificate[];
  readonly clock: { nowMs(): number };
  /**
   * The current notice of a tenant, this one's or a guest's: what a device that enrols here learns its owners' keys and
   * offices from (docs/adr/0181). Public, and signed by the tenant itself.
   */
  readonly notice?: (tenant: TenantId) => Uint8Array | undefined;
  /**
   * Told of a client's certificate (DER) that the register does not have, before it is refused: to enter it, or to throw.
   * For a development PKI, whose fleet was issued without a register (ca/adopt.ts); left out, nobody gets in so.
   */
  readonly adopt?: (certificate: Uint8Array) => void;
  /**
   * Whether the CA that was opened is still the present one. Where a roll-over has put another in its place, whoever asks
   * for a certificate is told to come later, to the new one: a device that heard of it asks for nothing else.
   */
  readonly isPresent?: () => boolean;
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM, chain and key. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** Requests of one address a minute: many meters may share the address of their operator. */
  readonly perMinute: number;
  readonly count: (name: string) => void;
  /** Told of what is our own fault. */
  readonly onFault: (error: unknown) => void;
}

export interface EstServer {
  readonly port: number;
  /** Show new connections this certificate; those that are open stay with theirs. */
  setServerKey(renewed: EstOptions['tls']): void;
  stop(): Promise<void>;
}

interface Asked {
  readonly use: CredentialName;
  /** Of whom a notice is asked for. */
  readonly tenant?: TenantId;
  readonly request: IncomingMessage;
  readonly context: { readonly options: EstOptions; readonly enrolment: Enrolment };
}

interface Operation {
  readonly method: 'GET' | 'POST';
  readonly type: string;
  readonly answer: (asked: Asked) => Uint8Array | Promise<Uint8Array>;
}

/** RFC 7030 §4.5.2: a key of P-256, and ES256 to prove that one has it. Names are not asked for: they are known. */
const CSR_ATTRIBUTES = der(
  TAG.sequence,
  der(TAG.sequence, derOid('1.2.840.10045.2.1'), der(TAG.set, derOid('1.2.840.10045.3.1.7'))),
  derOid('1.2.840.10045.4.3.2'),
);

const CERTS_ONLY = 'application/pkcs7-mime; smime-type=certs-only';

/** Not of RFC 7030: `/.well-known/est/notice/{tenant}`. */
const NOTICE: Operation = {
  method: 'GET',
  type: 'application/cose',
  answer({ tenant, context }) {
    const notice = tenant === undefined ? undefined : context.options.notice?.(tenant);
    if (notice === undefined)
      throw pkiError(
        'ERR_EST_NOTICE',
        `there is no notice of ${tenant ?? 'this tenant'} here: its file belongs under notices in the configuration of this CA`,
      );
    return notice;
  },
};

const OPERATIONS: Readonly<Record<string, Operation>> = {
  cacerts: {
    method: 'GET',
    type: 'application/pkcs7-mime',
    answer: ({ context }) => writeCertsOnly(context.options.cacerts),
  },
  csrattrs: { method: 'GET', type: 'application/csrattrs', answer: () => CSR_ATTRIBUTES },
  simpleenroll: {
    method: 'POST',
    type: CERTS_ONLY,
    async answer({ use, request, context: { enrolment } }) {
      const code = codeOf(request);
      const peer = code === undefined ? peerOf(request) : undefined;
      const body = await bodyOf(request);
      const issued =
        code === undefined ? enrolment.byBirth(use, peer!, body) : enrolment.byCode(use, code, body);
      return writeCertsOnly([issued.certificate]);
    },
  },
  simplereenroll: {
    method: 'POST',
    type: CERTS_ONLY,
    async answer({ use, request, context: { enrolment } }) {
      const peer = peerOf(request);
      return writeCertsOnly([enrolment.again(use, peer, await bodyOf(request)).certificate]);
    },
  },
};

/** @throws ERR_EST_LISTEN */
export async function startEst(options: EstOptions): Promise<EstServer> {
  const { authority, manufacturers, clock, listen, tls, perMinute, count, onFault, adopt } = options;
  const context = { options, enrolment: createEnrolment({ authority, manufacturers, clock, adopt }) };
  const rate = new AddressRate(perMinute);

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    count('est.requests');
    response.on('error', () => undefined);
    try {
      rate.take(request.socket.remoteAddress ?? '', clock.nowMs());
      const { operation, name, ...asked } = operationOf(request);
      if (operation.method === 'POST' && options.isPresent?.() === false) throw replaced();
      const answer = await operation.answer({ ...asked, request, context });
      count(`est.${name}`);
      reply(response, 200, operation.type, base64(answer));
    } catch (error) {
      const { status, text } = answerOf(error);
      count(`est.refused.${status}`);
      const isReplaced = isHesError(error, 'ERR_EST_REPLACED');
      if (status >= 500 && !isReplaced) onFault(error);
      if (response.destroyed || response.headersSent) return void response.destroy();
      if (status === 401) response.setHeader('www-authenticate', 'Basic realm="one-time code"');
      const laterSeconds = isReplaced ? limits.REPLACED_AFTER_SECONDS : limits.RETRY_AFTER_SECONDS;
      if (status === 503) response.setHeader('retry-after', laterSeconds);
      response.setHeader('connection', 'close');
      reply(response, status, 'text/plain', text);
    }
  };

  /** What a new context has to be given again; the others are the server's. */
  const contextOptions = {
    ...TLS_PARAMETERS,
    minVersion: 'TLSv1.3',
    // Named in the handshake, so that a client knows which of its certificates is meant. Which one opens the door is
    // judged in enrolment.ts: OpenSSL would want a root, and below a root there are other tenants and fronts.
    ca: [authority.issuer.certificatePem, ...manufacturers.map((ca) => ca.toString())],
  } satisfies TlsOptions;

  const server = createServer(
    {
      ...contextOptions,
      ...tls,
      requestCert: true,
      // Whoever has a one-time code has no certificate yet.
      rejectUnauthorized: false,
      handshakeTimeout: limits.HANDSHAKE_WITHIN_MS,
      connectionsCheckingInterval: limits.LOOK_EVERY_MS,
      maxHeaderSize: limits.HEADER_BYTES_MAX,
      ALPNProtocols: ['http/1.1'],
      noDelay: true,
    },
    (request, response) => void serve(request, response),
  );
  server.maxConnections = limits.CONNECTIONS_MAX;
  server.requestTimeout = limits.REQUEST_WITHIN_MS;
  server.headersTimeout = limits.REQUEST_WITHIN_MS;
  server.keepAliveTimeout = limits.IDLE_MS;
  server.on('tlsClientError', () => count('est.handshakes.failed'));
  await listening(server, listen);
  return {
    port: (server.address() as AddressInfo).port,
    setServerKey(renewed) {
      // Node draws other ticket keys for a new context where none are given, and every session would end with it.
      server.setSecureContext({ ...contextOptions, ...renewed, ticketKeys: server.getTicketKeys() });
    },
    async stop() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      const grace = setTimeout(() => server.closeAllConnections(), limits.FINISH_WITHIN_MS);
      await closed;
      clearTimeout(grace);
    },
  };
}

function listening(server: Server, { host, port }: EstOptions['listen']): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) =>
      reject(pkiError('ERR_EST_LISTEN', `EST cannot listen on ${host} port ${port}`, { cause })),
    );
    server.listen(port, host, () => resolve());
  });
}

const replaced = () => pkiError('ERR_EST_REPLACED', 'the CA was replaced and is opened again: come later');
const bad = (why: string) => pkiError('ERR_EST_REQUEST', why);

/** `/.well-known/est/[label/]operation`. @throws ERR_EST_REQUEST */
function operationOf({ url = '', method = '' }: IncomingMessage) {
  const [, wellKnown, est, ...rest] = url.length > limits.URL_LENGTH_MAX ? [] : url.split('/');
  const [name = ''] = rest.slice(-1);
  const isEst = wellKnown === '.well-known' && est === 'est';
  if (isEst && rest.length === 2 && rest[0] === 'notice' && isTenantId(name) && method === NOTICE.method)
    return { operation: NOTICE, name: 'notice', use: CREDENTIAL_NAMES[0]!, tenant: name };
  const label = rest.length === 2 ? rest[0] : CREDENTIAL_NAMES[0];
  const use = CREDENTIAL_NAMES.find((credential) => credential === label);
  const operation = Object.hasOwn(OPERATIONS, name) ? OPERATIONS[name] : undefined;
  if (!isEst || rest.length > 2 || use === undefined || !operation)
    throw bad('there is no such path: /.well-known/est/[tls|sign|agree/]cacerts and the others of RFC 7030');
  if (method !== operation.method) throw bad(`${name} is asked for by ${operation.method}`);
  return { operation, name, use };
}

/** The client's certificate, whose key TLS has seen; nothing else of it was judged. @throws ERR_EST_CLIENT */
function peerOf({ socket }: IncomingMessage): X509Certificate {
  const peer = (socket as TLSSocket).getPeerX509Certificate();
  if (peer === undefined)
    throw pkiError('ERR_EST_CLIENT', 'there is neither a client certificate nor a one-time code');
  return peer;
}

const BASIC = /^Basic ([A-Za-z0-9+/]{1,256}={0,2})$/i;

/** RFC 7617: the code is the password, and the user name is the installer's to choose. */
function codeOf({ headers }: IncomingMessage): string | undefined {
  const { authorization } = headers;
  if (authorization === undefined) return undefined;
  const [, credentials = ''] = BASIC.exec(authorization) ?? [];
  const [, ...password] = Buffer.from(credentials, 'base64').toString('utf8').split(':');
  return password.join(':');
}

/** RFC 7030 §4.2.1, RFC 8951 §3: base64 of the DER, with or without line ends. @throws ERR_EST_REQUEST */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const [type = ''] = (request.headers['content-type'] ?? '').split(';', 1);
  if (type.trim().toLowerCase() !== 'application/pkcs10') throw bad('the body is application/pkcs10');
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    length += piece.length;
    if (length > limits.BODY_BYTES_MAX) throw bad('the body is longer than any request of ours');
    pieces.push(piece);
  }
  const text = Buffer.concat(pieces).toString('latin1').replaceAll(/\s/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw bad('the body is no base64');
  return Buffer.from(text, 'base64');
}

const LINE_CHARACTERS = 64;

const base64 = (bytes: Uint8Array): string => {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
  return `${text.match(new RegExp(`.{1,${LINE_CHARACTERS}}`, 'g'))!.join('\n')}\n`;
};

function reply(response: ServerResponse, status: number, type: string, text: string): void {
  const isBase64 = status === 200 ? { 'content-transfer-encoding': 'base64' } : {};
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    ...isBase64,
  });
  response.end(text);
}
