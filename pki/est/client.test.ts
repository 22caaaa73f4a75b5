import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import { writeCertificateRequest } from '../enrolment/request-write.ts';
import { type EstWorld, startEstWorld } from '../testing/est.ts';
import { DEVICE, FARYS, ORES } from '../testing/field.ts';
import { newKeyPair } from '../x509/certify.ts';
import { derOf, toPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import { estClient, isEstUrl } from './client.ts';
import { refusalOf } from './client-answer.ts';
import { writeCertsOnly } from './cms.ts';

/** The client against the server of this system, and against one that is up to no good. */

const folder = mkdtempSync(join(tmpdir(), 'hes-est-client-'));
const SEED = 7_030;
let world: EstWorld;
let hostile: Server;
/** What the hostile server does with the next requests. */
let answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) => response.end();
let hostileUrl: string;

beforeAll(async () => {
  world = await startEstWorld(join(folder, 'pki'), [ORES, FARYS]);
  const { certificate, key } = world.pki.layout.front;
  const tls = { cert: readFileSync(certificate, 'utf8'), key: readFileSync(key, 'utf8') };
  hostile = createServer(tls, (request, response) => answer(request, response));
  await new Promise<void>((resolve) => hostile.listen(0, '127.0.0.1', resolve));
  hostileUrl = `https://127.0.0.1:${(hostile.address() as AddressInfo).port}`;
});
afterAll(async () => {
  hostile.closeAllConnections();
  hostile.close();
  await world.close();
  rmSync(folder, { recursive: true, force: true });
});

const clientOf = (url: string, changes: object = {}) =>
  estClient({ url, servername: 'localhost', root: world.pki.root.pem, ...changes });
const requestOf = async (pair = newKeyPair()) => ({
  pair,
  der: derOf(
    'CERTIFICATE REQUEST',
    await writeCertificateRequest(pair, { profile: PROFILES.deviceTls, commonName: DEVICE, uris: [] }),
  ),
});
const code = (text: string) => expect.objectContaining({ code: text }) as Error;

describe('an EST server is named', () => {
  it.each([
    ['https://ca.example', true],
    ['https://ca.example:8444', true],
    ['https://[::1]:8444', true],
    ['http://ca.example', false],
    ['https://ca.example/est', false],
    ['https://user@ca.example', false],
    ['https://ca.example?x', false],
    ['ca.example', false],
    ['', false],
  ])('%s: %s', (url, good) => {
    expect(isEstUrl(url)).toBe(good);
    if (!good) expect(() => clientOf(url)).toThrow(code('ERR_EST_URL'));
  });
});

