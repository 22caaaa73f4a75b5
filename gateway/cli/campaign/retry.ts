import { decodeCommand } from '../../../protocol/command/command.ts';
import { checkSignatures } from '../../../protocol/command/signed.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import { clientError } from '../desk-client/errors.ts';
import { type AtDesk, atDesk } from '../desk-client/open.ts';
import { usage } from '../errors.ts';
import { CLOCKS_APART_SECONDS } from '../op/draft.ts';
import { altered } from './altered.ts';
import { signedItems } from './approve.ts';
import type { CampaignDraft } from './lines.ts';
import { resultsOf } from './look.ts';
import { courseOf } from './settings.ts';
import { type SubmitFlags, signAndDeliver } from './submit.ts';
import { type Trust, trustOf } from './trust.ts';
import { submittedManifest } from './verify.ts';
import { campaignPath, parseCampaignId, SHOWN_CAMPAIGN, type SignedItemView } from './views.ts';

/**
 * `hes op campaign retry ID`: the commands that failed once more, signed anew, as a campaign of its own that needs an
 * approval of its own. What they say is taken out of the signatures of the first one, not out of the desk's word.
 */
export function retryCampaign(
  text: string,
  flags: Omit<SubmitFlags, 'type' | 'set' | 'skip' | 'contact' | 'resume'>,
): Promise<number> {
  const parent = parseCampaignId(text);
  return atDesk(flags, async (desk) => {
    const shown = await desk.client.get(campaignPath(parent), SHOWN_CAMPAIGN);
    const { tenant } = desk.opened;
    const trust = trustOf(desk);
    const { manifest } = submittedManifest(Buffer.from(shown.proposal, 'base64'), {
      id: parent,
      tenant,
      trust,
    });
    const { type } = manifest;
    const failed = new Set<number>();
    for await (const { n } of resultsOf(desk.client, parent, 'failed')) failed.add(n);
    if (failed.size === 0) throw clientError('ERR_OP_STATE', 'nothing of the campaign has failed');
    const drafts = await draftsOf(desk, parent, failed, { tenant, trust });
    const notBefore = flags.notBefore ?? Math.floor(Date.now() / 1_000) - CLOCKS_APART_SECONDS;
    const valid =
      flags.validFor ?? Math.min(manifest.expiry - manifest.notBefore, rowOf(type).expirySecondsMax);
    if (valid > rowOf(type).expirySecondsMax) throw usage(`--valid-for: longer than ${type} is valid`);
    const course = courseOf({
      waves: flags.waves ?? manifest.waves,
      errorLimit: flags.errorLimit ?? manifest.errorLimitPermille,
      waveTime: flags.waveTime ?? manifest.waveSeconds,
    });
    const reason = flags.reason ?? manifest.reason;
    return signAndDeliver(
      desk,
      { tenant, type, notBefore, expiry: notBefore + valid, course, reason, parent, drafts },
      { ...flags, bundle: flags.bundle ?? `retry-${parent}.signed` },
    );
  });
}

async function draftsOf(
  desk: AtDesk,
  id: ReturnType<typeof parseCampaignId>,
  failed: ReadonlySet<number>,
  of: { readonly tenant: AtDesk['opened']['tenant']; readonly trust: Trust },
): Promise<readonly CampaignDraft[]> {
  const drafts: CampaignDraft[] = [];
  for await (const item of signedItems(desk, id, Math.min(...firstOf(failed)))) {
    if (failed.has(item.n)) drafts.push(draftOf(item, of));
    if (drafts.length === failed.size) break;
  }
  if (drafts.length < failed.size) throw altered('some of the commands that failed are missing');
  return drafts;
}

function* firstOf(numbers: ReadonlySet<number>): Generator<number> {
  for (const first of numbers) {
    yield first;
    return;
  }
}

function draftOf(
  { device, signed }: SignedItemView,
  { tenant, trust }: { readonly tenant: AtDesk['opened']['tenant']; readonly trust: Trust },
): CampaignDraft {
  const { payload, signatures } = checkSignatures({
    signed: Buffer.from(signed, 'base64'),
    binding: { tenant, device },
    keyOf: (certificate) => trust(certificate).publicKey,
  });
  if (!signatures.every(({ holds }) => holds)) throw altered('a signature of a command does not hold');
  const { reason, type, arguments: args } = decodeCommand(payload);
  return { device, reason, line: 0, body: { type, arguments: args } as CampaignDraft['body'] };
}
