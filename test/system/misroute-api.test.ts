import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deskConfig } from '../../gateway/desk/service/config.ts';
import { startDesk } from '../../gateway/desk/service/start.ts';
import { fakeBus, nobodyAwake } from '../../gateway/desk/testing/fake-bus.ts';
import { ask, type Caller, post } from '../../gateway/desk/testing/office-world.ts';
import { parseConfig } from '../../gateway/runtime/config.ts';
import { Counters } from '../../gateway/runtime/counters.ts';
import { silentLog } from '../../gateway/runtime/log.ts';
import { openOfficeIdentity, readOfficeIdentity, readPassphrase } from '../../pki/office/identity.ts';
import type { Command } from '../../protocol/command/command.ts';
import { commandIdOf } from '../../protocol/command/id.ts';
import { ROLES, type Role } from '../../protocol/command/roles.ts';
import { signCommand } from '../../protocol/command/signed.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { sampleCommand } from '../../protocol/testing/command-samples.ts';
import { Field, PAIRS, TENANTS } from '../support/field.ts';

/**
 * Every operator against every other at the APIs of their desks: whoever's certificate and whoever's signature it is,
 * nothing of one passes at another. All offices hang under one root, so no handshake tells them apart.
 */

const ROLE_NAMES = Object.keys(ROLES) as Role[];

const field = new Field();
type Running = Awaited<ReturnType<typeof startDesk>>;
const desks = new Map<TenantId, Running & { readonly device: DeviceId }>();
const people = new Map<string, ReturnType<typeof openOfficeIdentity>>();

const person = (tenant: TenantId, role: Role) => people.get(`${tenant}/${role}`)!;
/** Without what its own client checks: an attacker's does not. */
const plain = (tenant: TenantId, role: Role): Caller => {
  const { key, cert, ca } = person(tenant, role).tls;
  return { key, cert, ca };
};

beforeAll(async () => {
  const { layout } = field.pki;
  for (const tenant of TENANTS) {
    for (const role of ROLE_NAMES) {
      const files = layout.office.person(tenant, role);
      const passphrase = readPassphrase(files.passphrase);
      people.set(`${tenant}/${role}`, openOfficeIdentity(readOfficeIdentity(files.identity), passphrase));
    }
    const config = parseConfig(deskConfig, {
      mode: 'development',
      tenant,
      database: join(mkdtempSync(join(field.directory, 'desk-')), 'desk.sqlite'),
      listen: { port: 0 },
      tls: layout.office.desk(tenant),
      office: { root: layout.office.root.certificate, issuing: [layout.office.issuing(tenant).certificate] },
      field: {
        root: layout.root.certificate,
        issuers: TENANTS.map((issuer) => ({
          tenant: issuer,
          certificate: layout.issuing(issuer).certificate,
        })),
      },
    });
    const { bus } = fakeBus(tenant, nobodyAwake);
    const running = await startDesk({ config, bus, log: silentLog, counters: new Counters() });
    const { device } = field.device(tenant);
    await running.desk.register(
      {
        device,
        home: tenant,
        medium: 'electricity',
        channels: [{ channel: 0, medium: 'electricity', owner: tenant }],
        certificate: null,
      },
      'desk',
    );
    desks.set(tenant, { ...running, device });
  }
}, 120_000);
afterAll(async () => {
  for (const desk of desks.values()) await desk.stop();
  field.remove();
}, 60_000);

let drawn = 0;
/** A command for the one's meter, signed by somebody of the other's. */
function signed(tenant: TenantId, signer: TenantId, bound = tenant): { device: DeviceId; signed: string } {
  drawn += 1;
  const { device } = desks.get(tenant)!;
  const nowMs = Date.now();
  const command = {
    ...sampleCommand('p1.set'),
    tenant: bound,
    device,
    id: commandIdOf(Buffer.from(drawn.toString(16).padStart(32, '0'), 'hex')),
    counter: nowMs + drawn,
    notBefore: Math.floor(nowMs / 1_000),
    expiry: Math.floor(nowMs / 1_000) + 3_600,
  } as Command;
  const bytes = signCommand({ command, signer: person(signer, 'operator').signer });
  return { device, signed: Buffer.from(bytes).toString('base64') };
}

const commandsAt = async (tenant: TenantId): Promise<number> =>
  (await ask(desks.get(tenant)!.port, plain(tenant, 'supervisor'), '/v1/commands')).json.items.length;

describe('the desk of one operator', () => {
  it('takes its own people, each in his role', async () => {
    for (const tenant of TENANTS)
      for (const role of ROLE_NAMES) {
        const { status, json } = await ask(desks.get(tenant)!.port, plain(tenant, role), '/v1/me');
        expect([status, json]).toEqual([200, { tenant, role, person: role }]);
      }
  }, 60_000);

  it('answers nothing to anybody of another, whatever his role and whatever he asks', async () => {
    for (const [mine, theirs] of PAIRS) {
      const { port, device } = desks.get(mine)!;
      for (const role of ROLE_NAMES) {
        const { status, json } = await ask(port, plain(theirs, role), `/v1/meters/${device}`);
        expect([status, json.code], `${theirs}/${role} at ${mine}`).toEqual([401, 'ERR_TRUST_ISSUER']);
      }
    }
  }, 120_000);

  it('takes no command that somebody of another signed, also where its own people hand it in', async () => {
    for (const [mine, theirs] of PAIRS) {
      const { port } = desks.get(mine)!;
      const byThem = await post(port, plain(mine, 'operator'), '/v1/commands', signed(mine, theirs));
      expect([byThem.status, byThem.json.code], `${theirs} for ${mine}`).toEqual([403, 'ERR_TRUST_ISSUER']);
      // Signed by its own people, and bound to another tenant's topic: replayed from there, or to be.
      const elsewhere = await post(port, plain(mine, 'operator'), '/v1/commands', signed(mine, mine, theirs));
      expect(elsewhere.status, `${mine} bound to ${theirs}`).toBe(422);
    }
    for (const tenant of TENANTS) expect(await commandsAt(tenant)).toBe(0);
  }, 120_000);

  it('knows no meter of another', async () => {
    for (const [mine, theirs] of PAIRS) {
      const { port } = desks.get(mine)!;
      const { device } = desks.get(theirs)!;
      const { status } = await ask(port, plain(mine, 'operator'), `/v1/meters/${device}`);
      expect(status).toBe(404);
    }
  }, 60_000);
});
