import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type MdmStandIn, startMdmStandIn } from '../../../deploy/mdm-standin/standin.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { seededRandom } from '../../runtime/random.ts';
import { routerConfig } from '../config.ts';
import { createRecordWriter } from '../record/write.ts';
import { householdIndex } from '../testing/household.ts';
import { createWorld, type World } from '../testing/world.ts';
import { createMdmClient, type MdmClient } from './client.ts';
import type { MdmRecord } from './sink.ts';

const TENANT = 'ores' as TenantId;
const SEED = 80;
const { mdm } = routerConfig.shape;

const write = createRecordWriter();
const record = (sequence: number, tenant = TENANT): MdmRecord => {
  const index = householdIndex(tenant, '0123456789abcdef' as never, sequence, seededRandom(sequence));
  return { key: `0123456789abcdef/${tenant}/${sequence}`, body: write(index, []) };
};

let world: World;
const open: { close(): Promise<unknown> }[] = [];

beforeAll(() => {
  world = createWorld([TENANT]);
});
afterAll(() => world.remove());
afterEach(async () => {
  for (const resource of open.splice(0).reverse()) await resource.close();
});

/** What a loaded machine needs for an answer that comes, and what is waited for one that does not. */
const PATIENT_MS = 5_000;
const IMPATIENT = { requestMs: 500 };

async function client(url: string, change: object = {}): Promise<MdmClient> {
  const created = await createMdmClient(mdm.parse({ url, requestMs: PATIENT_MS, ...change }));
  open.push(created);
  return created;
}

async function standIn(change: object = {}): Promise<MdmStandIn> {
  const started = await startMdmStandIn({ tenant: TENANT, port: 0, ...change });
  open.push({ close: () => started.stop() });
  return started;
}

