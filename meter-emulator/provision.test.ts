import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createDevelopmentPki,
  type DevelopmentPki,
  type DeviceIdentity,
  issueDevice,
  readDeviceIdentity,
  saveDeviceIdentity,
} from '../pki/development/development.ts';
import { deviceIdentityFile } from '../pki/files/layout.ts';
import type { DeviceId, TenantId } from '../protocol/identity.ts';
import { provisionFleet } from './provision.ts';

const ORES = 'ores' as TenantId;
const ID = '00000000000000a1' as DeviceId;

let data: string;
let pki: DevelopmentPki;
beforeAll(() => {
  data = mkdtempSync(join(tmpdir(), 'hes-provision-'));
  pki = createDevelopmentPki({ directory: join(data, 'pki'), tenants: [ORES], nowMs: Date.now() });
});
afterAll(() => rmSync(data, { recursive: true }));

const file = (): string => deviceIdentityFile(join(data, 'devices'), ID);
/** A start over a device that has this identity. */
async function start(change: (made: DeviceIdentity) => DeviceIdentity): Promise<DeviceIdentity> {
  const made = issueDevice(pki, { device: ID, home: ORES, nowMs: Date.now() });
  saveDeviceIdentity(join(data, 'devices'), change(made));
  const devices = [{ id: ID, home: ORES, guests: [] }];
  expect(await provisionFleet({ devices, data, pki, nowMs: Date.now() })).toBe(0);
  return readDeviceIdentity(file());
}

describe('the start of a fleet', () => {
  it('tells a device of the office that was enrolled before there was one', async () => {
    const known = await start(({ office: _, ...rest }) => rest);
    expect(known.office).toBeDefined();
  });

  it('leaves a device alone that renewed its keys', async () => {
    const fresh = issueDevice(pki, { device: ID, home: ORES, nowMs: Date.now() });
    let before = '';
    await start((made) => {
      before = JSON.stringify({ ...made, agree: fresh.agree, agreeBefore: [made.agree], untold: [ORES] });
      return JSON.parse(before) as DeviceIdentity;
    });
    expect(readFileSync(file(), 'utf8').trim()).toBe(before);
  });

  it('leaves to a device what notices told it of its office', async () => {
    const other = issueDevice(pki, { device: ID, home: ORES, nowMs: Date.now() });
    const issuer = `${other.office!.issuers[ORES]}${other.office!.issuers[ORES]}`;
    const known = await start((made) => ({
      ...made,
      office: { ...made.office!, issuers: { [ORES]: issuer } },
      notices: { [ORES]: 7 },
      revokedPeople: { [ORES]: ['0a'] },
    }));
    expect(known).toMatchObject({ office: { issuers: { [ORES]: issuer } }, notices: { [ORES]: 7 } });
  });
});
