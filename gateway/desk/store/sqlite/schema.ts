import type { DatabaseSync } from 'node:sqlite';
import type { TenantId } from '../../../../protocol/identity.ts';
import { CAMPAIGNS_SCHEMA } from '../../campaigns/store/schema.ts';
import { deskError } from '../../errors.ts';
import { OPEN_STATES, TERMINAL_STATES } from '../../lifecycle/states.ts';

/**
 * Tables and their versions. What would be a mistake of the program is refused by the database too: a change of a
 * terminal state, a second command in flight for one device, an audit row that is not at the end.
 */

const list = (states: readonly string[]): string => states.map((state) => `'${state}'`).join(', ');
const UNSENT = OPEN_STATES.filter((state) => state !== 'sent');

/** Rows of commands are small: pages and sweeps read many of them, and the signed bytes of few. */
const VERSION_1 = `
CREATE TABLE desk (tenant TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  device TEXT NOT NULL,
  type TEXT NOT NULL,
  thing TEXT NOT NULL,
  state TEXT NOT NULL,
  person TEXT NOT NULL,
  role TEXT NOT NULL,
  counter INTEGER NOT NULL,
  notBefore INTEGER NOT NULL,
  expiry INTEGER NOT NULL,
  reason TEXT,
  digest TEXT NOT NULL,
  proposedAtMs INTEGER NOT NULL,
  changedAtMs INTEGER NOT NULL,
  approver TEXT,
  attempts INTEGER NOT NULL DEFAULT 0,
  retryAtMs INTEGER,
  answerDueMs INTEGER,
  code TEXT,
  lateState TEXT,
  lateCode TEXT
) STRICT;
CREATE INDEX commandsByDevice ON commands (device, seq);
CREATE INDEX commandsByState ON commands (state, seq);
CREATE INDEX commandsByType ON commands (type, seq);
CREATE INDEX commandsByPerson ON commands (person, seq);
CREATE INDEX commandsByCounter ON commands (device, person, thing, counter);
CREATE UNIQUE INDEX oneInFlight ON commands (device) WHERE state = 'sent';
CREATE INDEX openByDevice ON commands (device, seq) WHERE state IN (${list(OPEN_STATES)});
CREATE INDEX queuedByDevice ON commands (device, notBefore, retryAtMs) WHERE state = 'queued';
CREATE INDEX unsentByExpiry ON commands (expiry) WHERE state IN (${list(UNSENT)});
CREATE INDEX sentByAnswer ON commands (answerDueMs) WHERE state = 'sent';
CREATE TRIGGER terminalStays BEFORE UPDATE OF state ON commands
  WHEN OLD.state IN (${list(TERMINAL_STATES)})
  BEGIN SELECT RAISE(ABORT, 'a terminal state does not change'); END;
CREATE TRIGGER commandsStay BEFORE DELETE ON commands
  BEGIN SELECT RAISE(ABORT, 'commands are not deleted'); END;

CREATE TABLE evidence (
  seq INTEGER PRIMARY KEY REFERENCES commands (seq),
  payload BLOB NOT NULL,
  signed BLOB NOT NULL,
  outcome BLOB
) STRICT;

CREATE TABLE meters (
  device TEXT NOT NULL PRIMARY KEY,
  home TEXT NOT NULL,
  medium TEXT NOT NULL,
  channels TEXT NOT NULL,
  certificate BLOB,
  lastSeenMs INTEGER,
  creditMode TEXT NOT NULL,
  tariffPlan TEXT NOT NULL,
  tariffPlanned TEXT,
  airplaneSince INTEGER,
  breaker TEXT NOT NULL,
  followedAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX metersInAirplaneMode ON meters (device) WHERE airplaneSince IS NOT NULL;

CREATE TABLE proposals (
  person TEXT NOT NULL,
  type TEXT NOT NULL,
  minute INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (person, type, minute)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit (
  n INTEGER PRIMARY KEY,
  atMs INTEGER NOT NULL,
  event TEXT NOT NULL,
  actorKind TEXT NOT NULL,
  actorName TEXT,
  actorRole TEXT,
  device TEXT,
  command TEXT,
  type TEXT,
  fromState TEXT,
  toState TEXT,
  code TEXT,
  reason TEXT,
  digest TEXT,
  previous TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE TRIGGER auditIsNotEdited BEFORE UPDATE ON audit
  BEGIN SELECT RAISE(ABORT, 'audit rows are not edited'); END;
CREATE TRIGGER auditIsNotDeleted BEFORE DELETE ON audit
  BEGIN SELECT RAISE(ABORT, 'audit rows are not deleted'); END;

CREATE TABLE usage (
  kind TEXT NOT NULL,
  period TEXT NOT NULL,
  event TEXT NOT NULL,
  type TEXT NOT NULL,
  role TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (kind, period, event, type, role)
) STRICT, WITHOUT ROWID;
`;