/** A server that answers as it is told, and its address. */
async function raw(listener: RequestListener): Promise<string> {
  const server: Server = createServer(listener);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  open.push({
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

/** The block of memory that Node cuts small buffers from: whatever lives longest in it keeps all of it. */
const sharedBlock = (): Buffer => Buffer.from(Buffer.allocUnsafe(1).buffer);

describe('the MDM over HTTP', () => {
  it('leaves no record behind in memory that is shared with what lives longer', async () => {
    const discarding = await raw((request, response) => {
      request.resume().on('end', () => response.end('{"results":[]}'));
    });
    const mdmClient = await client(discarding);
    for (let sequence = 1; sequence <= 8; sequence += 1) {
      const { key, body } = record(sequence);
      const before = sharedBlock();
      expect(await mdmClient.post([{ key, body }])).toMatchObject({ kind: 'answered' });
      // The beginning names the meter; a new block may have begun meanwhile.
      for (const block of [before, sharedBlock()]) expect(block.includes(body.subarray(0, 512))).toBe(false);
    }
  });

  it('counts silence as a failure, within its time', async () => {
    const { url } = await standIn({ faults: { hang: true } });
    const startedMs = performance.now();
    expect(await (await client(url, IMPATIENT)).post([record(1)])).toMatchObject({
      kind: 'failed',
      why: 'timeout',
    });
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });

  it('counts an answer that trickles as a failure, within its time', async () => {
    const url = await raw((_, response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write(' '), 50);
      response.on('close', () => clearInterval(timer));
    });
    expect(await (await client(url, IMPATIENT)).post([record(1)])).toMatchObject({
      kind: 'failed',
      why: 'timeout',
    });
  });

  it('reads no more of an answer than its bound', async () => {
    let sent = 0;
    const url = await raw((_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && sent < 256 * 1_048_576 && response.write(Buffer.alloc(65_536, 0x20)))
          sent += 65_536;
      };
      response.on('drain', more);
      more();
    });
    const target = await client(url, { answerBytesMax: 65_536 });
    expect(await target.post([record(1)])).toMatchObject({ kind: 'failed', why: 'network' });
    expect(sent).toBeLessThan(16 * 1_048_576);
  });

  it('does not follow a redirect: a reading goes to the configured address or nowhere', async () => {
    let reached = 0;
    const elsewhere = await raw((_, response) => {
      reached++;
      response.end('{"results":[]}');
    });
    const url = await raw((_, response) => response.writeHead(307, { location: elsewhere }).end());
    expect(await (await client(url)).post([record(1)])).toMatchObject({ kind: 'failed', why: 'redirect' });
    expect(reached).toBe(0);
  });

  it('counts a port where nobody listens as a failure', async () => {
    const { url, stop } = await startMdmStandIn({ tenant: TENANT, port: 0 });
    await stop();
    expect(await (await client(url)).post([record(1)])).toMatchObject({ kind: 'failed', why: 'network' });
  });

  it.each([
    [500, { kind: 'failed', why: 'status', retryAfterMs: 0 }],
    [503, { kind: 'failed', why: 'status', retryAfterMs: 7_000 }],
    [404, { kind: 'failed', why: 'status' }],
    [401, { kind: 'failed', why: 'denied' }],
    [400, { kind: 'unprocessable' }],
    [413, { kind: 'unprocessable' }],
    [422, { kind: 'unprocessable' }],
  ])('takes status %i for what it is', async (status, result) => {
    const { url } = await standIn({
      faults: { status, ...(status === 503 ? { retryAfterSeconds: 7 } : {}) },
    });
    expect(await (await client(url)).post([record(1)])).toMatchObject(result);
  });

  it('hears the verdict on each record, and takes nothing from answers about others', async () => {
    const { url, setFaults, counts } = await standIn();
    const target = await client(url);
    const verdicts = async (...records: MdmRecord[]) => {
      const result = await target.post(records);
      return result.kind === 'answered' ? [...result.verdicts] : result;
    };
    const strange = record(3, 'farys' as TenantId);
    expect(await verdicts(record(1), strange)).toEqual([
      [record(1).key, { verdict: 'accepted' }],
      [strange.key, { verdict: 'rejected', code: 'tenant' }],
    ]);
    setFaults({ silentAboutEvery: 2, strangers: 3, everyAnswerTwice: true });
    expect(await verdicts(record(1), record(2))).toEqual([[record(1).key, { verdict: 'duplicate' }]]);
    setFaults({ hangUpAfterTaking: true });
    expect(await verdicts(record(4))).toMatchObject({ kind: 'failed' });
    setFaults();
    expect(await verdicts(record(4))).toEqual([[record(4).key, { verdict: 'duplicate' }]]);
    expect(counts()).toMatchObject({ accepted: 3, misrouted: 1, duplicates: 2 });
  });

  it('brings its token, and reads the file again when the token in hand is refused', async () => {
    const tokenFile = join(world.directory, 'token');
    writeFileSync(tokenFile, 'old\n', { mode: 0o600 });
    const { url } = await standIn({ token: 'new' });
    const target = await client(url, { tokenFile });
    expect(await target.post([record(1)])).toMatchObject({ kind: 'failed', why: 'denied' });
    writeFileSync(tokenFile, 'new\n');
    expect(await target.post([record(1)])).toMatchObject({ kind: 'failed', why: 'denied' });
    expect(await target.post([record(1)])).toMatchObject({ kind: 'answered' });
  });

  it('speaks TLS only to the MDM of its CA, and shows its own certificate where it has one', async () => {
    const { front, root } = world.pki.layout;
    const { tls } = world.device(TENANT);
    const file = (name: string, text: string): string => {
      writeFileSync(join(world.directory, name), text, { mode: 0o600 });
      return join(world.directory, name);
    };
    const authority = [
      world.pki.root.pem,
      readFileSync(world.pki.layout.issuing(TENANT).certificate, 'utf8'),
    ];
    const { url } = await standIn({
      tls: {
        cert: readFileSync(front.certificate),
        key: readFileSync(front.key),
        ca: authority,
        requestCert: true,
        rejectUnauthorized: true,
      },
    });
    const own = { certificate: file('mdm.crt', tls.certificate), key: file('mdm.key', tls.key) };
    const post = async (options: object) => (await client(url, { tls: options })).post([record(1)]);
    expect(await post(own)).toMatchObject({ kind: 'failed', why: 'network' });
    expect(await post({ ca: root.certificate })).toMatchObject({ kind: 'failed', why: 'network' });
    expect(await post({ ca: root.certificate, ...own })).toMatchObject({ kind: 'answered' });
  });

  it('survives whatever an MDM answers', async () => {
    let body: Uint8Array = Buffer.alloc(0);
    let status = 200;
    const url = await raw((request, response) => {
      request.resume().on('end', () => response.writeHead(status).end(body));
    });
    const target = await client(url, { answerBytesMax: 65_536 });
    const anything = fc.oneof(
      fc.uint8Array({ maxLength: 4_096 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.anything().map((value) => Buffer.from(JSON.stringify({ results: [value] }) ?? '')),
    );
    const statuses = fc.oneof(fc.constant(200), fc.integer({ min: 200, max: 599 }));
    await fc.assert(
      fc.asyncProperty(anything, statuses, async (bytes, code) => {
        body = bytes;
        status = code;
        const result = await target.post([record(1)]);
        if (result.kind === 'answered') expect(result.verdicts.size).toBe(0);
      }),
      { seed: SEED, numRuns: 150 },
    );
  });
});
