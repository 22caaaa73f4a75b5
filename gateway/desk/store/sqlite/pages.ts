import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { DeviceId } from '../../../../protocol/identity.ts';
import { isTerminal, OPEN_STATES, type StoredState } from '../../lifecycle/states.ts';
import type { Meter } from '../../registry/meter.ts';
import { type CommandFilter, type MeterFilter, PAGE_MAX, type Page, type StoredCommand } from '../port.ts';
import { commandOf } from './commands.ts';
import { meterOf } from './meters.ts';

/** Lists: each question goes by one index, and reads so many rows of it and no more, whatever it asks for. */
const SCAN_MAX = 5_000;

const page = (limit: number): number => Math.max(1, Math.min(limit, PAGE_MAX));

/** A condition as it stands in SQL, with the value of its one parameter where it has one. */
interface Condition {
  readonly sql: string;
  readonly value?: SQLInputValue;
}

interface Question {
  readonly indexed: Condition | undefined;
  readonly rest: readonly Condition[];
}

/**
 * The rows of a table that fit all conditions, by its key: a window of SCAN_MAX rows that fit the one that an index
 * serves, then those among them that fit the rest.
 */
function scan(
  database: DatabaseSync,
  { table, key, order }: { readonly table: string; readonly key: string; readonly order: 'ASC' | 'DESC' },
  { indexed, rest }: Question,
  from: SQLInputValue | undefined,
  limit: number,
): { readonly rows: ReturnType<ReturnType<DatabaseSync['prepare']>['all']>; readonly next: SQLInputValue } {
  const beyond = order === 'ASC' ? '>' : '<';
  const within: Condition[] = from === undefined ? [] : [{ sql: `${key} ${beyond} ?`, value: from }];
  if (indexed !== undefined) within.unshift(indexed);
  const where = (conditions: readonly Condition[]): string =>
    conditions.length === 0 ? '' : `WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`;
  const values = (conditions: readonly Condition[]): SQLInputValue[] =>
    conditions.flatMap(({ value }) => (value === undefined ? [] : [value]));
  const window = `SELECT * FROM ${table} ${where(within)} ORDER BY ${key} ${order} LIMIT ${SCAN_MAX}`;
  const rows = database
    .prepare(`SELECT * FROM (${window}) ${where(rest)} ORDER BY ${key} ${order} LIMIT ?`)
    .all(...values(within), ...values(rest), limit + 1);
  if (rows.length > limit) {
    rows.pop();
    return { rows, next: rows.at(-1)![key]! };
  }
  const last = database
    .prepare(`SELECT ${key} FROM ${table} ${where(within)} ORDER BY ${key} ${order} LIMIT 1 OFFSET ?`)
    .get(...values(within), SCAN_MAX - 1);
  return { rows, next: last?.[key] ?? null };
}

/** The narrowest goes by its index. */
function commandQuestion({ device, state, person, type }: CommandFilter): Question {
  const isOpen = state !== undefined && !isTerminal(state);
  const by = (column: string, value: string | undefined): Condition[] =>
    value === undefined ? [] : [{ sql: `${column} = ?`, value }];
  const [indexed, ...rest] = [
    ...by('device', device),
    ...by('state', isOpen ? state : undefined),
    ...by('person', person),
    ...by('type', type),
    ...by('state', isOpen ? undefined : state),
  ];
  return { indexed, rest };
}

function meterQuestion({ airplane, creditMode }: MeterFilter): Question {
  const rest = creditMode === undefined ? [] : [{ sql: 'creditMode = ?', value: creditMode }];
  if (airplane === true) return { indexed: { sql: 'airplaneSince IS NOT NULL' }, rest };
  return {
    indexed: undefined,
    rest: airplane === false ? [{ sql: 'airplaneSince IS NULL' }, ...rest] : rest,
  };
}

export function pages(database: DatabaseSync) {
  const waiting = database.prepare(`
    SELECT DISTINCT device FROM commands AS queued INDEXED BY queuedByDevice
    WHERE state = 'queued' AND device > ? AND notBefore <= ? AND (retryAtMs IS NULL OR retryAtMs <= ?)
      AND NOT EXISTS (
        SELECT 1 FROM commands INDEXED BY oneInFlight WHERE device = queued.device AND state = 'sent'
      )
    ORDER BY device LIMIT ?`);
  const counts = database.prepare(`
    SELECT state, count(*) AS count FROM commands
    WHERE state IN (${OPEN_STATES.map((state) => `'${state}'`).join(', ')}) GROUP BY state`);
  return {
    commands(filter: CommandFilter, before: number | undefined, limit: number): Page<StoredCommand, number> {
      const by = { table: 'commands', key: 'seq', order: 'DESC' } as const;
      const { rows, next } = scan(database, by, commandQuestion(filter), before, page(limit));
      return { items: rows.map(commandOf), next: next as number | null };
    },
    meters(filter: MeterFilter, after: DeviceId | undefined, limit: number): Page<Meter, DeviceId> {
      const by = { table: 'meters', key: 'device', order: 'ASC' } as const;
      const { rows, next } = scan(database, by, meterQuestion(filter), after, page(limit));
      return { items: rows.map(meterOf), next: next as DeviceId | null };
    },
    waitingDevices: (nowMs: number, after: DeviceId | undefined, limit: number): readonly DeviceId[] =>
      waiting
        .all(after ?? '', Math.floor(nowMs / 1_000), nowMs, limit)
        .map(({ device }) => device as DeviceId),
    openCounts: (): Readonly<Partial<Record<StoredState, number>>> =>
      Object.fromEntries(counts.all().map(({ state, count }) => [String(state), Number(count)])),
  };
}
