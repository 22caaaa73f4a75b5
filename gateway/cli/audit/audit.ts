import { closeSync, openSync, writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { toJsonLine, toSyslog } from '../../desk/audit/export.ts';
import { fromJsonLine } from '../../desk/audit/parse.ts';
import type { AuditRow } from '../../desk/audit/row.ts';
import type { UsageKind } from '../../desk/audit/usage.ts';
import type { DeskClient } from '../desk-client/client.ts';
import { clientError } from '../desk-client/errors.ts';
import type { DeskFlags } from '../desk-client/flags.ts';
import { atDesk } from '../desk-client/open.ts';
import { pages, withQuery } from '../desk-client/pages.ts';
import { EXIT } from '../exit.ts';
import { writeArray, writeTable } from '../op/look.ts';
import { auditHead, auditLine, usageHead, usageLine } from './render.ts';

export interface AuditListFlags extends DeskFlags {
  readonly after?: number;
  readonly limit?: number;
  readonly json?: boolean;
}

const LIST_DEFAULT = 50;
const HEAD = z.looseObject({ head: z.looseObject({ n: z.int(), hash: z.string() }) });

/** The rows after one, checked as those of an export are. */
export async function* auditRows(client: DeskClient, after = 0, most?: number): AsyncGenerator<AuditRow> {
  const list = { path: '/v1/audit', query: { after }, cursor: 'after', item: z.looseObject({}) } as const;
  for await (const item of pages(client, list, most)) yield fromJsonLine(JSON.stringify(item));
}

export const headOf = async (client: DeskClient): Promise<{ readonly n: number; readonly hash: string }> =>
  (await client.get('/v1/audit?limit=1', HEAD)).head;

export async function listAudit(flags: AuditListFlags): Promise<number> {
  const { limit = LIST_DEFAULT, json = false } = flags;
  return atDesk(flags, async ({ client }) => {
    const after = flags.after ?? Math.max(0, (await headOf(client)).n - limit);
    const rows = auditRows(client, after, limit);
    if (json) await writeArray(rows);
    else await writeTable(rows, auditHead(), auditLine, 'There is no row.\n');
    return EXIT.ok;
  });
}

export interface AuditExportFlags extends DeskFlags {
  readonly after?: number;
  readonly format: 'json' | 'syslog';
  readonly enterprise?: number;
  readonly out?: string;
}

/** @throws ERR_AUDIT_INPUT where the file cannot be written or is there already */
export async function exportAudit(flags: AuditExportFlags): Promise<number> {
  const { after, format, enterprise, out } = flags;
  const origin = {
    hostname: hostname(),
    processId: process.pid,
    ...(enterprise === undefined ? {} : { enterprise }),
  };
  const line = (row: AuditRow): string => (format === 'json' ? toJsonLine(row) : toSyslog(row, origin));
  return atDesk(flags, async ({ client, terminal }) => {
    const target = out === undefined ? undefined : newFile(out);
    let last = after ?? 0;
    try {
      for await (const row of auditRows(client, after)) {
        if (target === undefined) process.stdout.write(`${line(row)}\n`);
        else writeSync(target, `${line(row)}\n`);
        last = row.n;
      }
    } finally {
      if (target !== undefined) closeSync(target);
    }
    terminal.tell(`exported up to row ${last}; the next export begins with --after ${last}`);
    return EXIT.ok;
  });
}

function newFile(path: string): number {
  try {
    return openSync(path, 'wx', 0o600);
  } catch (cause) {
    const is = (cause as NodeJS.ErrnoException).code === 'EEXIST' ? 'is there already' : 'cannot be written';
    throw clientError('ERR_AUDIT_INPUT', `${path} ${is}`, { cause });
  }
}

export interface AuditUsageFlags extends DeskFlags {
  readonly by: UsageKind;
  readonly json?: boolean;
}

const USAGE = z.looseObject({
  items: z.array(
    z.looseObject({
      period: z.string(),
      event: z.string(),
      type: z.string().nullable(),
      role: z.string().nullable(),
      count: z.int(),
    }),
  ),
});
export type UsageView = z.output<typeof USAGE>['items'][number];

export async function auditUsage(flags: AuditUsageFlags): Promise<number> {
  return atDesk(flags, async ({ client }) => {
    const { items } = await client.get(withQuery('/v1/usage', { kind: flags.by }), USAGE);
    if (flags.json === true) process.stdout.write(`${JSON.stringify(items)}\n`);
    else process.stdout.write(usageHead() + items.map(usageLine).join(''));
    return EXIT.ok;
  });
}
