import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StoredItem } from './store/port.ts';
import { campaignWorld } from './testing/world.ts';

/** Somebody holds the database of the desk. What two people signed for is what runs, or nothing does. */

type World = Awaited<ReturnType<typeof campaignWorld>>;
let directory: string;
let w: World;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hes-campaign-'));
  w = await campaignWorld(20, {}, directory);
});
afterEach(async () => {
  await w.world.close();
  rmSync(directory, { recursive: true });
});

const TRIGGERS = ['campaignItemsStay', 'campaignItemIsWhatItWas', 'campaignIsApproved', 'campaignItemEnds'];

/** As the thief would: without the database's own fences. */
function steal(...statements: readonly string[]): void {
  const database = new DatabaseSync(join(directory, 'desk.sqlite'));
  database.exec('PRAGMA foreign_keys = OFF');
  for (const trigger of TRIGGERS) database.exec(`DROP TRIGGER IF EXISTS ${trigger}`);
  for (const statement of statements) database.exec(statement);
  database.close();
}

/** Two items change places, bytes, digests, devices and all. */
const SWAP = ['campaignItems', 'campaignSigned'].flatMap((table) => {
  const first = `(SELECT min(seq) FROM ${table})`;
  return [
    `UPDATE ${table} SET seq = -1 WHERE seq = ${first}`,
    `UPDATE ${table} SET seq = (SELECT min(seq) FROM ${table} WHERE seq > 0) - 1
     WHERE seq = (SELECT min(seq) FROM ${table} WHERE seq > 0)`,
    `UPDATE ${table} SET seq = (SELECT min(seq) FROM ${table} WHERE seq > 0) + 1 WHERE seq = -1`,
  ];
});
const LAST = '(SELECT max(seq) FROM campaignItems)';
const DROP = [
  `DELETE FROM campaignSigned WHERE seq = ${LAST}`,
  `DELETE FROM campaignItems WHERE seq = ${LAST}`,
];
const ADD = [
  `INSERT INTO campaignItems (seq, campaign, wave, device, command, digest)
   SELECT seq + 1, campaign, 0, 'ffffffffffffffff', 'ffffffffffffffffffffffffffffffff', digest
   FROM campaignItems WHERE seq = ${LAST}`,
];
const EDIT = [
  `UPDATE campaignItems SET digest = substr(digest, 2) || substr(digest, 1, 1) WHERE seq = ${LAST}`,
];
const EVERYTHING = [
  ['two commands that changed places', SWAP],
  ['a command that was dropped', DROP],
  ['a command that was added', ADD],
  ['a digest that was edited', EDIT],
] as const;

describe('a campaign whose commands were changed', () => {
  it.each(EVERYTHING)('before its approval ends instead of running: %s', async (_, statements) => {
    const made = w.make();
    const { id } = await w.upload(made);
    steal(...statements);
    await expect(w.approve(id, made.manifest)).rejects.toMatchObject({ code: 'ERR_CAMPAIGN_MANIFEST' });
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'stopped', code: 'ERR_CAMPAIGN_MANIFEST', open: 0 });
    expect((await w.store.commands({ limit: 10 })).items).toEqual([]);
  });

  it.each(EVERYTHING)('after its approval and before it is run ends: %s', async (_, statements) => {
    const made = w.make();
    const { id } = await w.upload(made);
    await w.approve(id, made.manifest);
    steal(...statements);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'stopped', code: 'ERR_CAMPAIGN_MANIFEST', open: 0 });
    expect((await w.store.commands({ limit: 10 })).items).toEqual([]);
  });

  it('while it runs feeds none of those: it remembers what it has proven', async () => {
    const { id, made } = await w.running({ change: { waves: [2], errorLimitPermille: 1_000 } });
    const other = w.make({ devices: [w.devices[19]!] });
    const [item] = other.items;
    const digest = Buffer.from(other.manifest.commands).toString('hex');
    steal(
      `UPDATE campaignSigned SET signed = x'${Buffer.from(item!.signed).toString('hex')}' WHERE seq = ${LAST}`,
      `UPDATE campaignItems SET digest = '${digest}' WHERE seq = ${LAST}`,
    );
    await w.wake(w.devices);
    await w.settle();
    await w.wake(w.devices);
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'done', done: 19, failed: 1 });
    const last = (await w.campaigns.results(id, { after: 18, limit: 1 }))[0] as StoredItem;
    expect(last).toMatchObject({ outcome: 'rejected', code: 'ERR_CAMPAIGN_MANIFEST' });
    expect(made.items).toHaveLength(20);
  });
});

describe('a campaign that was approved by an edit of the database', () => {
  it('never starts: without an approval, with that of another, and with its own submitter’s', async () => {
    for (const approval of ['proposal', `x'00'`, '(SELECT max(proposal) FROM campaigns)']) {
      const { id } = await w.upload(w.make({ devices: w.devices.slice(0, 5) }));
      steal(
        `UPDATE campaigns SET state = 'running', wave = 0, approver = 'bea', approval = ${approval}
         WHERE id = '${id}'`,
      );
      await w.settle();
      expect(await w.show(id)).toMatchObject({ state: 'stopped', open: 0 });
    }
    expect((await w.store.commands({ limit: 10 })).items).toEqual([]);
  });

  it('cannot borrow the approval of another campaign', async () => {
    const small = w.make({ devices: w.devices.slice(0, 1) });
    const { id: approved } = await w.upload(small);
    await w.approve(approved, small.manifest);
    const { id } = await w.upload(w.make({ devices: w.devices.slice(1) }));
    steal(
      `UPDATE campaigns SET state = 'running', wave = 0, approver = 'bea',
       approval = (SELECT approval FROM campaigns WHERE id = '${approved}') WHERE id = '${id}'`,
    );
    await w.settle();
    expect(await w.show(id)).toMatchObject({ state: 'stopped', code: 'ERR_CAMPAIGN_MANIFEST', open: 0 });
  });

  it('is refused by the database itself while its fences stand', async () => {
    const { id } = await w.upload(w.make());
    const database = new DatabaseSync(join(directory, 'desk.sqlite'));
    for (const sql of [
      `UPDATE campaigns SET state = 'running' WHERE id = '${id}'`,
      `UPDATE campaigns SET state = 'running', approval = x'00', approver = person WHERE id = '${id}'`,
      `DELETE FROM campaigns`,
      `DELETE FROM campaignItems`,
      `UPDATE campaignItems SET device = 'ffffffffffffffff'`,
    ])
      expect(() => database.exec(sql), sql).toThrow(/second person|not deleted|not another/);
    database.close();
  });
});
