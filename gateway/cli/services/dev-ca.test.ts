import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openPki } from '../../../pki/ca/open.ts';
import {
  createDevelopmentPki,
  type DevelopmentPki,
  issueDevice,
} from '../../../pki/development/development.ts';
import { type EstClient, estClient, newDeviceKey, renewalRequest } from '../../../pki/device.ts';
import type { DeviceIdentity } from '../../../pki/identity.ts';
import { startRollover, switchRollover } from '../../../pki/rollover/rollover.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { Counters } from '../../runtime/counters.ts';
import { silentLog } from '../../runtime/log.ts';
import type { RunningService } from '../../runtime/service.ts';
import { freePorts } from '../up/ports.ts';
import { start } from './dev-ca.ts';

const ORES = 'ores' as TenantId;
const RESA = 'resa' as TenantId;
const TENANTS = [ORES, RESA] as const;
/** The roll-over is noticed within seconds. */
const PATIENCE = { timeout: 60_000, interval: 100 };

let directory: string;
let pki: DevelopmentPki;
let ports: readonly number[];
let running: RunningService | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hes-dev-ca-'));
  pki = createDevelopmentPki({ directory: join(directory, 'pki'), tenants: TENANTS, nowMs: Date.now() });
  ports = await freePorts(TENANTS.length);
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
});
afterAll(() => rmSync(directory, { recursive: true }));

async function serve(): Promise<void> {
  const file = join(directory, 'dev-ca.json');
  const listen = { ports: { [ORES]: ports[0], [RESA]: ports[1] } };
  writeFileSync(file, JSON.stringify({ pki: pki.layout.directory, tls: pki.layout.front, listen }));
  const context = { name: 'dev-ca', log: silentLog, counters: new Counters(), signal: AbortSignal.abort() };
  running = await start(context, file);
}

const client = (port: number | undefined, root: string): EstClient =>
  estClient({ url: `https://127.0.0.1:${port}`, servername: 'localhost', root });

async function renew(identity: DeviceIdentity, port: number | undefined): Promise<string> {
  const est = client(port, identity.root);
  try {
    const request = await renewalRequest(identity, 'sign', newDeviceKey());
    await est.simplereenroll('sign', request, identity.tls);
    return 'certified';
  } catch (error) {
    if (!isHesError(error)) throw error;
    return error.code;
  } finally {
    est.close();
  }
}

describe('the CAs of a development PKI in one process', () => {
  it('certify a device at the port of its own operator, and of no other', async () => {
    await serve();
    const [ours, theirs] = TENANTS.map((home) => issueDevice(pki, { home, nowMs: Date.now() }));
    expect(await renew(ours!, ports[0])).toBe('certified');
    expect(await renew(theirs!, ports[1])).toBe('certified');
    expect(await renew(ours!, ports[1])).toBe('ERR_EST_REFUSED');
    expect(await renew(theirs!, ports[0])).toBe('ERR_EST_REFUSED');
  });

  it('are others after a roll-over, on the same ports', async () => {
    await serve();
    const before = issueDevice(pki, { home: ORES, nowMs: Date.now() });
    const open = () => openPki({ directory: pki.layout.directory, nowMs: Date.now() });
    const context = { open, tenant: ORES, clock: { nowMs: Date.now }, by: 'test' };
    startRollover(context, { kind: 'field', leadMs: 0, overlapMs: 60_000, keep: (key) => key });
    switchRollover(context);
    const now = open().authorities.get(ORES)!.certificate.der;
    const named = async (): Promise<boolean> => {
      const est = client(ports[0], before.root);
      try {
        const { certificates } = await est.cacerts();
        return certificates.some((der) => Buffer.from(der).equals(now));
      } finally {
        est.close();
      }
    };
    await vi.waitFor(async () => expect(await named()).toBe(true), PATIENCE);
    expect(await renew(before, ports[0])).toBe('certified');
  });

  it('are not those of production', async () => {
    const manifest = readFileSync(pki.layout.manifest, 'utf8');
    writeFileSync(
      pki.layout.manifest,
      manifest
        .replace('"development":true', '"development":false')
        .replace('"development": true', '"development": false'),
    );
    try {
      await expect(serve()).rejects.toMatchObject({ code: 'ERR_PKI_DEVELOPMENT' });
    } finally {
      writeFileSync(pki.layout.manifest, manifest);
    }
  });
});
