import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import type { Readable } from 'node:stream';
import { HesError } from '../../../protocol/errors.ts';
import { parseTenantId } from '../../../protocol/identity.ts';
import { fromJsonLine } from '../../desk/audit/parse.ts';
import type { AuditHead, AuditRow } from '../../desk/audit/row.ts';
import { AUDIT_FAULTS, type AuditFault, AuditVerifier } from '../../desk/audit/verify.ts';
import { auditReader } from '../../desk/store/sqlite/audit.ts';
import { clientError } from '../desk-client/errors.ts';
import type { DeskFlags } from '../desk-client/flags.ts';
import { atDesk } from '../desk-client/open.ts';
import { usage } from '../errors.ts';
import { EXIT } from '../exit.ts';
import { auditRows } from './audit.ts';

/** `hes audit verify`: whether a chain is whole, from its rows alone. */

export interface AuditVerifyFlags extends DeskFlags {
  readonly head?: readonly string[];
  readonly json?: boolean;
}

interface Verdict {
  readonly tenant: string | null;
  readonly rows: number;
  readonly head: AuditHead | null;
  readonly faults: readonly AuditFault[];
}

/**
 * @returns the exit code: 0 where it is whole, 1 where it is not
 * @throws ERR_AUDIT_INPUT, ERR_DESK_AUDIT_LINE with the number of the line, ERR_USAGE
 */
export async function verifyAuditFile(file: string | undefined, flags: AuditVerifyFlags): Promise<number> {
  const known = (flags.head ?? []).map(parseHead);
  const verdict =
    file === undefined
      ? await atDesk(flags, ({ client }) => verdictOf(auditRows(client), known))
      : await verdictOf(rowsOf(file), known);
  process.stdout.write(
    flags.json === true ? `${JSON.stringify({ whole: isWhole(verdict), ...verdict })}\n` : text(verdict),
  );
  return isWhole(verdict) ? EXIT.ok : EXIT.incomplete;
}

const isWhole = ({ faults }: Verdict): boolean => faults.length === 0;

const HEAD = /^(\d{1,15}):([0-9a-f]{64})$/;

function parseHead(said: string): AuditHead {
  const [, n, hash] = HEAD.exec(said) ?? [];
  if (n === undefined || hash === undefined)
    throw usage(`--head ${said}: it is the number of a row and its hash, as 4711:9f86…`);
  return { n: Number(n), hash };
}

/** Whose chain it is, its first row says; that all others are of the same tenant, the verifier looks. */
export async function verdictOf(
  rows: AsyncIterable<AuditRow> | Iterable<AuditRow>,
  known: readonly AuditHead[],
): Promise<Verdict> {
  let verifier: AuditVerifier | undefined;
  let tenant: string | null = null;
  let count = 0;
  for await (const row of rows) {
    tenant ??= row.tenant;
    verifier ??= new AuditVerifier({ tenant: row.tenant, known });
    verifier.take(row);
    count += 1;
  }
  if (verifier === undefined)
    return { tenant, rows: 0, head: null, faults: known.map(({ n }) => ({ n, fault: 'truncated' })) };
  const { head, faults } = verifier.end();
  return { tenant, rows: count, head, faults };
}

function text(verdict: Verdict): string {
  const { tenant, rows, head, faults } = verdict;
  const [first] = faults;
  if (first !== undefined) {
    const more = faults.slice(1).map(({ n, fault }) => `  row ${n}: ${AUDIT_FAULTS[fault]}\n`);
    return `NOT WHOLE. The first broken row is ${first.n}: ${AUDIT_FAULTS[first.fault]}.\n${more.join('')}`;
  }
  if (head === null) return 'There is no row.\n';
  return `Whole: ${rows} rows of ${tenant ?? '-'}. Keep this head elsewhere, and give it with --head next time:\n${head.n}:${head.hash}\n`;
}

const SQLITE_MAGIC = Buffer.from('SQLite format 3\0', 'latin1');
const DATABASE_PAGE = 500;

/** @throws ERR_AUDIT_INPUT */
function rowsOf(file: string): AsyncIterable<AuditRow> | Iterable<AuditRow> {
  if (file === '-') return rowsOfLines(process.stdin, 'standard input');
  return beginsLike(file, SQLITE_MAGIC) ? rowsOfDatabase(file) : rowsOfLines(createReadStream(file), file);
}

function beginsLike(file: string, magic: Buffer): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(file, 'r');
    const head = Buffer.alloc(magic.length);
    return readSync(fd, head) === magic.length && head.equals(magic);
  } catch (cause) {
    throw clientError('ERR_AUDIT_INPUT', `${file} cannot be read`, { cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

async function* rowsOfLines(input: Readable, name: string): AsyncGenerator<AuditRow> {
  let number = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (line === '') continue;
    let row: AuditRow;
    try {
      row = fromJsonLine(line);
    } catch (cause) {
      if (!(cause instanceof HesError)) throw cause;
      throw new HesError(cause.code, `${name}, line ${number}: ${cause.message}`, { cause });
    }
    yield row;
  }
}

/** A desk may be writing at the same time: what is read is what was committed when it began. */
function* rowsOfDatabase(file: string): Generator<AuditRow> {
  let database: DatabaseSync;
  try {
    database = new DatabaseSync(file, { readOnly: true });
  } catch (cause) {
    throw clientError('ERR_AUDIT_INPUT', `${file} cannot be opened`, { cause });
  }
  try {
    const owner = database.prepare('SELECT tenant FROM desk').get()?.['tenant'];
    const reader = auditReader(database, parseTenantId(owner));
    database.exec('BEGIN');
    for (let after = 0; ; ) {
      const rows = reader.rows(after, DATABASE_PAGE);
      yield* rows;
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.n;
    }
  } catch (cause) {
    if (cause instanceof HesError && cause.code !== 'ERR_IDENTITY_TENANT') throw cause;
    throw clientError('ERR_AUDIT_INPUT', `${file} is no database of a desk, or is damaged`, { cause });
  } finally {
    database.close();
  }
}
