import { checkSigners, type Signer } from '../../../protocol/command/signers.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { actorOf, DESK, type DeskContext, type Work } from '../context.ts';
import { checkValidity } from '../guards/validity.ts';
import { verify } from '../propose.ts';
import { askedAbout, checkApprover, knownCampaign, manifestBy, moveCampaign } from './common.ts';
import { campaignError } from './errors.ts';
import type { CampaignId } from './id.ts';
import { stepCampaign } from './lifecycle/states.ts';
import { needsSecond, proposedManifest, provenDigests } from './proven.ts';
import type { StoredCampaign } from './store/port.ts';
import type { UploadItem } from './submit.ts';

/** The second person: his signature over the manifest starts a campaign, and nothing else does. */

/**
 * Take second signatures of commands, the first of them for number `from`. They are of one approver: another one
 * begins from 0 anew.
 *
 * @throws what `verifyCommand`, `checkSigners` and the trust throw; ERR_CAMPAIGN, ERR_CAMPAIGN_STATE,
 *   ERR_CAMPAIGN_ROLE, ERR_CAMPAIGN_SAME_PERSON, ERR_CAMPAIGN_GAP with `context.received`, ERR_CAMPAIGN_COMMAND
 */
export async function countersign(
  context: DeskContext,
  chunk: {
    readonly id: CampaignId;
    readonly from: number;
    readonly items: readonly UploadItem[];
    readonly by: Signer;
  },
): Promise<StoredCampaign> {
  const { id, from, items, by } = chunk;
  knownCampaign(await context.store.campaigns.campaign(id));
  const verified = items.map(({ device, signed }) => verify(context, { device, signed, stage: 'complete' }));
  return askedAbout(context, id, by, async ({ transaction }, campaign) => {
    checkApprover(campaign, by);
    stepCampaign(campaign.state, 'campaign-approved');
    const there = campaign.countersigner === by.person ? campaign.countersigned : 0;
    if (from > there)
      throw campaignError('ERR_CAMPAIGN_GAP', `the next signature is that of command ${there}`, {
        context: { received: there },
      });
    for (const [index, { digest, command, signers }] of verified.entries()) {
      const n = from + index;
      checkSigners(command.type, signers);
      const item = await transaction.campaigns.item(campaign, n);
      if (
        item?.digest !== digest ||
        signers[0]!.person !== campaign.person ||
        signers[1]?.person !== by.person
      )
        throw campaignError('ERR_CAMPAIGN_COMMAND', `what was signed is not command ${n}`, {
          context: { command: n },
        });
      await transaction.campaigns.complete(campaign, n, items[index]!.signed);
    }
    const countersigned = Math.max(there, from + items.length);
    return transaction.campaigns.changeCampaign(id, campaign.state, {
      countersigned,
      countersigner: by.person,
    });
  });
}

/**
 * Take the approval of a campaign, which runs from then on. Approved again by the same person it is as it was.
 *
 * @throws what `verifyManifest` and the trust throw; ERR_CAMPAIGN, ERR_CAMPAIGN_STATE, ERR_CAMPAIGN_ROLE,
 *   ERR_CAMPAIGN_SAME_PERSON, ERR_CAMPAIGN_SIGNATURES, ERR_DESK_EXPIRED; ERR_CAMPAIGN_MANIFEST where what was
 *   approved, what was submitted and what lies there are not one
 */
export async function approve(
  context: DeskContext,
  { id, approval, by }: { readonly id: CampaignId; readonly approval: Uint8Array; readonly by: Signer },
): Promise<StoredCampaign> {
  knownCampaign(await context.store.campaigns.campaign(id));
  const said = manifestBy(context, { signed: approval, part: 'approve', by });
  const after = await askedAbout(context, id, by, async (work, campaign) => {
    if (said.digest !== campaign.digest)
      throw campaignError('ERR_CAMPAIGN_MANIFEST', 'what was approved is not what was submitted');
    checkApprover(campaign, said.signer);
    if (campaign.approver === said.signer.person) return campaign;
    stepCampaign(campaign.state, 'campaign-approved');
    const manifest = proposedManifest(context, campaign);
    checkValidity({ ...manifest, counter: manifest.madeAtMs }, work.nowMs);
    if (needsSecond(campaign) && !isCountersigned(campaign, said.signer))
      throw campaignError('ERR_CAMPAIGN_SIGNATURES', 'not every command has the signature of its approver', {
        context: { countersigned: campaign.countersigned, count: campaign.count },
      });
    try {
      await provenDigests(work.transaction, campaign, manifest);
    } catch (error) {
      if (!isHesError(error, 'ERR_CAMPAIGN_MANIFEST')) throw error;
      return moveCampaign(work, campaign, 'campaign-spoiled', { actor: DESK, code: error.code });
    }
    return start(work, campaign, approval, said.signer);
  });
  if (after.approver === null)
    throw campaignError(
      'ERR_CAMPAIGN_MANIFEST',
      'the commands are not those of the manifest; it was stopped',
    );
  return after;
}

const isCountersigned = (
  { countersigner, countersigned, count }: StoredCampaign,
  { person }: Signer,
): boolean => countersigner === person && countersigned === count;

async function start(
  work: Work,
  campaign: StoredCampaign,
  approval: Uint8Array,
  by: Signer,
): Promise<StoredCampaign> {
  const running = await moveCampaign(work, campaign, 'campaign-approved', {
    actor: actorOf(by),
    change: { approval, approver: by.person, wave: 0 },
  });
  await work.transaction.campaigns.startWave(campaign, 0, work.nowMs);
  return running;
}
