import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandId } from '../../../../protocol/command/id.ts';
import { isHesError } from '../../../../protocol/errors.ts';
import type { StoredState } from '../../lifecycle/states.ts';
import type { StoreFixture } from '../../store/contract.ts';
import { deviceOf, idOf, newCommand, T0, T0_MS } from '../../store/contract-samples.ts';
import type { DeskStore } from '../../store/port.ts';
import type { CampaignId } from '../id.ts';
import type { CampaignState } from '../lifecycle/states.ts';
import type { NewCampaign, StoredCampaign } from './port.ts';

const idOfCampaign = (number: number): CampaignId => number.toString(16).padStart(32, 'a') as CampaignId;
const newCampaign = (number: number, change: Partial<NewCampaign> = {}): NewCampaign => ({
  id: idOfCampaign(number),
  type: 'p1.set',
  person: 'ann',
  role: 'operator',
  count: 5,
  digest: number.toString(16).padStart(64, '0'),
  manifest: Uint8Array.of(1, number),
  proposal: Uint8Array.of(2, number),
  reason: null,
  parent: null,
  expiry: T0 + 86_400,
  createdAtMs: T0_MS,
  ...change,
});
const APPROVED = { approval: Uint8Array.of(3), approver: 'bea', wave: 0 } as const;
const SIGNED = Uint8Array.of(9);

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return isHesError(error) ? error.code : String(error);
  }
}

