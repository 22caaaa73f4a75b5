import { connect } from 'node:tls';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EstDoor, expectDevice, openEstDoor, requestFor } from '../testing/est-door.ts';
import { newKeyPair } from '../x509/certify.ts';
import { readCertsOnly } from './cms.ts';
import { BODY_BYTES_MAX } from './limits.ts';

/**
 * Whatever comes to the door of EST over HTTP, and what is no HTTP at all: it is refused with a status of its own, never
 * as a fault of ours, nothing is issued by it, and the next device is served. HES_SEED is another run.
 */
const SEED = Number(process.env['HES_SEED'] ?? 20_261_124);
const RUNS = { seed: SEED, numRuns: 120 } as const;
/** 431 and 408 are node's own, and 400 before anybody was asked. */
const REFUSALS = [400, 401, 403, 408, 413, 417, 429, 431];

let door: EstDoor;
let right: string;
beforeAll(async () => {
  door = await openEstDoor();
  right = await requestFor();
});
afterAll(() => door.close());

const issued = (): number => door.register.certificates.list({ limit: 1_000 }).length;
const paths = [
  'simpleenroll',
  'simplereenroll',
  'sign/simpleenroll',
  'agree/simplereenroll',
  'tls/simpleenroll',
];

async function refusedOrCut(run: () => Promise<{ readonly status: number }>): Promise<void> {
  const before = issued();
  const status = await run().then(
    (answer) => answer.status,
    // The server may close a connection that it wants nothing more of.
    () => 400,
  );
  expect(REFUSALS).toContain(status);
  expect(issued()).toBe(before);
  expect(door.faults).toEqual([]);
}

/** Base64 has several forms of the same octets: without its padding, with spaces, with bits left over. */
const saysTheSame = (body: string | Uint8Array): boolean =>
  Buffer.from(Buffer.from(body).toString('latin1').replaceAll(/\s/g, ''), 'base64').equals(
    Buffer.from(right, 'base64'),
  );

/** A right request of which some characters were changed, and everything that base64 is not. */
const bodies = (): fc.Arbitrary<string | Uint8Array> =>
  fc.oneof(
    fc.uint8Array({ maxLength: 600 }),
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.base64String({ minLength: 4, maxLength: 800 }),
    fc.uint8Array({ minLength: 1, maxLength: 500 }).map((bytes) => Buffer.from(bytes).toString('base64')),
    fc
      .tuple(fc.nat(right.length - 1), fc.constantFrom('A', 'z', '/', '=', '-', '_', '%', '\0', 'AAAA', ''))
      .map(([at, put]) => right.slice(0, at) + put + right.slice(at + 1)),
    fc.nat(right.length - 1).map((length) => right.slice(0, length)),
    fc.integer({ min: BODY_BYTES_MAX + 1, max: BODY_BYTES_MAX * 8 }).map((length) => 'A'.repeat(length)),
  );

describe('EST', () => {
  it('issues nothing for a body that is no request, whoever brings it', async () => {
    const { code } = expectDevice(door, 'a1');
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), bodies(), fc.boolean(), async (path, body, known) => {
        fc.pre(!saysTheSame(body));
        await refusedOrCut(() => door.knock(path, { body, ...(known ? { auth: `installer:${code}` } : {}) }));
      }),
      RUNS,
    );
    // The code is as good as before.
    expect((await door.knock('simpleenroll', { auth: `i:${code}`, body: right })).status).toBe(200);
  });

  it('issues nothing for headers that are none of a client of ours', async () => {
    const text = fc.string({ unit: fc.constantFrom(...'AZaz09+/=:;,. -_"%'), maxLength: 400 });
    const authorization = fc.oneof(
      text,
      text.map((rest) => `Basic ${rest}`),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => `Basic ${Buffer.from(bytes).toString('base64')}`),
      fc.constant(`Basic ${'A'.repeat(3_000)}`),
      fc.constant(`Digest username="x"`),
    );
    const headers = fc.record(
      {
        authorization,
        'content-type': fc.oneof(
          text,
          fc.constant('application/pkcs10; charset=x'),
          fc.constant('application/pkcs10'),
        ),
        'content-transfer-encoding': text,
        expect: fc.constantFrom('100-continue', 'magic'),
        'x-long': fc.integer({ min: 0, max: 8_000 }).map((length) => 'y'.repeat(length)),
      },
      { requiredKeys: ['authorization'] },
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), headers, async (path, more) => {
        await refusedOrCut(() => door.knock(path, { body: right, headers: more }));
      }),
      RUNS,
    );
  });

  it('knows no other paths and methods', async () => {
    const path = fc.oneof(
      fc.string({ unit: fc.constantFrom(...'abz/.%09_-?#=:~'), maxLength: 200 }),
      fc.constantFrom(
        '__proto__',
        'constructor',
        'tls/__proto__',
        '../est/cacerts',
        'cacerts/',
        '%63acerts',
        'notice/../x',
      ),
    );
    const method = fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'HEAD');
    await fc.assert(
      fc.asyncProperty(path, method, async (rest, verb) => {
        await refusedOrCut(() => door.knock(rest.replaceAll('#', ''), { method: verb }));
      }),
      RUNS,
    );
  });

  it('is not impressed by what is no HTTP', async () => {
    const pieces = fc.array(
      fc.oneof(
        fc.uint8Array({ maxLength: 300 }),
        fc
          .constantFrom(
            'POST /.well-known/est/simpleenroll HTTP/1.1\r\nHost: x\r\nContent-Type: application/pkcs10\r\n',
            'Content-Length: 5\r\nContent-Length: 6\r\n\r\nAAAAAA',
            'Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nAAAA\r\n',
            'Transfer-Encoding: chunked\r\n\r\n4;x="\r\nAAAA\r\n0\r\n\r\n',
            'GET /.well-known/est/cacerts HTTP/1.1\r\n\r\n',
            'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
            '\r\n\r\n',
          )
          .map((line) => Buffer.from(line)),
      ),
      { minLength: 1, maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(pieces, async (sent) => {
        const before = issued();
        await new Promise<void>((resolve) => {
          const socket = connect({ host: '127.0.0.1', port: door.port, ca: door.root.certificatePem }, () =>
            socket.end(Buffer.concat(sent)),
          );
          socket.on('error', () => resolve());
          socket.on('close', () => resolve());
          socket.resume();
        });
        expect(issued()).toBe(before);
        expect(door.faults).toEqual([]);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('serves the next device after all of that', async () => {
    const { device, code } = expectDevice(door, 'b2');
    const { status, text } = await door.knock('simpleenroll', {
      auth: `installer:${code}`,
      body: await requestFor(newKeyPair(), device),
    });
    expect(status).toBe(200);
    expect(readCertsOnly(Buffer.from(text, 'base64'))).toHaveLength(1);
  });
});
