import type { DatabaseSync } from 'node:sqlite';
import type { CommandType } from '../../../../protocol/command/table.ts';
import type { TenantId } from '../../../../protocol/identity.ts';
import { type AuditEntry, type AuditHead, type AuditRow, chained, genesis } from '../../audit/row.ts';
import { oldestKeptAt, periodsAt, USAGE_KINDS, type Usage, type UsageKind } from '../../audit/usage.ts';
import type { Row } from './commands.ts';

/** The chain, the usage that is counted beside it, and the minutes in which people proposed. */

function auditOf(tenant: TenantId, row: Row): AuditRow {
  const { actorKind, actorName, actorRole, fromState, toState, ...rest } = row;
  const actor = { kind: actorKind, name: actorName, role: actorRole };
  return { ...rest, tenant, actor, from: fromState, to: toState } as unknown as AuditRow;
}

export function auditReader(database: DatabaseSync, tenant: TenantId) {
  const last = database.prepare('SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1');
  const rows = database.prepare('SELECT * FROM audit WHERE n > ? ORDER BY n LIMIT ?');
  const usage = database.prepare('SELECT * FROM usage WHERE kind = ? ORDER BY period, event, type, role');
  return {
    head(): AuditHead {
      const row = last.get();
      return row === undefined ? genesis(tenant) : { n: Number(row['n']), hash: String(row['hash']) };
    },
    rows: (after: number, limit: number): readonly AuditRow[] =>
      rows.all(after, limit).map((row) => auditOf(tenant, row)),
    // No type and no role are empty texts there: a key has no NULL.
    usage: (kind: UsageKind): readonly Usage[] =>
      usage
        .all(kind)
        .map((row) => ({ ...row, type: row['type'] || null, role: row['role'] || null }) as unknown as Usage),
  };
}

/** In what a window of an hour begins and ends: a question adds up sixty rows. */
const MINUTE_MS = 60_000;
/** Windows are of an hour; twice that is certainly out of their reach. */
const MINUTES_KEPT = 120;

export function auditWriter(database: DatabaseSync, tenant: TenantId) {
  const { head } = auditReader(database, tenant);
  const append = database.prepare(`
    INSERT INTO audit (n, atMs, event, actorKind, actorName, actorRole, device, command, type, fromState, toState,
      code, reason, digest, previous, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const use = database.prepare(`
    INSERT INTO usage (kind, period, event, type, role, count) VALUES (?, ?, ?, ?, ?, 1)
    ON CONFLICT DO UPDATE SET count = count + 1 RETURNING count`);
  const forget = database.prepare('DELETE FROM usage WHERE kind = ? AND period < ?');
  const proposed = database.prepare(
    'SELECT sum(count) AS count FROM proposals WHERE person = ? AND type = ? AND minute >= ?',
  );
  const propose = database.prepare(`
    INSERT INTO proposals (person, type, minute, count) VALUES (?, ?, ?, 1)
    ON CONFLICT DO UPDATE SET count = count + 1`);
  const forgetMinutes = database.prepare(
    'DELETE FROM proposals WHERE person = ? AND type = ? AND minute < ?',
  );

  function count({ atMs, event, type, actor }: AuditEntry): void {
    const periods = periodsAt(atMs / 1_000);
    for (const kind of USAGE_KINDS) {
      const row = use.get(kind, periods[kind], event, type ?? '', actor.role ?? '');
      // Something new in a period: the moment to forget those that are over their time.
      if (row?.['count'] === 1) forget.run(kind, oldestKeptAt(atMs / 1_000)[kind]);
    }
  }

  return {
    audit(entry: AuditEntry): AuditRow {
      const row = chained(tenant, head(), entry);
      const { n, atMs, event, actor, device, command, type, from, to, code, reason, digest } = row;
      const { kind, name, role } = actor;
      append.run(
        ...[n, atMs, event, kind, name, role, device, command, type, from, to],
        ...[code, reason, digest, row.previous, row.hash],
      );
      count(entry);
      return row;
    },
    proposedSince: (person: string, type: CommandType, sinceMs: number): number =>
      Number(proposed.get(person, type, Math.floor(sinceMs / MINUTE_MS))?.['count'] ?? 0),
    countProposal(person: string, type: CommandType, atMs: number): void {
      const minute = Math.floor(atMs / MINUTE_MS);
      propose.run(person, type, minute);
      forgetMinutes.run(person, type, minute - MINUTES_KEPT);
    },
  };
}
