import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { CommandId } from '../../../../protocol/command/id.ts';
import type { DeviceId } from '../../../../protocol/identity.ts';
import { deskError } from '../../errors.ts';
import type { CampaignId } from '../id.ts';
import type { WaveCounts } from '../lifecycle/rules.ts';
import { ALL_CAMPAIGN_STATES, CAMPAIGN_STATES, type CampaignState } from '../lifecycle/states.ts';
import type {
  CampaignChange,
  ItemEnd,
  ItemResult,
  ItemState,
  NewCampaign,
  NewItem,
  SignedItem,
  StoredCampaign,
  StoredItem,
} from './port.ts';
import { ITEMS_PER_CAMPAIGN } from './schema.ts';

type Row = ReturnType<ReturnType<DatabaseSync['prepare']>['all']>[number];

const list = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(', ');
const OPEN = list(ALL_CAMPAIGN_STATES.filter((state) => !CAMPAIGN_STATES[state].terminal));
const HOLDING = list(ALL_CAMPAIGN_STATES.filter((state) => CAMPAIGN_STATES[state].holds));

/** The row of a table as it was written: this file and its schema are the only writers. */
function campaignOf(row: Row): StoredCampaign {
  const { forgivenEnded, forgivenFailed, forgivenSilent, ...rest } = row;
  const forgiven = { ended: forgivenEnded, failed: forgivenFailed, silent: forgivenSilent === 1 };
  return { ...rest, forgiven } as unknown as StoredCampaign;
}

const itemOf = ({ seq, campaign: _, ...rest }: Row): StoredItem =>
  ({ ...rest, n: Number(seq) % ITEMS_PER_CAMPAIGN }) as unknown as StoredItem;

const first = ({ seq }: Pick<StoredCampaign, 'seq'>): number => seq * ITEMS_PER_CAMPAIGN;
const seqOf = (campaign: Pick<StoredCampaign, 'seq'>, n: number): number => first(campaign) + n;
const endOf = (campaign: Pick<StoredCampaign, 'seq'>): number => first(campaign) + ITEMS_PER_CAMPAIGN;

export function campaignReader(database: DatabaseSync) {
  const byId = database.prepare('SELECT * FROM campaigns WHERE id = ?');
  const page = database.prepare('SELECT * FROM campaigns WHERE seq < ? ORDER BY seq DESC LIMIT ?');
  const byState = database.prepare('SELECT * FROM campaigns WHERE state = ? ORDER BY seq');
  const waves = database.prepare(
    `SELECT wave, size, startedAtMs, ready, open, done, failed, skipped
     FROM campaignWaves WHERE campaign = ? ORDER BY wave`,
  );
  const resultsOf = (where: string) =>
    database.prepare(`
      SELECT item.*, commands.lateState AS late FROM campaignItems AS item
      LEFT JOIN commands ON commands.id = item.command
      WHERE item.seq >= ? AND item.seq < ? ${where} ORDER BY item.seq LIMIT ?`);
  const results = resultsOf('');
  const resultsByState = {
    ready: resultsOf(`AND item.state = 'ready'`),
    open: resultsOf(`AND item.state = 'open'`),
    done: resultsOf(`AND item.state = 'done'`),
    failed: resultsOf(`AND item.state = 'failed'`),
    skipped: resultsOf(`AND item.state = 'skipped'`),
  } as const;
  const signed = database.prepare(`
    SELECT item.seq AS seq, item.device AS device, coalesce(own.signed, evidence.signed) AS signed FROM campaignItems AS item
    LEFT JOIN campaignSigned AS own ON own.seq = item.seq
    LEFT JOIN commands ON own.seq IS NULL AND commands.id = item.command
    LEFT JOIN evidence ON evidence.seq = commands.seq
    WHERE item.seq >= ? AND item.seq < ? ORDER BY item.seq LIMIT ?`);
  return {
    campaign(id: CampaignId): StoredCampaign | undefined {
      const row = byId.get(id);
      return row === undefined ? undefined : campaignOf(row);
    },
    campaigns: (before: number | undefined, limit: number): readonly StoredCampaign[] =>
      page.all(before ?? Number.MAX_SAFE_INTEGER, limit).map(campaignOf),
    inStates: (states: readonly CampaignState[]): readonly StoredCampaign[] =>
      states.flatMap((state) => byState.all(state).map(campaignOf)),
    waves: (campaign: StoredCampaign): readonly WaveCounts[] =>
      waves.all(campaign.seq) as unknown as readonly WaveCounts[],
    results(
      campaign: StoredCampaign,
      { after, limit, state }: { readonly after: number; readonly limit: number; readonly state?: ItemState },
    ): readonly ItemResult[] {
      const statement = state === undefined ? results : resultsByState[state];
      const rows = statement.all(seqOf(campaign, after + 1), endOf(campaign), limit);
      return rows.map((row) => itemOf(row) as ItemResult);
    },
    signed: (campaign: StoredCampaign, from: number, limit: number): readonly SignedItem[] =>
      signed.all(seqOf(campaign, from), endOf(campaign), limit).map((row) => ({
        n: Number(row['seq']) % ITEMS_PER_CAMPAIGN,
        device: row['device'] as DeviceId,
        signed: row['signed'] as Uint8Array,
      })),
  };
}

