import { z } from 'zod';
import { type CommandType, isCommandType } from '../../../protocol/command/table.ts';
import { type DeviceId, isDeviceId } from '../../../protocol/identity.ts';
import { type CampaignId, isCampaignId } from '../../desk/campaigns/id.ts';
import { usage } from '../errors.ts';

/** What a desk says of campaigns, as far as this side reads it. */

const id = z.custom<CampaignId>(isCampaignId);
const counts = { ready: z.int(), open: z.int(), done: z.int(), failed: z.int(), skipped: z.int() };

export const CAMPAIGN_VIEW = z.looseObject({
  id,
  type: z.custom<CommandType>(isCommandType),
  state: z.string(),
  code: z.string().nullable(),
  person: z.string(),
  role: z.string(),
  approver: z.string().nullable(),
  reason: z.string().nullable(),
  parent: id.nullable(),
  count: z.int(),
  received: z.int(),
  countersigned: z.int(),
  countersigner: z.string().nullable(),
  errorLimitPermille: z.int(),
  createdAt: z.string(),
  changedAt: z.string(),
  notBefore: z.string(),
  expiry: z.string(),
  wave: z.int().nullable(),
  waves: z.array(z.looseObject({ size: z.int(), startedAt: z.string().nullable(), ...counts })),
  totals: z.looseObject(counts),
});
export type CampaignView = z.output<typeof CAMPAIGN_VIEW>;

export const SHOWN_CAMPAIGN = CAMPAIGN_VIEW.extend({
  proposal: z.base64(),
  approval: z.base64().nullable(),
});
export type ShownCampaign = z.output<typeof SHOWN_CAMPAIGN>;

export const SIGNED_ITEM = z.looseObject({
  n: z.int(),
  device: z.custom<DeviceId>(isDeviceId),
  signed: z.base64(),
});
export type SignedItemView = z.output<typeof SIGNED_ITEM>;

export const RESULT_VIEW = z.looseObject({
  n: z.int(),
  wave: z.int(),
  device: z.custom<DeviceId>(isDeviceId),
  command: z.string(),
  state: z.string(),
  outcome: z.string().nullable(),
  code: z.string().nullable(),
  queuedAt: z.string().nullable(),
  endedAt: z.string().nullable(),
  late: z.string().nullable(),
});
export type ResultView = z.output<typeof RESULT_VIEW>;

/** @throws ERR_USAGE */
export function parseCampaignId(text: string): CampaignId {
  if (isCampaignId(text)) return text;
  throw usage('the id of a campaign is 32 lower-case hex digits (`hes op campaign list` shows them)');
}

export const campaignPath = (campaign: CampaignId, what = ''): string =>
  `/v1/campaigns/${campaign}${what === '' ? '' : `/${what}`}`;
