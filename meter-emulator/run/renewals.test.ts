import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { createDevelopmentPki, type DeviceIdentity, issueDevice } from '../../pki/development/development.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { FleetRenewals } from './renewals.ts';

const ORES = 'ores' as TenantId;
const DEVICES = 12;
const HOUR_SECONDS = 3_600;

let directory: string;
let identity: DeviceIdentity;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hes-renewals-'));
  const pki = createDevelopmentPki({ directory: join(directory, 'pki'), tenants: [ORES], nowMs: Date.now() });
  identity = issueDevice(pki, { home: ORES, nowMs: Date.now() });
});
afterAll(() => rmSync(directory, { recursive: true }));

function fleet() {
  const renewals = new FleetRenewals({
    // Nobody is asked: nothing is due.
    servers: { [ORES]: 'https://127.0.0.1:1' },
    random: seededRandom('renewals'),
    log: silentLog,
    counters: new Counters(),
  });
  const looks = new Map<DeviceId, number>();
  const open = (number: number, home = ORES) => {
    const device = number.toString(16).padStart(16, '0') as DeviceId;
    looks.set(device, 0);
    const load = (): DeviceIdentity => {
      looks.set(device, looks.get(device)! + 1);
      return { ...identity, device };
    };
    return renewals.open({ device, load }, { home, file: join(directory, device) });
  };
  return { renewals, looks, open };
}

describe('the renewals of a fleet', () => {
  it('look at each device once an hour, one after the other', () => {
    const { renewals, looks, open } = fleet();
    for (let number = 0; number < DEVICES; number++) open(number);
    for (let second = 0; second < HOUR_SECONDS / 2; second++) renewals.tick();
    expect([...looks.values()].filter((count) => count === 1)).toHaveLength(DEVICES / 2);
    for (let second = 0; second < HOUR_SECONDS / 2; second++) renewals.tick();
    expect(new Set(looks.values())).toEqual(new Set([1]));
  });

  it('go on where devices come and go', async () => {
    const { renewals, looks, open } = fleet();
    for (let number = 0; number < DEVICES; number++) open(number);
    await renewals.close([...looks.keys()][0]!);
    for (let second = 0; second < HOUR_SECONDS; second++) renewals.tick();
    expect([...looks.values()]).toEqual([0, ...Array.from({ length: DEVICES - 1 }, () => 1)]);
  });

  it('are not there for a device whose home nobody serves', () => {
    expect(fleet().open(1, 'resa' as TenantId)).toBeNull();
  });
});
