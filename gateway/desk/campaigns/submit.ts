import { checkSigners, type Signer } from '../../../protocol/command/signers.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import { actorOf, DESK, type DeskContext, type Work } from '../context.ts';
import { checkValidity } from '../guards/validity.ts';
import { type Verified, verify } from '../propose.ts';
import { askedAbout, askedOf, auditCampaign, knownCampaign, manifestBy, moveCampaign } from './common.ts';
import { campaignError } from './errors.ts';
import type { CampaignId } from './id.ts';
import { waveSizes } from './lifecycle/rules.ts';
import { OPEN_CAMPAIGNS_MAX } from './limits.ts';
import type { Manifest } from './manifest.ts';
import { proposedManifest, provenDigests } from './proven.ts';
import type { StoredCampaign } from './store/port.ts';

/** A campaign comes: first its manifest, then its commands in chunks, until they are what the manifest says. */

/**
 * Take a manifest. Submitted again it is the same campaign, with as many commands as are there.
 * @throws what `verifyManifest`, the trust and `checkSigners` throw; ERR_CAMPAIGN_ROLE, ERR_CAMPAIGN_RETRY,
 *   ERR_CAMPAIGN_BUSY, ERR_DESK_EXPIRED, ERR_DESK_AHEAD, ERR_CAMPAIGN_MANIFEST
 */
export async function submit(
  context: DeskContext,
  { proposal, by }: { readonly proposal: Uint8Array; readonly by: Signer },
): Promise<StoredCampaign> {
  const { manifest, bytes, digest, id, signer } = manifestBy(context, {
    signed: proposal,
    part: 'propose',
    by,
  });
  const { type, count, reason, parent, expiry } = manifest;
  return askedOf(context, { type, digest }, signer, async (work) => {
    const { campaigns } = work.transaction;
    const before = await campaigns.campaign(id);
    if (before !== undefined) return before;
    checkSigners(type, [signer], 'proposed');
    checkValidity({ counter: manifest.madeAtMs, notBefore: manifest.notBefore, expiry }, work.nowMs);
    if (expiry - manifest.notBefore > rowOf(type).expirySecondsMax)
      throw campaignError('ERR_CAMPAIGN_MANIFEST', `${type} is not valid for so long`);
    if (parent !== null && (await campaigns.campaign(parent))?.type !== type)
      throw campaignError('ERR_CAMPAIGN_RETRY', 'there is no such campaign to repeat, of that type');
    if ((await campaigns.openCampaigns()) >= OPEN_CAMPAIGNS_MAX)
      throw campaignError('ERR_CAMPAIGN_BUSY', `${OPEN_CAMPAIGNS_MAX} campaigns have not ended`);
    const { person, role } = signer;
    const campaign = {
      id,
      type,
      person,
      role,
      count,
      digest,
      manifest: bytes,
      proposal,
      reason,
      parent,
      expiry,
    };
    const stored = await campaigns.insertCampaign(
      { ...campaign, createdAtMs: work.nowMs },
      waveSizes(manifest),
    );
    await auditCampaign(work, campaign, 'campaign-submitted', { actor: actorOf(signer), reason });
    return stored!;
  });
}

export interface UploadItem {
  readonly device: DeviceId;
  readonly signed: Uint8Array;
}

/** @throws what `verifyCommand` and the trust throw; ERR_CAMPAIGN_COMMAND */
function checkItem(
  context: DeskContext,
  { person }: StoredCampaign,
  manifest: Manifest,
  { device, signed }: UploadItem,
  n: number,
): Verified {
  const verified = verify(context, { device, signed, stage: 'proposed' });
  const { command, signers } = verified;
  const fault =
    command.type !== manifest.type
      ? 'of another type than the campaign'
      : command.notBefore !== manifest.notBefore || command.expiry !== manifest.expiry
        ? 'valid at another time than the campaign'
        : signers[0]!.person !== person
          ? 'signed by somebody else than the manifest'
          : undefined;
  if (fault !== undefined) throw foreign(n, fault);
  checkSigners(command.type, signers, 'proposed');
  return verified;
}

function foreign(n: number, fault: string): Error {
  return campaignError('ERR_CAMPAIGN_COMMAND', `command ${n} is ${fault}`, { context: { command: n } });
}

