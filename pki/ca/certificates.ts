import type { DatabaseSync } from 'node:sqlite';
import type { DeviceId } from '../../protocol/identity.ts';
import type { RevocationReason, RevokedEntry } from '../x509/crl.ts';
import type { ProfileName } from '../x509/profiles.ts';

/** `replaced`: a newer one is there, and this one is good until its end or until it is taken back. */
export const CERTIFICATE_STATES = ['valid', 'replaced', 'revoked'] as const;
export type CertificateState = (typeof CERTIFICATE_STATES)[number];

export interface CertificateRecord {
  readonly seq: number;
  /** Key identifier of the issuing CA, hex. */
  readonly issuer: string;
  /** Lower-case hex. */
  readonly serial: string;
  readonly profile: ProfileName;
  readonly subject: string;
  /** The first of its names. */
  readonly uri: string;
  readonly device: DeviceId | null;
  /** SHA-256 of the public key (DER), hex. */
  readonly keyHash: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly issuedAtMs: number;
  readonly state: CertificateState;
  readonly replacedBy: string | null;
  readonly revokedAtMs: number | null;
  readonly reason: RevocationReason | null;
  /** Since when its key may have been in other hands, where that was said. */
  readonly invalidSinceMs: number | null;
  readonly der: Uint8Array;
}

export interface CertificateFilter {
  /** Key identifier of the issuing CA. */
  readonly issuer?: string;
  readonly state?: CertificateState;
  readonly profile?: ProfileName;
  readonly device?: DeviceId;
  readonly uri?: string;
  /** Only those that end after this. */
  readonly endAfterMs?: number;
}

export interface CertificateReads {
  find(issuer: string, serial: string): CertificateRecord | undefined;
  /** Of whichever CA of the register. */
  bySerial(serial: string): CertificateRecord | undefined;
  byKey(keyHash: string): CertificateRecord | undefined;
  /** In the order of issue; `after`: the `seq` of the last one seen. */
  list(page: {
    readonly filter?: CertificateFilter;
    readonly after?: number;
    readonly limit: number;
  }): readonly CertificateRecord[];
  /** Those in use that end before `beforeMs`, the first to end first. */
  expiring(beforeMs: number, limit: number): readonly CertificateRecord[];
  countExpiring(fromMs: number, beforeMs: number): number;
  /** What a list of this CA has to name: taken back, and not at its end yet. */
  revoked(issuer: string, atMs: number): readonly RevokedEntry[];
}

export interface CertificateWrites {
  add(
    record: Omit<
      CertificateRecord,
      'seq' | 'state' | 'replacedBy' | 'revokedAtMs' | 'reason' | 'invalidSinceMs'
    >,
  ): void;
  replace(record: CertificateRecord, by: string): void;
  revoke(
    record: CertificateRecord,
    at: {
      readonly atMs: number;
      readonly reason: RevocationReason;
      readonly invalidSinceMs?: number | undefined;
    },
  ): void;
}

type Row = Record<string, unknown>;
const recordOf = (row: Row | undefined): CertificateRecord | undefined =>
  row === undefined ? undefined : ({ ...row } as unknown as CertificateRecord);

export function certificateReads(database: DatabaseSync): CertificateReads {
  const find = database.prepare('SELECT * FROM certificates WHERE issuer = ? AND serial = ?');
  const bySerial = database.prepare('SELECT * FROM certificates WHERE serial = ? LIMIT 1');
  const byKey = database.prepare('SELECT * FROM certificates WHERE keyHash = ?');
  const expiring = database.prepare(
    "SELECT * FROM certificates WHERE state = 'valid' AND notAfterMs < ? ORDER BY notAfterMs LIMIT ?",
  );
  const count = database.prepare(
    "SELECT count(*) AS n FROM certificates WHERE state = 'valid' AND notAfterMs >= ? AND notAfterMs < ?",
  );
  const revoked = database.prepare(`
    SELECT serial, revokedAtMs AS atMs, reason, invalidSinceMs FROM certificates
    WHERE state = 'revoked' AND issuer = ? AND notAfterMs >= ? ORDER BY seq`);
  return {
    find: (issuer, serial) => recordOf(find.get(issuer, serial)),
    bySerial: (serial) => recordOf(bySerial.get(serial)),
    byKey: (keyHash) => recordOf(byKey.get(keyHash)),
    list({ filter = {}, after = 0, limit }) {
      const where = ['seq > ?'];
      const values: (string | number)[] = [after];
      for (const column of ['issuer', 'state', 'profile', 'device', 'uri'] as const) {
        const value = filter[column];
        if (value === undefined) continue;
        where.push(`${column} = ?`);
        values.push(value);
      }
      if (filter.endAfterMs !== undefined) {
        where.push('notAfterMs > ?');
        values.push(filter.endAfterMs);
      }
      const statement = database.prepare(
        `SELECT * FROM certificates WHERE ${where.join(' AND ')} ORDER BY seq LIMIT ?`,
      );
      return statement.all(...values, limit) as unknown as readonly CertificateRecord[];
    },
    expiring: (beforeMs, limit) => expiring.all(beforeMs, limit) as unknown as readonly CertificateRecord[],
    countExpiring: (fromMs, beforeMs) => Number(count.get(fromMs, beforeMs)?.['n']),
    revoked: (issuer, atMs) => revoked.all(issuer, atMs) as unknown as readonly RevokedEntry[],
  };
}

export function certificateWrites(database: DatabaseSync): CertificateWrites {
  const add = database.prepare(`
    INSERT INTO certificates (issuer, serial, profile, subject, uri, device, keyHash, notBeforeMs, notAfterMs,
      issuedAtMs, state, der)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'valid', ?)`);
  const replace = database.prepare(
    "UPDATE certificates SET state = 'replaced', replacedBy = ? WHERE seq = ? AND state = 'valid'",
  );
  const revoke = database.prepare(
    `UPDATE certificates SET state = 'revoked', revokedAtMs = ?, reason = ?, invalidSinceMs = ?
    WHERE seq = ? AND state <> 'revoked'`,
  );
  return {
    add(record) {
      const { issuer, serial, profile, subject, uri, device, keyHash } = record;
      const { notBeforeMs, notAfterMs, issuedAtMs, der } = record;
      add.run(
        issuer,
        serial,
        profile,
        subject,
        uri,
        device,
        keyHash,
        notBeforeMs,
        notAfterMs,
        issuedAtMs,
        der,
      );
    },
    replace: ({ seq }, by) => void replace.run(by, seq),
    revoke: ({ seq }, { atMs, reason, invalidSinceMs }) =>
      void revoke.run(atMs, reason, invalidSinceMs ?? null, seq),
  };
}
