import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import type { RegisterOwner } from './schema.ts';

/** What an authority did, chained: a row that is changed or taken out breaks every hash after it. */

export const CA_EVENTS = {
  adopted: 'a certificate that this CA had issued before was entered',
  issued: 'a certificate was issued',
  renewed: 'a certificate was issued in place of one that goes on until its end',
  revoked: 'a certificate was taken back',
  'crl-published': 'a revocation list was signed; the reason is its number',
  'notice-published': 'another notice to devices was signed; the reason is its number',
  'rollover-started': 'a new key was made that is to come in the place of another; the subject says of what',
  'rollover-switched': 'the new key is the present one from here on',
  'rollover-finished': 'the old key was destroyed',
  'device-registered': 'a device is expected',
  'device-retired': 'a device is expected no longer',
  'code-made': 'a one-time code for a device was made',
  'code-used': 'a one-time code was used; the reason says for which key',
} as const;
export type CaEvent = keyof typeof CA_EVENTS;

export interface CaAuditEntry {
  readonly atMs: number;
  readonly event: CaEvent;
  /** Who asked: a person's name, or the way that it came. */
  readonly by: string;
  readonly profile?: string;
  /** A URI, or a device. */
  readonly subject?: string;
  readonly serial?: string;
  readonly reason?: string;
}

export interface CaAuditRow extends Required<Pick<CaAuditEntry, 'atMs' | 'event' | 'by'>> {
  /** From 1, without gaps. */
  readonly n: number;
  readonly profile: string | null;
  readonly subject: string | null;
  readonly serial: string | null;
  readonly reason: string | null;
  readonly previous: string;
  /** SHA-256, hex. */
  readonly hash: string;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The head of a chain without rows: each register its own, so that no chain continues another's. */
export const caGenesis = (owner: RegisterOwner) => ({ n: 0, hash: sha256(`hes ca audit 1 ${owner}`) });

/** SHA-256 of a JSON array of all members in this order, without spaces. */
export function caRowHash(row: Omit<CaAuditRow, 'hash'>): string {
  const { n, atMs, event, by, profile, subject, serial, reason, previous } = row;
  return sha256(JSON.stringify([1, n, atMs, event, by, profile, subject, serial, reason, previous]));
}

/** The number of the first row that does not fit, or undefined where all do. Rows from the first on. */
export function brokenRow(owner: RegisterOwner, rows: readonly CaAuditRow[]): number | undefined {
  let { n, hash } = caGenesis(owner);
  for (const row of rows) {
    n += 1;
    if (row.n !== n || row.previous !== hash || row.hash !== caRowHash(row)) return n;
    hash = row.hash;
  }
  return undefined;
}

export interface CaAudit {
  /** Within the transaction of what it tells of. */
  append(entry: CaAuditEntry): void;
  rows(after: number, limit: number): readonly CaAuditRow[];
  head(): { readonly n: number; readonly hash: string };
}

export function caAudit(database: DatabaseSync, owner: RegisterOwner): CaAudit {
  const lastRow = database.prepare('SELECT n, hash FROM audit ORDER BY n DESC LIMIT 1');
  const page = database.prepare('SELECT * FROM audit WHERE n > ? ORDER BY n LIMIT ?');
  const insert = database.prepare(`
    INSERT INTO audit (n, atMs, event, by, profile, subject, serial, reason, previous, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
  const head = () => {
    const row = lastRow.get();
    return row === undefined ? caGenesis(owner) : { n: Number(row['n']), hash: String(row['hash']) };
  };
  return {
    head,
    append({ atMs, event, by, ...about }) {
      const { n: last, hash: previous } = head();
      const n = last + 1;
      const { profile = null, subject = null, serial = null, reason = null } = about;
      const hash = caRowHash({ n, atMs, event, by, profile, subject, serial, reason, previous });
      insert.run(n, atMs, event, by, profile, subject, serial, reason, previous, hash);
    },
    rows: (after, limit) => page.all(after, limit) as unknown as readonly CaAuditRow[],
  };
}
