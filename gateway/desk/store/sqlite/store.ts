import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isHesError } from '../../../../protocol/errors.ts';
import type { TenantId } from '../../../../protocol/identity.ts';
import type { CampaignTransaction } from '../../campaigns/store/port.ts';
import { campaignReader, campaignWriter } from '../../campaigns/store/sqlite.ts';
import { deskError } from '../../errors.ts';
import { type DeskStore, type DeskTransaction, PAGE_MAX } from '../port.ts';
import { auditReader, auditWriter } from './audit.ts';
import { commandReader, commandWriter } from './commands.ts';
import { GroupCommit, storeError } from './group-commit.ts';
import { meterReader, meterWriter } from './meters.ts';
import { pages } from './pages.ts';
import { migrate } from './schema.ts';

/** How long another process may hold the database: a backup, or a desk that is just ending. */
const BUSY_TIMEOUT_MS = 5_000;

/**
 * WAL lets lists be read while commands are written. With synchronous FULL a commit is on the disk when it returns;
 * NORMAL would lose the last ones with the power.
 */
const WRITER_PRAGMAS = `
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
`;

/**
 * A desk's store in one file. Reads go by a connection of their own, which sees what was committed and cannot write.
 * @throws ERR_DESK_STORE, ERR_DESK_STORE_VERSION, ERR_DESK_STORE_TENANT
 */
export function openSqliteStore({
  path,
  tenant,
}: {
  readonly path: string;
  readonly tenant: TenantId;
}): DeskStore {
  const { writer, reader } = open(path, tenant);
  const methods = { ...commandWriter(writer), ...meterWriter(writer), ...auditWriter(writer, tenant) };
  const campaigns = asyncMethods<CampaignTransaction>(campaignWriter(writer));
  const group = new GroupCommit<DeskTransaction>(writer, {
    ...asyncMethods<Omit<DeskTransaction, 'campaigns'>>(methods),
    campaigns,
  });

  const readCommands = commandReader(reader);
  const readMeters = meterReader(reader);
  const readAudit = auditReader(reader, tenant);
  const readCampaigns = campaignReader(reader);
  const read = pages(reader);
  const rows = (limit: number): number => Math.max(1, Math.min(limit, PAGE_MAX));

  return {
    tenant,
    transaction: (work) => group.run(work),
    command: (id) => attempt(() => readCommands.command(id)),
    evidence: (id) => attempt(() => readCommands.evidence(id)),
    commands: ({ filter = {}, before, limit }) => attempt(() => read.commands(filter, before, limit)),
    waitingDevices: ({ nowMs, after, limit }) => attempt(() => read.waitingDevices(nowMs, after, limit)),
    openCounts: () => attempt(() => read.openCounts()),
    meter: (device) => attempt(() => readMeters.meter(device)),
    channelsWithEan: (device, ean) => attempt(() => readMeters.channelsWithEan(device, ean)),
    meters: ({ filter = {}, after, limit }) => attempt(() => read.meters(filter, after, limit)),
    auditRows: ({ after = 0, limit }) => attempt(() => readAudit.rows(after, rows(limit))),
    auditHead: () => attempt(() => readAudit.head()),
    usage: (kind) => attempt(() => readAudit.usage(kind)),
    campaigns: {
      campaign: (id) => attempt(() => readCampaigns.campaign(id)),
      campaigns: ({ before, limit }) => attempt(() => readCampaigns.campaigns(before, rows(limit))),
      inStates: (states) => attempt(() => readCampaigns.inStates(states)),
      waves: (campaign) => attempt(() => readCampaigns.waves(campaign)),
      results: (campaign, page) =>
        attempt(() => readCampaigns.results(campaign, { ...page, limit: rows(page.limit) })),
      signed: (campaign, from, limit) => attempt(() => readCampaigns.signed(campaign, from, rows(limit))),
    },
    async close() {
      await group.close();
      if (reader.isOpen) reader.close();
      if (writer.isOpen) writer.close();
    },
  };
}

function open(path: string, tenant: TenantId): { writer: DatabaseSync; reader: DatabaseSync } {
  let writer: DatabaseSync | undefined;
  try {
    // A process that may write this one file may not make folders.
    if (!existsSync(dirname(path))) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const options = { timeout: BUSY_TIMEOUT_MS, defensive: true } as const;
    writer = new DatabaseSync(path, options);
    // The write-ahead log and its index take the rights of the file that they belong to.
    chmodSync(path, 0o600);
    writer.exec(WRITER_PRAGMAS);
    migrate(writer, tenant);
    return { writer, reader: new DatabaseSync(path, { ...options, readOnly: true }) };
  } catch (cause) {
    writer?.close();
    if (isHesError(cause)) throw cause;
    throw deskError(
      'ERR_DESK_STORE',
      `${path} cannot be opened as the database of a desk: restore it, or move it away to begin anew`,
      { cause },
    );
  }
}

/** The methods of a transaction, as promises: another store's will wait for a network. */
function asyncMethods<Methods extends object>(
  methods: {
    readonly [Name in keyof Methods]: Methods[Name] extends (...values: infer Values) => Promise<infer Value>
      ? (...values: Values) => Value
      : never;
  },
): Methods {
  const named = Object.entries(methods as Readonly<Record<string, (...values: unknown[]) => unknown>>);
  return Object.fromEntries(
    named.map(([name, method]) => [name, async (...values: unknown[]) => method(...values)]),
  ) as unknown as Methods;
}

/** @throws ERR_DESK_STORE */
async function attempt<T>(read: () => T): Promise<T> {
  try {
    return read();
  } catch (cause) {
    throw storeError(cause);
  }
}
