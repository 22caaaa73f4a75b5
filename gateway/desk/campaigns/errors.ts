import { type ErrorContext, HesError } from '../../../protocol/errors.ts';

/** Why a desk does not take, start or continue a campaign, and what to do about it. */
export const CAMPAIGN_ERRORS = {
  ERR_CAMPAIGN: 'This desk has no campaign of that id.',
  ERR_CAMPAIGN_STATE:
    'What was asked for is not possible in the state that the campaign is in. The context names the state.',
  ERR_CAMPAIGN_MANIFEST:
    'Bytes are no manifest of a campaign, or not that of the commands that lie with it: commands were changed, added, dropped or put into another order. Do not approve it; submit the campaign anew.',
  ERR_CAMPAIGN_COMMAND:
    'A command does not belong to the campaign that it was uploaded for: another type, validity or signer than its manifest names, or a device that is in it already. The context says which one, counted from 0.',
  ERR_CAMPAIGN_GAP:
    'An upload goes on where the one before ended; the context says where that is. `hes op campaign submit --resume` does.',
  ERR_CAMPAIGN_SAME_PERSON: 'A campaign is approved by somebody else than whoever submitted it.',
  ERR_CAMPAIGN_ROLE: 'The role of whoever asks may not do that to this campaign.',
  ERR_CAMPAIGN_SIGNATURES:
    'Each command of a critical type needs the second signature of whoever approves the campaign. `hes op campaign approve` makes them.',
  ERR_CAMPAIGN_RETRY:
    'A campaign that repeats another holds only devices where that one failed, with the same type of command.',
  ERR_CAMPAIGN_BUSY:
    'As many campaigns are open as a desk keeps at a time. Wait until one has ended, or stop one.',
} as const;

export type CampaignErrorCode = keyof typeof CAMPAIGN_ERRORS;

export function campaignError(
  code: CampaignErrorCode,
  message: string,
  options: { readonly cause?: unknown; readonly context?: ErrorContext } = {},
): HesError<CampaignErrorCode> {
  return new HesError(code, message, options);
}
