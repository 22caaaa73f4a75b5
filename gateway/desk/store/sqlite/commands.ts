import type { DatabaseSync, SQLInputValue, SQLOutputValue } from 'node:sqlite';
import type { CommandId } from '../../../../protocol/command/id.ts';
import type { CounterName } from '../../../../protocol/command/row.ts';
import { rowOf } from '../../../../protocol/command/table.ts';
import type { DeviceId } from '../../../../protocol/identity.ts';
import { deskError } from '../../errors.ts';
import { OPEN_STATES, type StoredState } from '../../lifecycle/states.ts';
import type { CommandChange, Evidence, NewCommand, StoredCommand } from '../port.ts';

/** Commands and their evidence. Times, counters and numbers stay below 2^53 (protocol/limits.ts). */

export type Row = Record<string, SQLOutputValue>;

/** The row of a table as it was written: this file and its schema are the only writers. */
export function commandOf(row: Row): StoredCommand {
  const { thing: _, lateState, lateCode, ...command } = row;
  const late = lateState === null ? null : { state: lateState, code: lateCode };
  return { ...command, late } as unknown as StoredCommand;
}

export function evidenceOf(row: Row): Evidence {
  return {
    payload: row['payload'] as Uint8Array,
    signed: row['signed'] as Uint8Array,
    outcome: row['outcome'] as Uint8Array | null,
  };
}

const OPEN = OPEN_STATES.map((state) => `'${state}'`).join(', ');
const UNSENT = OPEN_STATES.filter((state) => state !== 'sent')
  .map((state) => `'${state}'`)
  .join(', ');

const INSERTED = [
  'id',
  'device',
  'type',
  'state',
  'person',
  'role',
  'counter',
  'notBefore',
  'expiry',
  'reason',
  'digest',
  'proposedAtMs',
] as const satisfies readonly (keyof NewCommand)[];

/** What a transition may set, by the name of its column. */
const CHANGEABLE = [
  'state',
  'changedAtMs',
  'approver',
  'attempts',
  'retryAtMs',
  'answerDueMs',
  'code',
  'refusedBy',
] as const;

/** Evidence has no name of its own: it lies in the order of proposal, and beside no index that it would bloat. */
const BY_ID = 'seq = (SELECT seq FROM commands WHERE id = ?)';

export function commandReader(database: DatabaseSync) {
  const byId = database.prepare('SELECT * FROM commands WHERE id = ?');
  const evidenceById = database.prepare(`SELECT payload, signed, outcome FROM evidence WHERE ${BY_ID}`);
  return {
    command(id: CommandId): StoredCommand | undefined {
      const row = byId.get(id);
      return row === undefined ? undefined : commandOf(row);
    },
    evidence(id: CommandId): Evidence | undefined {
      const row = evidenceById.get(id);
      return row === undefined ? undefined : evidenceOf(row);
    },
  };
}

/**
 * What a transaction does to commands. Literal states and named indexes in the queries: without statistics SQLite
 * would take the index of all states, and read every queued command to find the one that is due.
 */
export function commandWriter(database: DatabaseSync) {
  const reader = commandReader(database);
  const insert = database.prepare(`
    INSERT INTO commands (${INSERTED.join(', ')}, thing, changedAtMs)
    VALUES (${INSERTED.map((name) => `$${name}`).join(', ')}, $thing, $proposedAtMs)
    ON CONFLICT (id) DO NOTHING RETURNING *`);
  const insertEvidence = database.prepare('INSERT INTO evidence (seq, payload, signed) VALUES (?, ?, ?)');
  const change = database.prepare(`
    UPDATE commands SET ${CHANGEABLE.map((name) => `${name} = $${name}`).join(', ')}
    WHERE id = $id AND state = $from RETURNING *`);
  const setSigned = database.prepare(`UPDATE evidence SET signed = ? WHERE ${BY_ID}`);
  const setOutcome = database.prepare(`UPDATE evidence SET outcome = ? WHERE ${BY_ID}`);
  const setLate = database.prepare('UPDATE commands SET lateState = ?, lateCode = ? WHERE id = ?');
  const open = database.prepare(
    `SELECT * FROM commands INDEXED BY openByDevice
     WHERE device = ? AND state IN (${OPEN}) ORDER BY seq`,
  );
  const highest = database.prepare(
    'SELECT max(counter) AS counter FROM commands WHERE device = ? AND person = ? AND thing = ?',
  );
  const unsentDue = database.prepare(
    `SELECT * FROM commands INDEXED BY unsentByExpiry
     WHERE state IN (${UNSENT}) AND expiry <= ? ORDER BY expiry LIMIT ?`,
  );
  const sentDue = database.prepare(
    `SELECT * FROM commands INDEXED BY sentByAnswer
     WHERE state = 'sent' AND answerDueMs <= ? ORDER BY answerDueMs LIMIT ?`,
  );

  return {
    ...reader,
    insert(
      given: NewCommand,
      { payload, signed }: Pick<Evidence, 'payload' | 'signed'>,
    ): StoredCommand | undefined {
      const values: Record<string, SQLInputValue> = { thing: rowOf(given.type).counter };
      for (const name of INSERTED) values[name] = given[name];
      const row = insert.get(values);
      if (row === undefined) return undefined;
      const stored = commandOf(row);
      insertEvidence.run(stored.seq, payload, signed);
      return stored;
    },
    change(
      id: CommandId,
      from: StoredState,
      given: CommandChange,
      evidence: Partial<Pick<Evidence, 'signed' | 'outcome'>> = {},
    ) {
      const before = reader.command(id);
      const values: Record<string, SQLInputValue> = { id, from };
      for (const name of CHANGEABLE) values[name] = given[name] ?? null;
      if (before !== undefined) {
        values['approver'] = given.approver ?? before.approver;
        values['attempts'] = given.attempts ?? before.attempts;
        values['code'] = given.code === undefined ? before.code : given.code;
      }
      const row = change.get(values);
      if (row === undefined)
        throw deskError('ERR_DESK_STORE', 'a command is not in the state that it was thought to be in', {
          context: { from, state: before?.state ?? null },
        });
      if (evidence.signed !== undefined) setSigned.run(evidence.signed, id);
      if (evidence.outcome !== undefined) setOutcome.run(evidence.outcome, id);
      return commandOf(row);
    },
    late(id: CommandId, { state, code }: NonNullable<StoredCommand['late']>, outcome: Uint8Array): void {
      setLate.run(state, code, id);
      setOutcome.run(outcome, id);
    },
    open: (device: DeviceId): readonly StoredCommand[] => open.all(device).map(commandOf),
    highestCounter: (device: DeviceId, person: string, thing: CounterName): number =>
      Number(highest.get(device, person, thing)?.['counter'] ?? 0),
    due(nowMs: number, limit: number): readonly StoredCommand[] {
      const sent = sentDue.all(nowMs, limit);
      const unsent = unsentDue.all(Math.floor(nowMs / 1_000), limit - sent.length);
      return [...sent, ...unsent].map(commandOf);
    },
  };
}