/**
 * Take the next commands of a campaign, the first of them being number `from`. Those that are there already are
 * compared and not taken again, so whoever lost an answer sends the same chunk once more. With the last one the
 * campaign is complete: then it waits for its approval, or, where its commands are not those of its manifest, it has
 * ended.
 *
 * @throws what `verifyCommand`, `checkSigners` and the trust throw; ERR_CAMPAIGN, ERR_CAMPAIGN_STATE,
 *   ERR_CAMPAIGN_ROLE, ERR_CAMPAIGN_GAP with `context.received`, ERR_CAMPAIGN_COMMAND, ERR_CAMPAIGN_RETRY
 */
export async function upload(
  context: DeskContext,
  chunk: {
    readonly id: CampaignId;
    readonly from: number;
    readonly items: readonly UploadItem[];
    readonly by: Signer;
  },
): Promise<StoredCampaign> {
  const { id, from, items, by } = chunk;
  const about = knownCampaign(await context.store.campaigns.campaign(id));
  const manifest = proposedManifest(context, about);
  const verified = items.map((item, index) => checkItem(context, about, manifest, item, from + index));
  return askedAbout(context, id, by, async (work, campaign) => {
    if (by.person !== campaign.person)
      throw campaignError('ERR_CAMPAIGN_ROLE', 'the commands of a campaign come from whoever submitted it');
    if (from > campaign.received)
      throw campaignError('ERR_CAMPAIGN_GAP', `the next command is number ${campaign.received}`, {
        context: { received: campaign.received },
      });
    for (const [index, { digest }] of verified.entries())
      if (from + index < campaign.received) await compare(work, campaign, from + index, digest);
    const fresh = items.slice(campaign.received - from);
    if (fresh.length === 0) return campaign;
    if (campaign.state !== 'uploading')
      throw campaignError('ERR_CAMPAIGN_STATE', `a campaign that is ${campaign.state} takes no commands`, {
        context: { state: campaign.state },
      });
    if (campaign.received + fresh.length > manifest.count)
      throw foreign(manifest.count, 'more than the manifest counts');
    await insert(work, campaign, manifest, fresh, verified.slice(campaign.received - from));
    const received = campaign.received + fresh.length;
    const after = await work.transaction.campaigns.changeCampaign(id, 'uploading', { received });
    return received === manifest.count ? seal(work, after, manifest) : after;
  });
}

async function compare({ transaction }: Work, campaign: StoredCampaign, n: number, digest: string) {
  const there = await transaction.campaigns.item(campaign, n);
  if (there?.digest !== digest) throw foreign(n, 'another one than is there in its place');
}

async function insert(
  { transaction }: Work,
  campaign: StoredCampaign,
  manifest: Manifest,
  items: readonly UploadItem[],
  verified: readonly Verified[],
): Promise<void> {
  const { campaigns } = transaction;
  const parent = manifest.parent === null ? undefined : await campaigns.campaign(manifest.parent);
  const sizes = waveSizes(manifest);
  let wave = 0;
  let waveEnd = sizes[0]!;
  for (const [index, { device, signed }] of items.entries()) {
    const n = campaign.received + index;
    while (n >= waveEnd) waveEnd += sizes[++wave]!;
    const { command, digest } = verified[index]!;
    if (parent !== undefined && !(await campaigns.hasFailed(parent, device)))
      throw campaignError('ERR_CAMPAIGN_RETRY', `command ${n} is for a device that did not fail before`, {
        context: { command: n },
      });
    const item = { n, wave, device, command: command.id, digest, signed };
    if (!(await campaigns.insertItem(campaign, item)))
      throw foreign(n, 'in a campaign already, or its device is in this one');
  }
}

/** All are there: are they what was signed for? */
async function seal(work: Work, campaign: StoredCampaign, manifest: Manifest): Promise<StoredCampaign> {
  try {
    await provenDigests(work.transaction, campaign, manifest);
  } catch (error) {
    if (!isHesError(error, 'ERR_CAMPAIGN_MANIFEST')) throw error;
    return moveCampaign(work, campaign, 'campaign-spoiled', { actor: DESK, code: error.code });
  }
  return moveCampaign(work, campaign, 'campaign-uploaded', { actor: DESK });
}
