import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isHesError } from '../../../../protocol/errors.ts';
import type { TenantId } from '../../../../protocol/identity.ts';
import { type StoreFixture, storeContract } from '../contract.ts';
import { auditEntry, idOf, newCommand, ORES } from '../contract-samples.ts';
import { MIGRATIONS, SCHEMA_VERSION } from './schema.ts';
import { openSqliteStore } from './store.ts';

const EVIDENCE = { payload: Uint8Array.of(1), signed: Uint8Array.of(2) };

storeContract('SQLite', async (): Promise<StoreFixture> => {
  const directory = mkdtempSync(join(tmpdir(), 'hes-desk-'));
  const path = join(directory, 'desk.sqlite');
  let store = openSqliteStore({ path, tenant: ORES });
  return {
    store,
    async reopen() {
      await store.close();
      store = openSqliteStore({ path, tenant: ORES });
      return store;
    },
    async dispose() {
      await store.close();
      rmSync(directory, { recursive: true });
    },
  };
});

describe('the file of a desk', () => {
  let directory: string;
  let path: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hes-desk-'));
    path = join(directory, 'data', 'desk.sqlite');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const opening = (tenant = ORES): string => {
    try {
      openSqliteStore({ path, tenant });
      return 'none';
    } catch (error) {
      return isHesError(error) ? error.code : String(error);
    }
  };

  it('is refused to the desk of another tenant, and where it is no database or newer than the program', async () => {
    await openSqliteStore({ path, tenant: ORES }).close();
    expect(opening('resa' as TenantId)).toBe('ERR_DESK_STORE_TENANT');
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION + 1}`);
    database.close();
    expect(opening()).toBe('ERR_DESK_STORE_VERSION');
    path = directory;
    expect(opening()).toBe('ERR_DESK_STORE');
  });

  it('is brought along from every earlier version, with what is in it', async () => {
    for (let version = 1; version < SCHEMA_VERSION; version++) {
      path = join(directory, `version-${version}.sqlite`);
      const old = new DatabaseSync(path);
      for (const step of MIGRATIONS.slice(0, version)) old.exec(step);
      old.exec(`PRAGMA user_version = ${version}`);
      old.exec(`INSERT INTO desk (tenant) VALUES ('${ORES}')`);
      old.exec(`INSERT INTO meters (device, home, medium, channels, creditMode, tariffPlan, breaker, followedAt)
        VALUES ('${newCommand(1).device}', '${ORES}', 'gas', '[]', 'prepaid', 'bi', 'closed', '{}')`);
      old.close();
      const store = openSqliteStore({ path, tenant: ORES });
      expect(await store.meter(newCommand(1).device)).toMatchObject({ medium: 'gas', creditMode: 'prepaid' });
      expect(await store.channelsWithEan(newCommand(1).device, '541448820000000017')).toEqual([]);
      await store.close();
    }
  });

  it('says of old refusals, too, whose they were', async () => {
    path = join(directory, 'refusals.sqlite');
    const old = new DatabaseSync(path);
    for (const step of MIGRATIONS.slice(0, 4)) old.exec(step);
    old.exec('PRAGMA user_version = 4');
    const states = [
      ['refused', 'device'],
      ['refused', 'desk'],
      ['executed', 'device'],
    ] as const;
    for (const [at, [state, actor]] of states.entries()) {
      const { id, device, type, person, role, digest } = newCommand(at + 1);
      old
        .prepare(
          `INSERT INTO commands (id, device, type, thing, state, person, role, counter, notBefore, expiry, digest,
             proposedAtMs, changedAtMs) VALUES (?, ?, ?, 'read', ?, ?, ?, 1, 1, 2, ?, 1, 1)`,
        )
        .run(id, device, type, state, person, role, digest);
      old
        .prepare(
          `INSERT INTO audit (atMs, event, actorKind, command, toState, previous, hash)
             VALUES (1, ?, ?, ?, ?, '', '')`,
        )
        .run(actor === 'desk' ? 'guarded' : state, actor, id, state);
    }
    old.close();
    const store = openSqliteStore({ path, tenant: ORES });
    for (const [at, expected] of ['device', 'desk', null].entries())
      expect((await store.command(idOf(at + 1)))!.refusedBy).toBe(expected);
    await store.close();
  });

  it('is its owner’s alone', async () => {
    const store = openSqliteStore({ path, tenant: ORES });
    await store.transaction((transaction) => transaction.audit(auditEntry()));
    for (const file of [path, `${path}-wal`, `${path}-shm`])
      expect(statSync(file).mode & 0o077, file).toBe(0);
    await store.close();
  });

  it('refuses by itself to edit or delete audit rows and commands', async () => {
    const store = openSqliteStore({ path, tenant: ORES });
    await store.transaction(async (transaction) => {
      await transaction.insert(newCommand(1, { state: 'executed' }), EVIDENCE);
      await transaction.audit(auditEntry());
    });
    await store.close();
    const database = new DatabaseSync(path);
    for (const sql of [
      `UPDATE audit SET reason = 'another'`,
      'DELETE FROM audit',
      'DELETE FROM commands',
      `UPDATE commands SET state = 'queued' WHERE id = '${idOf(1)}'`,
    ])
      expect(() => database.exec(sql), sql).toThrow(/not (edited|deleted|change)|does not change/);
    database.close();
  });

  it('reads so many rows for a page and no more: it may be empty and have a next', async () => {
    const store = openSqliteStore({ path, tenant: ORES });
    await store.transaction(async (transaction) => {
      for (let number = 1; number <= 5_100; number++)
        await transaction.insert(
          newCommand(number, { person: 'ann', type: number === 1 ? 'read.now' : 'p1.set' }),
          EVIDENCE,
        );
    });
    const filter = { person: 'ann', type: 'read.now' } as const;
    const first = await store.commands({ filter, limit: 10 });
    expect(first.items).toEqual([]);
    const second = await store.commands({ filter, limit: 10, before: first.next! });
    expect([second.items.map(({ id }) => id), second.next]).toEqual([[idOf(1)], null]);
    await store.close();
  });

  it('commits what came in one turn together, and answers only then', async () => {
    const store = openSqliteStore({ path, tenant: ORES });
    const other = new DatabaseSync(path, { readOnly: true });
    const seen = other.prepare('SELECT count(*) AS count FROM commands');
    const counts: unknown[] = [];
    await Promise.all(
      Array.from({ length: 100 }, async (_, number) => {
        await store.transaction((transaction) => transaction.insert(newCommand(number + 1), EVIDENCE));
        counts.push(seen.get()!['count']);
      }),
    );
    expect(new Set(counts)).toEqual(new Set([100]));
    other.close();
    await store.close();
  });
});