/** EANs lie beside the registry and not in it: whatever lists meters or shows one has none to give away. */
const VERSION_2 = `
CREATE TABLE eans (
  device TEXT NOT NULL,
  channel INTEGER NOT NULL,
  ean TEXT NOT NULL,
  PRIMARY KEY (device, channel)
) STRICT, WITHOUT ROWID;
`;

/** Meters that were withdrawn, as they were: a table of its own, so that no question about meters has to mind it. */
const VERSION_4 = `
CREATE TABLE withdrawnMeters (
  device TEXT NOT NULL PRIMARY KEY,
  home TEXT NOT NULL,
  medium TEXT NOT NULL,
  channels TEXT NOT NULL,
  certificate BLOB,
  lastSeenMs INTEGER,
  creditMode TEXT NOT NULL,
  tariffPlan TEXT NOT NULL,
  tariffPlanned TEXT,
  airplaneSince INTEGER,
  breaker TEXT NOT NULL,
  followedAt TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`;

/** Whose a refusal was, also of those before: the audit has said it all along. */
const VERSION_5 = `
ALTER TABLE commands ADD COLUMN refusedBy TEXT;
UPDATE commands SET refusedBy = CASE audit.actorKind WHEN 'device' THEN 'device' ELSE 'desk' END
  FROM audit WHERE audit.toState = 'refused' AND audit.command = commands.id AND commands.state = 'refused';
`;

/** Each makes its version out of the one before; one that was released does not change any more. */
export const MIGRATIONS: readonly string[] = [VERSION_1, VERSION_2, CAMPAIGNS_SCHEMA, VERSION_4, VERSION_5];
export const SCHEMA_VERSION = MIGRATIONS.length;

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare('PRAGMA user_version').get()!['user_version']);
}

/**
 * Bring a database to this program's version, in one transaction for each step, and claim it for its tenant.
 * @throws ERR_DESK_STORE_VERSION, ERR_DESK_STORE_TENANT
 */
export function migrate(database: DatabaseSync, tenant: TenantId): void {
  for (;;) {
    database.exec('BEGIN IMMEDIATE');
    try {
      // Asked within the transaction: another process may be at the same work.
      const version = versionOf(database);
      if (version > SCHEMA_VERSION)
        throw deskError('ERR_DESK_STORE_VERSION', 'the database is of a newer version', {
          context: { version, versionMax: SCHEMA_VERSION },
        });
      const next = MIGRATIONS[version];
      if (next === undefined) {
        claim(database, tenant);
        database.exec('COMMIT');
        return;
      }
      database.exec(next);
      database.exec(`PRAGMA user_version = ${version + 1}`);
      database.exec('COMMIT');
    } catch (error) {
      if (database.isTransaction) database.exec('ROLLBACK');
      throw error;
    }
  }
}

function claim(database: DatabaseSync, tenant: TenantId): void {
  const owner = database.prepare('SELECT tenant FROM desk').get()?.['tenant'];
  if (owner === undefined) database.prepare('INSERT INTO desk (tenant) VALUES (?)').run(tenant);
  else if (owner !== tenant)
    throw deskError('ERR_DESK_STORE_TENANT', 'the database is of another tenant', {
      context: { tenant, owner: String(owner) },
    });
}