/** What every implementation of the port of campaigns has to pass, beside `storeContract`. */
export function campaignContract(name: string, makeFixture: () => Promise<StoreFixture>): void {
  describe(`contract of campaigns: ${name}`, () => {
    let fixture: StoreFixture;
    let store: DeskStore;
    beforeEach(async () => {
      fixture = await makeFixture();
      store = fixture.store;
    });
    afterEach(() => fixture.dispose());

    /** With five items, two in its first wave. */
    async function inserted(number = 1): Promise<StoredCampaign> {
      return store.transaction(async ({ campaigns }) => {
        const campaign = (await campaigns.insertCampaign(newCampaign(number), [2, 3]))!;
        for (let n = 0; n < 5; n += 1) await campaigns.insertItem(campaign, itemOf(number, n));
        return campaign;
      });
    }
    const itemOf = (number: number, n: number) => ({
      n,
      wave: n < 2 ? 0 : 1,
      device: deviceOf(n + 1),
      command: idOf(number * 100 + n),
      digest: n.toString(16).padStart(64, 'd'),
      signed: SIGNED,
    });
    const change = (campaign: StoredCampaign, from: CampaignState, to: CampaignState, more: object = {}) =>
      store.transaction(({ campaigns }) =>
        campaigns.changeCampaign(campaign.id, from, { state: to, changedAtMs: T0_MS + 1, ...more }),
      );
    const running = async (campaign: StoredCampaign): Promise<StoredCampaign> => {
      await change(campaign, 'uploading', 'awaiting-approval');
      return change(campaign, 'awaiting-approval', 'running', APPROVED);
    };
    /** A command of an item enters the queue. */
    const feed = (campaign: StoredCampaign, number: number, n: number) =>
      store.transaction(async (transaction) => {
        const { device, command } = itemOf(number, n);
        await transaction.insert(newCommand(number * 100 + n, { device, state: 'queued' }), {
          payload: Uint8Array.of(1),
          signed: Uint8Array.of(8),
        });
        await transaction.campaigns.fed(campaign, n, T0_MS);
        return command;
      });
    const end = (id: CommandId, state: StoredState, code: 'airplane' | 'unsupported' | null = null) =>
      store.transaction((transaction) =>
        transaction.change(id, 'queued', { state, changedAtMs: T0_MS + 5, code }),
      );
    const countsOf = async (campaign: StoredCampaign) =>
      (await store.campaigns.waves(campaign)).map(({ ready, open, done, failed, skipped }) => [
        ...[ready, open, done, failed, skipped],
      ]);

    it('takes an id once, a command once in all campaigns, and a device once in one', async () => {
      const campaign = await inserted();
      await store.transaction(async ({ campaigns }) => {
        expect(await campaigns.insertCampaign(newCampaign(1), [5])).toBeUndefined();
        expect(await campaigns.insertItem(campaign, { ...itemOf(3, 6), device: deviceOf(1) })).toBe(false);
        const other = (await campaigns.insertCampaign(newCampaign(2), [5]))!;
        expect(await campaigns.insertItem(other, itemOf(1, 0))).toBe(false);
        expect(await campaigns.insertItem(other, itemOf(2, 0))).toBe(true);
        expect(await campaigns.openCampaigns()).toBe(2);
      });
    });

    it('undoes all of a transaction that fails, counts with it', async () => {
      const campaign = await inserted();
      const failing = store.transaction(async (transaction) => {
        await transaction.campaigns.fed(campaign, 0, T0_MS);
        await transaction.campaigns.changeCampaign(campaign.id, 'uploading', { received: 5 });
        throw new Error('in the middle');
      });
      await expect(failing).rejects.toThrow('in the middle');
      expect((await store.campaigns.campaign(campaign.id))?.received).toBe(0);
      expect(await countsOf(campaign)).toEqual([
        [2, 0, 0, 0, 0],
        [3, 0, 0, 0, 0],
      ]);
    });

    it('changes a campaign only from the state that it is in, never from a terminal one', async () => {
      const campaign = await inserted();
      expect(await codeOf(change(campaign, 'paused', 'running'))).toBe('ERR_DESK_STORE');
      await change(campaign, 'uploading', 'stopped');
      expect(await codeOf(change(campaign, 'stopped', 'uploading'))).toBe('ERR_DESK_STORE');
    });

    it('lets none run without the approval of another person', async () => {
      const campaign = await inserted();
      await change(campaign, 'uploading', 'awaiting-approval');
      expect(await codeOf(change(campaign, 'awaiting-approval', 'running'))).toBe('ERR_DESK_STORE');
      const own = { ...APPROVED, approver: 'ann' };
      expect(await codeOf(change(campaign, 'awaiting-approval', 'running', own))).toBe('ERR_DESK_STORE');
      expect((await change(campaign, 'awaiting-approval', 'running', APPROVED)).state).toBe('running');
    });

    it('has an item follow its command, in the transaction that ends it, and the wave its items', async () => {
      const campaign = await running(await inserted());
      const [a, b, c, d] = [
        await feed(campaign, 1, 0),
        await feed(campaign, 1, 1),
        await feed(campaign, 1, 2),
        await feed(campaign, 1, 3),
      ];
      expect(await countsOf(campaign)).toEqual([
        [0, 2, 0, 0, 0],
        [1, 2, 0, 0, 0],
      ]);
      await end(a, 'executed');
      await end(b, 'refused', 'unsupported');
      await end(c, 'refused', 'airplane');
      await end(d, 'cancelled');
      expect(await countsOf(campaign)).toEqual([
        [0, 0, 1, 1, 0],
        [1, 0, 0, 0, 2],
      ]);
      const results = await store.campaigns.results(campaign, { after: -1, limit: 10 });
      expect(
        results.map(({ n, state, outcome, code, endedAtMs }) => [n, state, outcome, code, endedAtMs]),
      ).toEqual([
        [0, 'done', 'executed', null, T0_MS + 5],
        [1, 'failed', 'refused', 'unsupported', T0_MS + 5],
        [2, 'skipped', 'refused', 'airplane', T0_MS + 5],
        [3, 'skipped', 'cancelled', null, T0_MS + 5],
        [4, 'ready', null, null, null],
      ]);
      await store.transaction(async ({ campaigns }) => {
        expect(await campaigns.hasFailed(campaign, deviceOf(2))).toBe(true);
        expect(await campaigns.hasFailed(campaign, deviceOf(1))).toBe(false);
      });
    });

    it('keeps a command in the queue while its campaign holds, and only what was fed', async () => {
      const campaign = await running(await inserted());
      const id = await feed(campaign, 1, 0);
      const isHeld = (command: CommandId) => store.transaction(({ campaigns }) => campaigns.isHeld(command));
      expect(await isHeld(id)).toBe(false);
      for (const [from, to] of [
        ['running', 'paused'],
        ['paused', 'running'],
        ['running', 'halted'],
        ['halted', 'stopping'],
      ] as const) {
        await change(campaign, from, to);
        expect(await isHeld(id), to).toBe(to !== 'running');
      }
      expect(await isHeld(itemOf(1, 4).command)).toBe(false);
      expect(await isHeld(idOf(999))).toBe(false);
    });

    it('gives the bytes as they were uploaded, completed ones to the queue, and the command’s once they are there', async () => {
      const campaign = await running(await inserted());
      const complete = Uint8Array.of(7, 7);
      await store.transaction(({ campaigns }) => campaigns.complete(campaign, 1, complete));
      await store.transaction(async ({ campaigns }) => {
        expect(Buffer.from((await campaigns.signedOf(campaign, 1))!)).toEqual(Buffer.from(complete));
      });
      await feed(campaign, 1, 0);
      const items = await store.campaigns.signed(campaign, 0, 3);
      expect(items.map(({ n, device, signed }) => [n, device, [...signed]])).toEqual([
        [0, deviceOf(1), [8]],
        [1, deviceOf(2), [9]],
        [2, deviceOf(3), [9]],
      ]);
      await store.transaction(async ({ campaigns }) => {
        expect(await campaigns.signedOf(campaign, 0)).toBeUndefined();
        expect(await campaigns.digests(campaign, 3, 10)).toEqual([3, 4].map((n) => itemOf(1, n).digest));
        const ready = await campaigns.itemsIn(campaign, 'ready', 2, 2);
        expect(ready.map(({ n }) => n)).toEqual([2, 3]);
      });
    });

    it('has all of it after a restart, the newest campaign first', async () => {
      const first = await running(await inserted(1));
      await inserted(2);
      store = await fixture.reopen();
      const page = await store.campaigns.campaigns({ limit: 10 });
      expect(page.map(({ id }) => id)).toEqual([idOfCampaign(2), idOfCampaign(1)]);
      expect(await store.campaigns.campaigns({ limit: 10, before: page[0]!.seq })).toEqual([page[1]]);
      expect(await store.campaigns.inStates(['running'])).toEqual([page[1]]);
      expect(page[1]).toMatchObject({
        state: 'running',
        approver: 'bea',
        wave: 0,
        forgiven: { silent: false },
      });
      expect(await countsOf(first)).toEqual([
        [2, 0, 0, 0, 0],
        [3, 0, 0, 0, 0],
      ]);
    });
  });
}
