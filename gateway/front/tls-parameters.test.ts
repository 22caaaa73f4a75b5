import type { ConnectionOptions } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DeviceIdentity, TLS_PARAMETERS } from '../../pki/trust.ts';
import { type Door, Field, ORES, openDoor } from './testing/fixture.ts';
import { Meter } from './testing/meter.ts';

/** What is stated in one place is what the front speaks, no more and no less. */

let field: Field;
let door: Door;
let device: DeviceIdentity;
beforeAll(async () => {
  field = new Field();
  device = field.device(ORES);
  door = await openDoor(field);
});
afterAll(async () => {
  await door.stop();
  field.remove();
});

async function speaks(options: ConnectionOptions): Promise<boolean> {
  const meter = new Meter(device, door.port, { ciphers: 'ALL:@SECLEVEL=0', ...options });
  const spoken = await meter.secure().then(
    () => true,
    () => false,
  );
  meter.socket.destroy();
  return spoken;
}

describe('the front', () => {
  it.each(TLS_PARAMETERS.ecdhCurve.split(':'))('agrees on a key by %s', async (group) => {
    expect(await speaks({ ecdhCurve: group, minVersion: 'TLSv1.3' })).toBe(true);
  });

  it.each(['P-384', 'P-521', 'X448', 'SecP256r1MLKEM768'])('agrees on none by %s', async (group) => {
    expect(await speaks({ ecdhCurve: group, minVersion: 'TLSv1.3' })).toBe(false);
  });

  it.each(TLS_PARAMETERS.ciphers.split(':'))('encrypts with %s', async (ciphers) => {
    const maxVersion = ciphers.startsWith('TLS_') ? 'TLSv1.3' : 'TLSv1.2';
    expect(await speaks({ ciphers, minVersion: maxVersion, maxVersion })).toBe(true);
  });

  it.each(['ECDHE-ECDSA-AES128-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'ECDHE-RSA-AES128-GCM-SHA256'])(
    'does not with %s',
    async (ciphers) => {
      expect(await speaks({ ciphers, maxVersion: 'TLSv1.2' })).toBe(false);
    },
  );

  it.each(['TLSv1', 'TLSv1.1'] as const)('does not speak %s', async (version) => {
    expect(await speaks({ minVersion: version, maxVersion: version })).toBe(false);
  });
});