describe('a client of EST', () => {
  it('enrols by a code, renews by what it got, and reads a notice', async () => {
    const client = clientOf(world.url);
    const by = { code: world.expect(DEVICE) };
    const { pair, der } = await requestOf();
    const first = await client.simpleenroll('tls', der, by);
    expect(await client.simpleenroll('tls', der, by)).toEqual(first);
    const tls = { key: pair.privateKeyPem, certificate: toPem('CERTIFICATE', first) };
    const renewal = await requestOf();
    const second = await client.simplereenroll('tls', renewal.der, tls);
    expect(await client.simplereenroll('tls', renewal.der, tls)).toEqual(second);
    const { certificates, serverMs } = await client.cacerts(tls);
    expect(certificates).toHaveLength(2);
    expect(Math.abs(serverMs! - Date.now())).toBeLessThan(60_000);
    expect(await client.notice(FARYS)).toEqual(Buffer.from(world.notices.get(FARYS)!));
    client.close();
  });

  it('is told why it is refused, and by which of the server’s own codes', async () => {
    const client = clientOf(world.url);
    const { der } = await requestOf();
    await expect(client.simpleenroll('sign', der, { code: 'none' })).rejects.toMatchObject({
      code: 'ERR_EST_REFUSED',
      context: { status: 401, refusal: 'ERR_CA_CODE' },
    });
    await expect(client.notice('fluvius')).rejects.toMatchObject({
      code: 'ERR_EST_REFUSED',
      message: expect.stringMatching(/notice of fluvius .*notices/),
      context: { status: 404, refusal: 'ERR_EST_NOTICE' },
    });
    client.close();
  });

  it('gives no server its code that the root does not know, or that has another name', async () => {
    const device = '00000000000000aa' as DeviceId;
    const by = { code: world.expect(device) };
    const { der } = await requestOf();
    const elsewhere = clientOf(world.url, { servername: 'elsewhere.example' });
    await expect(elsewhere.simpleenroll('tls', der, by)).rejects.toThrow(code('ERR_EST_UNREACHABLE'));
    const rootless = clientOf(world.url, { root: null });
    await expect(rootless.simpleenroll('tls', der, by)).rejects.toThrow(code('ERR_EST_UNREACHABLE'));
    elsewhere.close();
    rootless.close();
  });

  it('waits no longer than it was told, for a head or for a body', async () => {
    const { der } = await requestOf();
    for (const behave of [
      () => undefined,
      (_: IncomingMessage, response: ServerResponse) => void response.write('A'),
    ]) {
      answer = behave;
      const client = clientOf(hostileUrl, { answerWithinMs: 300 });
      await expect(client.simpleenroll('tls', der, { code: 'x' })).rejects.toThrow(
        code('ERR_EST_UNREACHABLE'),
      );
      client.close();
    }
  });

  it('reads no more than a bound of what does not end', async () => {
    answer = (_, response) => {
      const more = (): void => {
        while (!response.destroyed && response.write('A'.repeat(4_096)));
        if (!response.destroyed) response.once('drain', more);
      };
      response.on('error', () => undefined);
      more();
    };
    const client = clientOf(hostileUrl);
    await expect(client.cacerts()).rejects.toThrow(code('ERR_EST_ANSWER'));
    client.close();
  });

  it('takes nothing but its own errors from whatever a server answers', async () => {
    const whole = Buffer.from(writeCertsOnly([world.pki.root.certificate.der])).toString('base64');
    const { der } = await requestOf();
    const body = fc.oneof(
      fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes)),
      fc.base64String({ maxLength: 600 }).map((text) => Buffer.from(text)),
      fc
        .record({ at: fc.nat(whole.length - 1), to: fc.constantFrom('A', '/', '=', '\n', '\0') })
        .map(({ at, to }) => Buffer.from(whole.slice(0, at) + to + whole.slice(at + 1))),
    );
    const status = fc.constantFrom(200, 200, 200, 202, 204, 301, 400, 401, 403, 404, 418, 429, 500, 503);
    const after = fc.constantFrom(undefined, '', '0', '30', '-1', '99999999999', 'Wed, 21 Oct 2026', 'x');
    const client = clientOf(hostileUrl, { answerWithinMs: 5_000 });
    await fc.assert(
      fc.asyncProperty(status, body, after, async (code, bytes, seconds) => {
        answer = (_, response) => {
          response.statusCode = code;
          if (seconds !== undefined) response.setHeader('retry-after', seconds);
          response.end(code === 204 ? undefined : bytes);
        };
        try {
          const taken = await client.simpleenroll('tls', der, { code: 'x' });
          // One element of a list: what it is, is judged by its own checks.
          expect(code).toBe(200);
          expect(taken.length).toBeGreaterThan(0);
        } catch (error) {
          expect(isHesError(error), String(error)).toBe(true);
          const { message } = error as Error;
          expect(message.length).toBeLessThan(400);
          // Nothing that a terminal would obey.
          expect(/[\x00-\x1f\x7f-\uffff]/.test(message)).toBe(false);
        }
      }),
      { seed: SEED, numRuns: 300 },
    );
    client.close();
  });

  it('comes back when it is asked to, in no less than seconds and no more than a day', () => {
    const seconds = (text: string | undefined) => refusalOf(503, '', text).context['seconds'];
    expect(['0', '30', '999999999', undefined, 'x'].map(seconds)).toEqual([5, 30, 86_400, 60, 60]);
  });
});
