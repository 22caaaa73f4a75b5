import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Log, silentLog } from '../../gateway/runtime/log.ts';
import { HesError } from '../../protocol/errors.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { MdmStandInErrorCode } from './errors.ts';
import { distort, type Faults } from './faults.ts';
import { inspect, type Judgement, type RejectionCode } from './judge.ts';
import { KeySet } from './key-set.ts';
import { LineLog } from './line-log.ts';
import { openRecordOut } from './record-out.ts';

/** Keys are remembered up to here (256 MiB); beyond it the MDM asks for later instead of risking a double. */
const KEYS_MAX = 8_000_000;

/** The router's largest batch, with room. */
const REQUEST_BYTES_MAX = 64 * 1_048_576;

/** Every answer says what this is. */
const SERVER = 'hes-mdm-standin (simulated)';

export interface MdmStandInOptions {
  readonly tenant: TenantId;
  /** 0 for any free one. */
  readonly port: number;
  readonly host?: string;
  /** A file that remembers the keys of what was accepted, on the disk before the answer: a kill forgets nothing. */
  readonly store?: string;
  /** A file for a line `{"tenant","record"}` of everything accepted. Stand-ins of one process may share it. */
  readonly mdmOut?: string;
  readonly faults?: Faults;
  /** HTTPS: key, certificate, and what else a TLS server takes (`requestCert`, `ca`). */
  readonly tls?: Pick<ServerOptions, 'key' | 'cert' | 'ca' | 'requestCert' | 'rejectUnauthorized'>;
  /** Refuse whoever does not bring this bearer token. */
  readonly token?: string;
  readonly keysMax?: number;
  readonly log?: Log;
}

export interface MdmCounts {
  readonly requests: number;
  /** Keys in its memory: what was accepted, before a restart too where there is a store. */
  readonly known: number;
  /** Since this process began. */
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: Readonly<Record<RejectionCode, number>>;
  /** Records of another tenant: whatever brought them here, it must be 0. */
  readonly misrouted: number;
}

export interface MdmStandIn {
  /** Where records are posted. */
  readonly url: string;
  counts(): MdmCounts;
  /** Misbehave from now on, or (with nothing) behave. */
  setFaults(faults?: Faults): void;
  stop(): Promise<void>;
}

/**
 * A simulated MDM of one tenant: a real HTTP server that checks schema, tenant and idempotency key of every
 * record, and remembers what it took. It stands in for an operator's MDM in development and tests, and says so.
 *
 * @throws ERR_STANDIN_LISTEN, ERR_STANDIN_FILE
 */
