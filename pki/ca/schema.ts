import { chmodSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { makeFolder } from '../files/files.ts';

/**
 * What an authority must never forget: what it signed, whom it expects, what it took back, and who asked. What would
 * be a mistake of the program is refused by the database too (docs/adr/0170).
 */

/** Whose register it is: a tenant's, or that of the head-end's own CA. A hyphen is no part of a tenant's name. */
export type RegisterOwner = TenantId | 'head-end';

/** How long another process may hold the database: a batch beside a running service. */
const BUSY_TIMEOUT_MS = 10_000;

/** With synchronous FULL a certificate that was handed out is on the disk: nothing is signed and forgotten. */
const PRAGMAS = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
`;

const VERSION_1 = `
CREATE TABLE register (owner TEXT NOT NULL, pepper BLOB NOT NULL) STRICT;

CREATE TABLE certificates (
  seq INTEGER PRIMARY KEY,
  issuer TEXT NOT NULL,
  serial TEXT NOT NULL,
  profile TEXT NOT NULL,
  subject TEXT NOT NULL,
  uri TEXT NOT NULL,
  device TEXT,
  keyHash TEXT NOT NULL UNIQUE,
  notBeforeMs INTEGER NOT NULL,
  notAfterMs INTEGER NOT NULL,
  issuedAtMs INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('valid', 'replaced', 'revoked')),
  replacedBy TEXT,
  revokedAtMs INTEGER,
  reason TEXT,
  der BLOB NOT NULL,
  UNIQUE (issuer, serial)
) STRICT;
CREATE INDEX certificatesByDevice ON certificates (device, seq) WHERE device IS NOT NULL;
CREATE INDEX certificatesByUri ON certificates (uri, seq);
CREATE INDEX certificatesByEnd ON certificates (notAfterMs) WHERE state = 'valid';
CREATE INDEX certificatesRevoked ON certificates (issuer, seq) WHERE state = 'revoked';
CREATE TRIGGER certificatesStay BEFORE DELETE ON certificates
  BEGIN SELECT RAISE(ABORT, 'certificates are not deleted'); END;
CREATE TRIGGER revokedStays BEFORE UPDATE ON certificates WHEN OLD.state = 'revoked'
  BEGIN SELECT RAISE(ABORT, 'a revocation is not taken back'); END;

CREATE TABLE devices (
  device TEXT NOT NULL PRIMARY KEY,
  home TEXT NOT NULL,
  guests TEXT NOT NULL,
  serialHash TEXT UNIQUE,
  birthKey TEXT UNIQUE,
  registeredAtMs INTEGER NOT NULL,
  retiredAtMs INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE codes (
  codeHash TEXT NOT NULL PRIMARY KEY,
  device TEXT NOT NULL REFERENCES devices (device),
  expiresAtMs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE codeUses (
  codeHash TEXT NOT NULL REFERENCES codes (codeHash),
  use TEXT NOT NULL,
  keyHash TEXT NOT NULL,
  atMs INTEGER NOT NULL,
  PRIMARY KEY (codeHash, use)
) STRICT, WITHOUT ROWID;

CREATE TABLE crls (
  issuer TEXT NOT NULL PRIMARY KEY,
  number INTEGER NOT NULL,
  thisUpdateMs INTEGER NOT NULL,
  nextUpdateMs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  n INTEGER PRIMARY KEY,
  atMs INTEGER NOT NULL,
  event TEXT NOT NULL,
  by TEXT NOT NULL,
  profile TEXT,
  subject TEXT,
  serial TEXT,
  reason TEXT,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER auditOnlyGrows BEFORE INSERT ON audit
  WHEN NEW.n <> (SELECT coalesce(max(n), 0) + 1 FROM audit)
  BEGIN SELECT RAISE(ABORT, 'an audit row goes to the end'); END;
CREATE TRIGGER auditStays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows do not change'); END;
CREATE TRIGGER auditIsKept BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'audit rows are kept'); END;
`;

/** What a register of the version before becomes the next by; one that is made now goes through all of them. */
const VERSIONS: readonly string[] = [
  VERSION_1,
  // RFC 5280 §5.3.2, the invalidity date of a revocation.
  'ALTER TABLE certificates ADD COLUMN invalidSinceMs INTEGER;',
];

/** @throws ERR_CA_REGISTER */
export function openDatabase(path: string, owner: RegisterOwner, pepper: () => Uint8Array): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    makeFolder(dirname(path));
    database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, defensive: true });
    // The write-ahead log and its index take the rights of the file that they belong to.
    chmodSync(path, 0o600);
    database.exec(PRAGMAS);
    migrate(database, owner, pepper);
    return database;
  } catch (cause) {
    database?.close();
    throw registerError(path, cause);
  }
}

function migrate(database: DatabaseSync, owner: RegisterOwner, pepper: () => Uint8Array): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (version > VERSIONS.length) throw new Error('it was written by a newer version');
    for (const step of VERSIONS.slice(version)) database.exec(step);
    if (version === 0)
      database.prepare('INSERT INTO register (owner, pepper) VALUES (?, ?)').run(owner, pepper());
    if (version < VERSIONS.length) database.exec(`PRAGMA user_version = ${VERSIONS.length}`);
    const found = database.prepare('SELECT owner FROM register').get()?.['owner'];
    if (found !== owner) throw new Error(`it is the register of ${String(found)}`);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

export function registerError(path: string, cause: unknown) {
  const why = cause instanceof Error ? cause.message : 'unknown error';
  return pkiError('ERR_CA_REGISTER', `the register ${path} cannot be used: ${why}`, {
    cause,
    context: { file: path },
  });
}
