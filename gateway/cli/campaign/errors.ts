import { type ErrorContext, HesError } from '../../../protocol/errors.ts';

/** What `hes op campaign` refuses before anything is signed or sent. */
export const CAMPAIGN_CLI_ERRORS = {
  ERR_CAMPAIGN_CSV:
    'The file of a campaign cannot be read, is too large, or is no CSV: UTF-8, one header line, `,` or `;` between the fields. The message says where.',
  ERR_CAMPAIGN_LINES:
    'Lines of the file of a campaign are wrong; each was named with its column. Nothing was signed. Correct them, all of them.',
  ERR_CAMPAIGN_METERS:
    'The desk would refuse some of the meters by now: `hes op campaign dry-run` counts them. Leave them out with --skip, or take them out of the file. Nothing was signed.',
  ERR_CAMPAIGN_BUNDLE:
    'The file with the signed commands of a campaign cannot be written or read, is there already, or was cut while it was written. Go on with --resume, or remove it and submit anew.',
} as const;

export type CampaignCliErrorCode = keyof typeof CAMPAIGN_CLI_ERRORS;

export function campaignCliError(
  code: CampaignCliErrorCode,
  message: string,
  options: { readonly cause?: unknown; readonly context?: ErrorContext } = {},
): HesError<CampaignCliErrorCode> {
  return new HesError(code, message, options);
}
