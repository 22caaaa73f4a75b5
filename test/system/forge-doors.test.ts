import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditHead } from '../../gateway/desk/audit/row.ts';
import { toPem } from '../../pki/x509/pem.ts';
import { apiFace } from '../support/marco-api.ts';
import { port } from './forge-craft.ts';
import { Orders } from './forge-orders.ts';
import { FARYS, ORES } from './forge-people.ts';
import { ForgeWorld } from './forge-world.ts';

/** It cannot forge: no key but a person's opens the API, and an audit that was changed shows it. */

let world: ForgeWorld;
let orders: Orders;
beforeAll(async () => {
  world = await ForgeWorld.create();
  orders = new Orders(world);
}, 120_000);
afterAll(() => world.close(), 120_000);

/** Keys of somebody who calls the API. */
const callers = (): readonly (readonly [caller: string, key: string, cert: string, refused?: RegExp])[] => {
  const { pki } = world.field;
  const text = (file: string): string => readFileSync(file, 'utf8');
  const desk = pki.layout.office.desk(ORES);
  const device = world.field.device(ORES);
  const operator = world.office.person('operator');
  const guest = world.office.person('operator', FARYS).tls;
  const issuing = pki.office!.authorities.get(ORES)!.certificatePem;
  const field = pki.authorities.get(ORES)!.certificatePem;
  const signature = {
    key: operator.signer.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: toPem('CERTIFICATE', operator.signer.certificate) + issuing,
  };
  return [
    ['the desk’s own TLS key', text(desk.key), text(desk.certificate)],
    ['the front’s TLS key', text(pki.layout.front.key), text(pki.layout.front.certificate)],
    ['a meter', device.tls.key, device.tls.certificate + field],
    ['a person of another tenant', guest.key, guest.cert, /^401 ERR_TRUST_ISSUER/],
    ['the key that a person signs with', signature.key, signature.cert],
  ];
};

describe('the API', () => {
  it('opens to nobody but the people of its tenant, whatever key somebody holds', async () => {
    const command = await orders.half(await world.meter());
    const operator = world.office.person('operator');
    // Who has no certificate for this use is refused by TLS itself.
    for (const [caller, key, cert, refused = /./] of callers()) {
      const face = apiFace(`https://localhost:${world.desk.port}`, { tls: { ...operator.tls, key, cert } });
      await expect(face.get('/v1/me'), caller).rejects.toThrow(refused);
      await expect(face.post(`/v1/commands/${command.id}/cancel`, {}), caller).rejects.toThrow(refused);
      face.close();
    }
    expect((await orders.stored(command.id)).state).toBe('awaiting-approval');
    const own = apiFace(`https://localhost:${world.desk.port}`, operator);
    expect(await own.get('/v1/me')).toMatchObject({ tenant: ORES, person: 'operator' });
    own.close();
  });
});

const hes = resolve(import.meta.dirname, '../../gateway/cli/hes.ts');

/** `hes audit verify` on a copy of the database, after this was done to the copy. */
function audited(copy: string, sql: readonly string[], heads: readonly AuditHead[] = []) {
  const file = join(world.field.directory, `${copy}.sqlite`);
  const from = new DatabaseSync(world.database);
  from.prepare('VACUUM INTO ?').run(file);
  from.close();
  const database = new DatabaseSync(file);
  for (const { name } of database.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").all())
    database.exec(`DROP TRIGGER ${String(name)}`);
  for (const line of sql) database.exec(line);
  database.close();
  const known = heads.flatMap(({ n, hash }) => ['--head', `${n}:${hash}`]);
  const { status, stdout } = spawnSync(process.execPath, [hes, 'audit', 'verify', file, '--json', ...known], {
    encoding: 'utf8',
  });
  const said = JSON.parse(stdout) as {
    whole: boolean;
    faults: { n: number; fault: string }[];
    head: AuditHead;
  };
  return { status, ...said };
}

describe('the audit of a desk', () => {
  it('is whole after all of this, and its verifier says so', async () => {
    await orders.give(port(world, await world.meter()));
    expect(audited('whole', [])).toMatchObject({ status: 0, whole: true, faults: [] });
  });

  it.each([
    { what: 'somebody else is said to have done it', sql: "actorName = 'bob'" },
    { what: 'another code is written', sql: "code = 'expired'" },
    { what: 'another command is named', sql: "command = 'ffffffffffffffffffffffffffffffff'" },
    { what: 'it is said to have been earlier', sql: 'atMs = atMs - 1' },
    { what: 'its digest is that of other bytes', sql: "digest = '00'" },
  ])('shows it where $what', ({ what, sql }) => {
    const { status, faults } = audited(`edited-${what.replaceAll(' ', '-')}`, [
      `UPDATE audit SET ${sql} WHERE n = 3`,
    ]);
    expect(status).toBe(1);
    expect(faults).toContainEqual({ n: 3, fault: 'edited' });
  });

  it('shows a row that was taken out, and the last ones against a head that was kept elsewhere', () => {
    expect(audited('removed', ['DELETE FROM audit WHERE n = 3']).faults).toContainEqual({
      n: 3,
      fault: 'removed',
    });
    const { head } = audited('head', []);
    const cut = ['DELETE FROM audit WHERE n = (SELECT MAX(n) FROM audit)'];
    expect(audited('unknown', cut).faults).toEqual([]);
    expect(audited('truncated', cut, [head])).toMatchObject({
      status: 1,
      faults: [{ n: head.n, fault: 'truncated' }],
    });
  });
});
