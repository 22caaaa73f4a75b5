import { checkSigners } from '../../../protocol/command/signers.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { actorOf, type DeskContext, entryOf, move, transact, type Work } from '../context.ts';
import { deskError } from '../errors.ts';
import { checkValidity } from '../guards/validity.ts';
import { isTerminal } from '../lifecycle/states.ts';
import { checkMeter, checkQueue, enter, type Verified, verify } from '../propose.ts';
import type { StoredCommand } from '../store/port.ts';
import { campaignError } from './errors.ts';
import type { Proven } from './proven.ts';
import type { ItemEnd, StoredCampaign, StoredItem } from './store/port.ts';

/**
 * A command of a campaign enters the desk's queue by the same rules as every other, but for the thresholds: the
 * approval of the manifest was the second person's look. Command, audit rows and item are one transaction.
 */

const NOT_AN_ERROR = new Set(['ERR_DESK_AIRPLANE']);

/**
 * @returns once it is in the queue, or has ended because the desk does not take it any more
 * @throws ERR_DESK_STORE, and nothing happened
 */
export async function feed(
  context: DeskContext,
  campaign: StoredCampaign,
  item: StoredItem,
  proven: Proven,
): Promise<void> {
  try {
    const signed = await signedOf(context, campaign, item);
    // It has been fed, or its campaign has nothing to feed any more.
    if (signed === undefined) return;
    const verified = verify(context, { device: item.device, signed, stage: 'complete' });
    if (verified.digest !== proven.digests[item.n])
      throw campaignError('ERR_CAMPAIGN_MANIFEST', 'the command is not that of the manifest');
    await transact(context, (work) => admit(context, work, { campaign, item, verified, signed }));
  } catch (error) {
    if (!isHesError(error) || error.code.startsWith('ERR_DESK_STORE')) throw error;
    await reject(context, campaign, item, error.code);
  }
}

const signedOf = (context: DeskContext, campaign: StoredCampaign, { n }: StoredItem) =>
  context.store.transaction((transaction) => transaction.campaigns.signedOf(campaign, n));

async function admit(
  context: DeskContext,
  work: Work,
  {
    campaign,
    item,
    verified,
    signed,
  }: {
    readonly campaign: StoredCampaign;
    readonly item: StoredItem;
    readonly verified: Verified;
    readonly signed: Uint8Array;
  },
): Promise<void> {
  const { transaction, nowMs } = work;
  const { campaigns } = transaction;
  const now = await campaigns.campaign(campaign.id);
  const still = await campaigns.item(campaign, item.n);
  // Somebody paused it in between.
  if (now?.state !== 'running' || still?.state !== 'ready') return;
  const { command, payload, digest, signers } = verified;
  const { id, type } = command;
  const [first, second] = signers;
  const before = await transaction.command(id);
  if (before !== undefined) {
    if (before.digest !== digest || before.person !== first!.person)
      throw deskError('ERR_DESK_CONFLICT', 'the id names another command');
    // Its signer proposed it by itself as well.
    await campaigns.fed(campaign, item.n, nowMs);
    if (isTerminal(before.state)) await campaigns.endItem(campaign, item.n, endOf(before));
    return;
  }
  checkSigners(type, signers);
  checkValidity(command, nowMs);
  await checkMeter(context, work, command);
  await checkQueue(context, work, command, first!);
  const cause = second === undefined ? 'accepted' : 'needs-approval';
  const stored = await enter(work, { command, payload, digest, signed, signer: first! }, cause);
  await campaigns.fed(campaign, item.n, nowMs);
  if (second === undefined) work.changed.push(stored);
  else await move(work, stored, 'approved', { actor: actorOf(second), change: { approver: second.person } });
}

/** As the item's trigger would say it (store/schema.ts). */
const endOf = ({ state, code, changedAtMs }: StoredCommand): ItemEnd => ({
  state:
    state === 'executed'
      ? 'done'
      : state === 'cancelled' || (state === 'refused' && code === 'airplane')
        ? 'skipped'
        : 'failed',
  outcome: state,
  code,
  endedAtMs: changedAtMs,
});

async function reject(
  context: DeskContext,
  campaign: StoredCampaign,
  item: StoredItem,
  code: string,
): Promise<void> {
  await transact(context, async ({ transaction, nowMs }) => {
    const still = await transaction.campaigns.item(campaign, item.n);
    if (still?.state !== 'ready') return;
    const about = { id: item.command, device: item.device, type: campaign.type };
    const actor = actorOf({ role: campaign.role, person: campaign.person });
    const { digest } = item;
    await transaction.audit({ ...entryOf(about, 'denied', { actor, atMs: nowMs, digest }), code });
    await transaction.campaigns.endItem(campaign, item.n, {
      state: NOT_AN_ERROR.has(code) ? 'skipped' : 'failed',
      outcome: 'rejected',
      code,
      endedAtMs: nowMs,
    });
  });
}
