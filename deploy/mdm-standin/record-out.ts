import { resolve } from 'node:path';
import { LineLog } from './line-log.ts';

/** A file of accepted records, a JSON line each. */
export interface RecordOut {
  append(lines: readonly string[]): Promise<void>;
  close(): Promise<void>;
}

/** Several stand-ins of one process write into one file through one log, so that their lines never mix. */
const openLogs = new Map<string, { readonly log: Promise<LineLog>; users: number }>();

/**
 * Open a file of accepted records. With `earlier`, the keys of the tenant's lines that are already in it are
 * told: a kill between this line and the memory of its key must not make the record be accepted, and written,
 * twice.
 */
export async function openRecordOut(
  path: string,
  earlier?: { readonly tenant: string; readonly known: (key: string) => void },
): Promise<RecordOut> {
  const file = resolve(path);
  const shared = openLogs.get(file) ?? { log: LineLog.open(file, { durable: false }), users: 0 };
  openLogs.set(file, shared);
  shared.users++;
  const log = await shared.log;
  if (earlier !== undefined) await log.each((line) => tellKey(line, earlier));
  return {
    append: (lines) => log.append(lines),
    async close() {
      if (--shared.users > 0) return;
      openLogs.delete(file);
      await log.close();
    },
  };
}

function tellKey(line: string, { tenant, known }: { tenant: string; known: (key: string) => void }): void {
  if (!line.startsWith(`{"tenant":"${tenant}",`)) return;
  const key = /"MessageID":"([0-9a-f]{16}\/[a-z0-9]+\/(?:[0-9]+|read\/[0-9a-f]{32}))"/.exec(line)?.[1];
  if (key !== undefined) known(key);
}