export async function startMdmStandIn(options: MdmStandInOptions): Promise<MdmStandIn> {
  const { tenant, log = silentLog, host = '127.0.0.1' } = options;
  const keys = new KeySet(options.keysMax ?? KEYS_MAX);
  const out = await asFileError(options.mdmOut, (path) =>
    // Only a memory that outlives the process makes what an earlier one wrote count.
    openRecordOut(path, options.store === undefined ? undefined : { tenant, known: (key) => keys.add(key) }),
  );
  const store = await asFileError(options.store, (path) => openStore(path, keys));
  const counts = {
    requests: 0,
    accepted: 0,
    duplicates: 0,
    misrouted: 0,
    rejected: { schema: 0, tenant: 0, key: 0 },
  };
  let faults = options.faults ?? {};
  let failed = false;
  let kept: Promise<void> = Promise.resolve();

  async function take(records: readonly unknown[]): Promise<Judgement[]> {
    const accepted: { key: string; record: unknown }[] = [];
    const judgements = records.flatMap((record): Judgement[] => {
      const { id, code } = inspect(record, tenant);
      if (code !== undefined) {
        counts.rejected[code]++;
        if (code === 'tenant') counts.misrouted++;
        return id === undefined ? [] : [{ id, verdict: 'rejected', code }];
      }
      if (keys.has(id!)) {
        counts.duplicates++;
        return [{ id: id!, verdict: 'duplicate' }];
      }
      if (keys.full) return [{ id: id!, verdict: 'retry' }];
      keys.add(id!);
      counts.accepted++;
      accepted.push({ key: id!, record });
      return [{ id: id!, verdict: 'accepted' }];
    });
    // A duplicate of what is still on its way to the disk is no duplicate yet: it waits for it as well.
    if (accepted.length > 0) kept = keep(kept, accepted);
    await kept;
    return judgements;
  }

  async function keep(
    before: Promise<void>,
    accepted: readonly { key: string; record: unknown }[],
  ): Promise<void> {
    const written = out?.append(accepted.map(({ record }) => JSON.stringify({ tenant, record })));
    await Promise.all([before, written]);
    await store?.append(accepted.map(({ key }) => key));
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'GET') return send(response, 200, { simulated: true, tenant, counts });
    if (request.method !== 'POST') return send(response, 405, { simulated: true });
    if (options.token !== undefined && request.headers.authorization !== `Bearer ${options.token}`)
      return send(response, 401, { simulated: true });
    counts.requests++;
    const now = faults;
    if (now.delayMs !== undefined) await new Promise((done) => setTimeout(done, now.delayMs).unref());
    const text = await readBody(request);
    if (text === undefined) return send(response, 413, { simulated: true });
    if (now.hang === true) return;
    if (now.status !== undefined) {
      if (now.retryAfterSeconds !== undefined) response.setHeader('retry-after', now.retryAfterSeconds);
      return send(response, now.status, { simulated: true });
    }
    const records = parseRecords(text);
    if (records === undefined) return send(response, 400, { simulated: true });
    if (now.retrySeconds !== undefined)
      return send(response, 200, {
        results: records.map((record) => ({
          id: inspect(record, tenant).id,
          verdict: 'retry',
          seconds: now.retrySeconds,
        })),
      });
    const results = await take(records);
    if (now.hangUpAfterTaking === true) request.socket.destroy();
    else if (now.body !== undefined) response.writeHead(200, { server: SERVER }).end(now.body);
    else send(response, 200, { results: distort(results, now) });
  }

  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    const work = failed ? Promise.reject(new Error('an earlier write failed')) : serve(request, response);
    work.catch((error: unknown) => {
      // What it could not keep it must not acknowledge, now or later: its memory no longer tells the truth.
      if (!failed && !request.destroyed)
        log.error({ err: error, tenant }, 'the simulated MDM cannot keep records');
      failed ||= !request.destroyed;
      if (!response.headersSent) send(response, 503, { simulated: true });
    });
  };
  const server = options.tls === undefined ? createServer(answer) : createTlsServer(options.tls, answer);
  const port = await listen(server, options.port, host);
  log.info({ tenant, port, remembered: keys.size }, 'a simulated MDM is listening');

  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://${host}:${port}/meter-readings`,
    counts: () => ({ ...counts, known: keys.size, rejected: { ...counts.rejected } }),
    setFaults: (next = {}) => {
      faults = next;
    },
    async stop() {
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeAllConnections();
      await closed;
      await kept.catch(() => undefined);
      await store?.close();
      await out?.close();
    },
  };
}

async function openStore(path: string, keys: KeySet): Promise<LineLog> {
  const store = await LineLog.open(path, { durable: true });
  await store.each((key) => keys.add(key));
  return store;
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response
    .writeHead(status, { 'content-type': 'application/json', server: SERVER })
    .end(JSON.stringify(body));
}

/** @returns undefined where the body is larger than the bound. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= REQUEST_BYTES_MAX) chunks.push(chunk);
  }
  return bytes <= REQUEST_BYTES_MAX ? Buffer.concat(chunks).toString('utf8') : undefined;
}

function parseRecords(text: string): readonly unknown[] | undefined {
  try {
    const records: unknown = JSON.parse(text);
    return Array.isArray(records) ? records : undefined;
  } catch {
    return undefined;
  }
}

async function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        standInError(
          'ERR_STANDIN_LISTEN',
          `the simulated MDM cannot listen on port ${port} (${cause.code ?? 'unknown'})`,
          cause,
        ),
      ),
    );
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

async function asFileError<T>(
  path: string | undefined,
  step: (path: string) => Promise<T>,
): Promise<T | undefined> {
  if (path === undefined) return undefined;
  try {
    return await step(path);
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code ?? 'unknown';
    throw standInError('ERR_STANDIN_FILE', `${path}: cannot be opened (${why})`, cause);
  }
}

function standInError(
  code: MdmStandInErrorCode,
  message: string,
  cause: unknown,
): HesError<MdmStandInErrorCode> {
  return new HesError(code, message, { cause });
}
