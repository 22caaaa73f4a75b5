import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DeviceId, isDeviceId } from '../../protocol/identity.ts';
import { createAuthority } from '../ca/authority.ts';
import { openRegister } from '../ca/register.ts';
import { writeCertificateRequest } from '../enrolment/request-write.ts';
import { startEst } from '../est/server.ts';
import { type KeyPair, newKeyPair } from '../x509/certify.ts';
import { derOf } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import { DAY_MS, FLUVIUS, makeIssuing, makeLeaf, makeRoot, ORES } from './field.ts';

/** A real EST server over real TLS in this process, with a register of its own, and whoever knocks at it. */

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** What a client does otherwise than a device of ours. */
export interface Knock extends RequestOptions {
  /** Base64 of a request, or whatever else. */
  readonly body?: string | Uint8Array | undefined;
}

export async function openEstDoor() {
  const nowMs = Date.now();
  const since = { notBeforeMs: nowMs - DAY_MS };
  const folder = mkdtempSync(join(tmpdir(), 'hes-est-door-'));
  const root = makeRoot(since);
  const issuing = makeIssuing(root, ORES, since);
  const foreign = makeIssuing(root, FLUVIUS, since);
  const maker = makeRoot({ ...since, subject: { commonName: 'meter works' } });
  const clock = { nowMs: () => Date.now() };
  const register = openRegister({ path: join(folder, 'ca.db'), owner: ORES });
  const authority = createAuthority({ register, tenant: ORES, issuer: issuing, clock });
  const server = makeLeaf(root, {
    ...since,
    profile: PROFILES.frontServer,
    names: { dns: ['localhost'], addresses: [Buffer.of(127, 0, 0, 1)] },
  });
  /** What the server took for its own fault: there is none. */
  const faults: unknown[] = [];
  const est = await startEst({
    authority,
    cacerts: [root.certificate.der, issuing.certificate.der],
    manufacturers: [new X509Certificate(maker.certificatePem)],
    clock,
    listen: { host: '127.0.0.1', port: 0 },
    tls: { cert: server.pem, key: server.keyPem },
    perMinute: 1_000_000,
    count: () => undefined,
    onFault: (error) => faults.push(error),
  });

  const knock = (path: string, { body, ...options }: Knock = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const asked = httpsRequest(
        {
          host: '127.0.0.1',
          port: est.port,
          path: `/.well-known/est/${path}`,
          method: body === undefined ? 'GET' : 'POST',
          ca: root.certificatePem,
          agent: false,
          ...options,
          headers: {
            ...(body === undefined
              ? {}
              : { 'content-type': 'application/pkcs10', 'content-length': body.length }),
            ...(options.headers as Record<string, string> | undefined),
          },
        },
        (response) => {
          response.setEncoding('utf8');
          let text = '';
          response.on('data', (piece: string) => {
            text += piece;
          });
          response.on('error', reject);
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        },
      );
      asked.on('error', reject);
      asked.end(body);
    });

  return {
    nowMs,
    root,
    issuing,
    foreign,
    maker,
    register,
    authority,
    faults,
    port: est.port,
    knock,
    async close() {
      await est.stop();
      register.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type EstDoor = Awaited<ReturnType<typeof openEstDoor>>;

/** Base64 of a right request. */
export async function requestFor(pair: KeyPair = newKeyPair(), commonName = 'a meter'): Promise<string> {
  const pem = await writeCertificateRequest(pair, { profile: PROFILES.deviceTls, commonName, uris: [] });
  return Buffer.from(derOf('CERTIFICATE REQUEST', pem)).toString('base64');
}

/** Registered, with a code that is good for a day. */
export function expectDevice({ register, nowMs }: EstDoor, name: string): { device: DeviceId; code: string } {
  const device = name.padStart(16, '0');
  if (!isDeviceId(device)) throw new Error(`${name} is no name of a device`);
  register.devices.add({ device, home: ORES, guests: [] }, 'test');
  return { device, code: register.devices.newCode(device, nowMs + DAY_MS, 'test') };
}
