import type { Signer } from '../../../protocol/command/signers.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { AuditActor, AuditEvent } from '../audit/row.ts';
import { actorOf, type DeskContext, transact, type Work } from '../context.ts';
import { checkReleaser } from '../guards/people.ts';
import { campaignError } from './errors.ts';
import type { CampaignId } from './id.ts';
import { type CampaignCause, stepCampaign } from './lifecycle/states.ts';
import { type SignedManifest, verifyManifest } from './manifest.ts';
import type { CampaignChange, StoredCampaign } from './store/port.ts';

/** The few steps that all use cases of campaigns take. */

export interface About {
  readonly actor: AuditActor;
  readonly code?: string | null;
  readonly reason?: string | null;
}

/** The digest of the manifest says which campaign a row is about: its id is the digest's beginning. */
export async function auditCampaign(
  { transaction, nowMs }: Work,
  { type, digest }: Pick<StoredCampaign, 'type' | 'digest'>,
  event: AuditEvent,
  { actor, code = null, reason = null }: About,
): Promise<void> {
  const none = { device: null, command: null, from: null, to: null } as const;
  await transaction.audit({ atMs: nowMs, event, actor, ...none, type, code, reason, digest });
}

/**
 * A transition with its audit row.
 * @throws ERR_CAMPAIGN_STATE
 */
export async function moveCampaign(
  work: Work,
  campaign: StoredCampaign,
  cause: CampaignCause,
  { change = {}, ...about }: About & { readonly change?: Omit<CampaignChange, 'state'> },
): Promise<StoredCampaign> {
  const state = stepCampaign(campaign.state, cause);
  const { code = null } = about;
  const changed = await work.transaction.campaigns.changeCampaign(campaign.id, campaign.state, {
    code,
    ...change,
    state,
    changedAtMs: work.nowMs,
  });
  await auditCampaign(work, campaign, cause, about);
  return changed;
}

/** @throws ERR_CAMPAIGN */
export function knownCampaign(campaign: StoredCampaign | undefined): StoredCampaign {
  if (campaign === undefined) throw campaignError('ERR_CAMPAIGN', 'there is no such campaign');
  return campaign;
}

/** Do what somebody asked for about a campaign. Where he may not, that is a row of the audit too. */
export async function askedOf<T>(
  context: DeskContext,
  about: Pick<StoredCampaign, 'type' | 'digest'>,
  by: Signer,
  work: (work: Work) => Promise<T>,
): Promise<T> {
  try {
    return await transact(context, work);
  } catch (error) {
    if (!isHesError(error) || error.code.startsWith('ERR_DESK_STORE')) throw error;
    await transact(context, (denied) =>
      auditCampaign(denied, about, 'denied', { actor: actorOf(by), code: error.code }),
    );
    throw error;
  }
}

/** As `askedOf`, with the campaign as it is in that moment. @throws ERR_CAMPAIGN */
export async function askedAbout<T>(
  context: DeskContext,
  id: CampaignId,
  by: Signer,
  work: (work: Work, campaign: StoredCampaign) => Promise<T>,
): Promise<T> {
  const about = knownCampaign(await context.store.campaigns.campaign(id));
  return askedOf(context, about, by, async (inside) =>
    work(inside, knownCampaign(await inside.transaction.campaigns.campaign(id))),
  );
}

/**
 * Pausing and stopping make nothing happen, so whoever could have submitted the campaign may, and whoever approves.
 * @throws ERR_CAMPAIGN_ROLE
 */
export function checkHand({ type }: Pick<StoredCampaign, 'type'>, { role }: Signer): void {
  const row = rowOf(type);
  if (role !== 'approver' && !row.propose.includes(role) && !row.approve.includes(role))
    throw campaignError('ERR_CAMPAIGN_ROLE', `the role ${role} may not do that to a campaign of ${type}`, {
      context: { type, role },
    });
}

/** The second pair of eyes. @throws ERR_CAMPAIGN_ROLE, ERR_CAMPAIGN_SAME_PERSON */
export function checkApprover({ person }: Pick<StoredCampaign, 'person'>, by: Signer): void {
  try {
    checkReleaser(person, by);
  } catch (cause) {
    throw isHesError(cause, 'ERR_DESK_SAME_PERSON')
      ? campaignError('ERR_CAMPAIGN_SAME_PERSON', 'whoever submitted a campaign does not approve it', {
          cause,
        })
      : campaignError('ERR_CAMPAIGN_ROLE', `the role ${by.role} approves no campaign`, { cause });
  }
}

/** The manifest that somebody signed, whom the caller has authenticated as that person. */
export function manifestBy(
  { tenant, trust }: DeskContext,
  { signed, part, by }: { signed: Uint8Array; part: 'propose' | 'approve'; by: Signer },
): SignedManifest {
  const said = verifyManifest({ signed, tenant, part, trust });
  if (said.signer.person !== by.person)
    throw campaignError('ERR_CAMPAIGN_ROLE', 'a manifest comes from whoever signed it');
  return said;
}
