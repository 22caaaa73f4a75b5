import type { Signer } from '../../../protocol/command/signers.ts';
import { actorOf, type DeskContext } from '../context.ts';
import { askedAbout, checkApprover, checkHand, moveCampaign } from './common.ts';
import type { CampaignId } from './id.ts';
import type { Forgiven, WaveCounts } from './lifecycle/rules.ts';
import type { StoredCampaign } from './store/port.ts';

/** What people do to a campaign that runs: pause, resume, stop. */

export interface CampaignAsk {
  readonly id: CampaignId;
  /** Whoever asks, as the caller has authenticated him. */
  readonly by: Signer;
  readonly reason?: string;
}

/**
 * Nothing of it leaves the queue from then on; what was sent may still be answered.
 * @throws ERR_CAMPAIGN, ERR_CAMPAIGN_ROLE, ERR_CAMPAIGN_STATE
 */
export function pause(context: DeskContext, { id, by, reason }: CampaignAsk): Promise<StoredCampaign> {
  return askedAbout(context, id, by, async (work, campaign) => {
    checkHand(campaign, by);
    return moveCampaign(work, campaign, 'campaign-paused', { actor: actorOf(by), reason: reason ?? null });
  });
}

/**
 * Let it go on. One that stopped by itself goes on only where somebody with the approving role says so, who is not
 * whoever submitted it; what has failed so far is then not counted again.
 *
 * @throws ERR_CAMPAIGN, ERR_CAMPAIGN_ROLE, ERR_CAMPAIGN_SAME_PERSON, ERR_CAMPAIGN_STATE
 */
export function resume(context: DeskContext, { id, by, reason }: CampaignAsk): Promise<StoredCampaign> {
  return askedAbout(context, id, by, async (work, campaign) => {
    const about = { actor: actorOf(by), reason: reason ?? null };
    if (campaign.state !== 'halted') {
      checkHand(campaign, by);
      return moveCampaign(work, campaign, 'campaign-resumed', about);
    }
    checkApprover(campaign, by);
    const waves = await work.transaction.campaigns.waves(campaign);
    const change = { forgiven: forgive(waves[campaign.wave!]!, campaign) };
    return moveCampaign(work, campaign, 'campaign-forgiven', { ...about, change });
  });
}

const forgive = ({ done, failed }: WaveCounts, { code, forgiven }: StoredCampaign): Forgiven => ({
  ended: done + failed,
  failed,
  silent: forgiven.silent || code === 'silent',
});

/**
 * End it: what was not sent is taken back, what was sent ends by itself.
 * @throws ERR_CAMPAIGN, ERR_CAMPAIGN_ROLE, ERR_CAMPAIGN_STATE
 */
export function stop(context: DeskContext, { id, by, reason }: CampaignAsk): Promise<StoredCampaign> {
  return askedAbout(context, id, by, async (work, campaign) => {
    checkHand(campaign, by);
    const isBegun = campaign.approver !== null;
    return moveCampaign(work, campaign, isBegun ? 'campaign-stopping' : 'campaign-withdrawn', {
      actor: actorOf(by),
      reason: reason ?? null,
    });
  });
}
