import { checkSigners } from '../../../protocol/command/signers.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import type { DeskContext } from '../context.ts';
import type { DeskTransaction } from '../store/port.ts';
import { checkApprover } from './common.ts';
import { campaignError } from './errors.ts';
import { CommandsDigest, type Manifest, verifyManifest } from './manifest.ts';
import type { StoredCampaign } from './store/port.ts';

/**
 * What two people signed, against what lies in the database now. The runner believes neither the columns of a
 * campaign nor the digests of its items: it takes the manifest out of the signatures, and the digests only once they
 * are together what the manifest says.
 */
export interface Proven {
  readonly manifest: Manifest;
  /** SHA-256 of each command, hex, in their order. */
  readonly digests: readonly string[];
}

const PAGE = 5_000;

async function digestsOf(transaction: DeskTransaction, campaign: StoredCampaign): Promise<readonly string[]> {
  const digests: string[] = [];
  for (;;) {
    const page = await transaction.campaigns.digests(campaign, digests.length, PAGE);
    for (const digest of page) digests.push(digest);
    if (page.length < PAGE) return digests;
  }
}

/** The digests of the items. @throws ERR_CAMPAIGN_MANIFEST where one was changed, added, dropped or moved */
export async function provenDigests(
  transaction: DeskTransaction,
  campaign: StoredCampaign,
  { count, commands }: Manifest,
): Promise<readonly string[]> {
  const digests = await digestsOf(transaction, campaign);
  const sum = new CommandsDigest();
  for (const digest of digests) sum.add(digest);
  if (digests.length !== count || Buffer.compare(sum.end(), commands) !== 0)
    throw campaignError('ERR_CAMPAIGN_MANIFEST', 'the commands are not those of the manifest', {
      context: { count, found: digests.length },
    });
  return digests;
}

/** What the first signature says. @throws what `verifyManifest` and the trust throw; ERR_CAMPAIGN_MANIFEST */
export function proposedManifest({ tenant, trust }: DeskContext, campaign: StoredCampaign): Manifest {
  const { manifest, digest, id, signer } = verifyManifest({
    signed: campaign.proposal,
    tenant,
    part: 'propose',
    trust,
  });
  checkSigners(manifest.type, [signer], 'proposed');
  if (
    digest !== campaign.digest ||
    id !== campaign.id ||
    manifest.type !== campaign.type ||
    signer.person !== campaign.person
  )
    throw campaignError('ERR_CAMPAIGN_MANIFEST', 'the campaign is not what was submitted');
  return manifest;
}

/**
 * A campaign that two people signed for, with the digests of its commands.
 * @throws what `proposedManifest` throws; ERR_CAMPAIGN_MANIFEST, ERR_CAMPAIGN_ROLE, ERR_CAMPAIGN_SAME_PERSON
 */
export async function prove(
  context: DeskContext,
  transaction: DeskTransaction,
  campaign: StoredCampaign,
): Promise<Proven> {
  const { tenant, trust } = context;
  const manifest = proposedManifest(context, campaign);
  if (campaign.approval === null) throw campaignError('ERR_CAMPAIGN_MANIFEST', 'nobody approved it');
  const approval = verifyManifest({ signed: campaign.approval, tenant, part: 'approve', trust });
  checkApprover(campaign, approval.signer);
  if (approval.digest !== campaign.digest || approval.signer.person !== campaign.approver)
    throw campaignError('ERR_CAMPAIGN_MANIFEST', 'what was approved is not what was submitted');
  return { manifest, digests: await provenDigests(transaction, campaign, manifest) };
}

/** Whether each command needs the approver's signature too. */
export const needsSecond = ({ type }: Pick<StoredCampaign, 'type'>): boolean => rowOf(type).signatures > 1;