/** What a change may set, by the name of its column. */
const CHANGEABLE = [
  'state',
  'changedAtMs',
  'approval',
  'approver',
  'received',
  'countersigned',
  'countersigner',
  'wave',
  'code',
] as const satisfies readonly (keyof CampaignChange)[];

export function campaignWriter(database: DatabaseSync) {
  const reader = campaignReader(database);
  const insert = database.prepare(`
    INSERT INTO campaigns (id, state, type, person, role, count, digest, manifest, proposal, reason, parent,
      expiry, createdAtMs, changedAtMs)
    VALUES ($id, 'uploading', $type, $person, $role, $count, $digest, $manifest, $proposal, $reason, $parent,
      $expiry, $createdAtMs, $createdAtMs)
    ON CONFLICT (id) DO NOTHING RETURNING *`);
  const insertWave = database.prepare('INSERT INTO campaignWaves (campaign, wave, size) VALUES (?, ?, ?)');
  const open = database.prepare(`SELECT count(*) AS count FROM campaigns WHERE state IN (${OPEN})`);
  const startWave = database.prepare(
    'UPDATE campaignWaves SET startedAtMs = ? WHERE campaign = ? AND wave = ? AND startedAtMs IS NULL',
  );
  const insertItem = database.prepare(`
    INSERT INTO campaignItems (seq, campaign, wave, device, command, digest) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING`);
  const insertSigned = database.prepare('INSERT INTO campaignSigned (seq, signed) VALUES (?, ?)');
  const item = database.prepare('SELECT * FROM campaignItems WHERE seq = ?');
  const signedOf = database.prepare(
    'SELECT coalesce(complete, signed) AS signed FROM campaignSigned WHERE seq = ?',
  );
  const complete = database.prepare('UPDATE campaignSigned SET complete = ? WHERE seq = ?');
  const digests = database.prepare(
    'SELECT digest FROM campaignItems WHERE seq >= ? AND seq < ? ORDER BY seq LIMIT ?',
  );
  const itemsIn = Object.fromEntries(
    (['ready', 'open', 'failed'] as const).map((state) => [
      state,
      database.prepare(
        `SELECT * FROM campaignItems WHERE state = '${state}' AND seq >= ? AND seq < ? ORDER BY seq LIMIT ?`,
      ),
    ]),
  );
  const fed = database.prepare(
    `UPDATE campaignItems SET state = 'open', fedAtMs = ? WHERE seq = ? AND state = 'ready'`,
  );
  const forget = database.prepare('DELETE FROM campaignSigned WHERE seq = ?');
  const end = database.prepare(
    'UPDATE campaignItems SET state = ?, outcome = ?, code = ?, endedAtMs = ? WHERE seq = ?',
  );
  const failedOf = database.prepare(
    `SELECT 1 FROM campaignItems WHERE campaign = ? AND device = ? AND state = 'failed'`,
  );
  const held = database.prepare(`
    SELECT 1 FROM campaignItems JOIN campaigns ON campaigns.seq = campaignItems.campaign
    WHERE campaignItems.command = ? AND campaignItems.state = 'open' AND campaigns.state IN (${HOLDING})`);

  return {
    campaign: reader.campaign,
    waves: reader.waves,
    insertCampaign(campaign: NewCampaign, sizes: readonly number[]): StoredCampaign | undefined {
      const row = insert.get({ ...campaign } as unknown as Record<string, SQLInputValue>);
      if (row === undefined) return undefined;
      sizes.forEach((size, wave) => {
        insertWave.run(Number(row['seq']), wave, size);
      });
      return campaignOf(row);
    },
    changeCampaign(id: CampaignId, from: CampaignState, change: CampaignChange): StoredCampaign {
      const { forgiven } = change;
      const values: Record<string, SQLInputValue> = {};
      for (const name of CHANGEABLE) if (change[name] !== undefined) values[name] = change[name];
      if (forgiven !== undefined) {
        values['forgivenEnded'] = forgiven.ended;
        values['forgivenFailed'] = forgiven.failed;
        values['forgivenSilent'] = forgiven.silent ? 1 : 0;
      }
      const set = Object.keys(values).map((name) => `${name} = $${name}`);
      const row = database
        .prepare(`UPDATE campaigns SET ${set.join(', ')} WHERE id = $id AND state = $from RETURNING *`)
        .get({ ...values, id, from });
      if (row === undefined) throw deskError('ERR_DESK_STORE', 'the campaign is not in the state it was');
      return campaignOf(row);
    },
    openCampaigns: (): number => Number(open.get()!['count']),
    startWave(campaign: StoredCampaign, wave: number, atMs: number): void {
      startWave.run(atMs, campaign.seq, wave);
    },
    insertItem(campaign: StoredCampaign, { n, wave, device, command, digest, signed }: NewItem): boolean {
      const seq = seqOf(campaign, n);
      const { changes } = insertItem.run(seq, campaign.seq, wave, device, command, digest);
      if (changes === 0) return false;
      insertSigned.run(seq, signed);
      return true;
    },
    item(campaign: StoredCampaign, n: number): StoredItem | undefined {
      const row = item.get(seqOf(campaign, n));
      return row === undefined ? undefined : itemOf(row);
    },
    signedOf: (campaign: StoredCampaign, n: number): Uint8Array | undefined =>
      signedOf.get(seqOf(campaign, n))?.['signed'] as Uint8Array | undefined,
    complete(campaign: StoredCampaign, n: number, signed: Uint8Array): void {
      complete.run(signed, seqOf(campaign, n));
    },
    digests: (campaign: StoredCampaign, from: number, limit: number): readonly string[] =>
      digests.all(seqOf(campaign, from), endOf(campaign), limit).map(({ digest }) => String(digest)),
    itemsIn: (campaign: StoredCampaign, state: 'ready' | 'open' | 'failed', from: number, limit: number) =>
      itemsIn[state]!.all(seqOf(campaign, from), endOf(campaign), limit).map(itemOf),
    fed(campaign: StoredCampaign, n: number, atMs: number): void {
      fed.run(atMs, seqOf(campaign, n));
      forget.run(seqOf(campaign, n));
    },
    endItem(campaign: StoredCampaign, n: number, { state, outcome, code, endedAtMs }: ItemEnd): void {
      end.run(state, outcome, code, endedAtMs, seqOf(campaign, n));
    },
    hasFailed: (campaign: StoredCampaign, device: DeviceId): boolean =>
      failedOf.get(campaign.seq, device) !== undefined,
    isHeld: (command: CommandId): boolean => held.get(command) !== undefined,
  };
}
