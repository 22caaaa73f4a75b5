import type { z } from 'zod';
import { approveCommand, verifyCommand } from '../../../protocol/command/signed.ts';
import { checkSigners } from '../../../protocol/command/signers.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import { campaignError } from '../../desk/campaigns/errors.ts';
import { type CampaignId, sha256Hex } from '../../desk/campaigns/id.ts';
import { CHUNK_MAX } from '../../desk/campaigns/limits.ts';
import { type SignedManifest, signManifest } from '../../desk/campaigns/manifest.ts';
import { clientError } from '../desk-client/errors.ts';
import type { DeskFlags } from '../desk-client/flags.ts';
import { type AtDesk, atDesk } from '../desk-client/open.ts';
import { pageOf } from '../desk-client/views.ts';
import { EXIT } from '../exit.ts';
import { altered } from './altered.ts';
import { progressBar } from './progress.ts';
import { campaignText, manifestText, variantsText } from './render.ts';
import { confirmCount } from './submit.ts';
import { type Trust, trustOf } from './trust.ts';
import { persist, sendChunk } from './upload.ts';
import { CommandsCheck, submittedManifest } from './verify.ts';
import {
  CAMPAIGN_VIEW,
  campaignPath,
  parseCampaignId,
  SHOWN_CAMPAIGN,
  type ShownCampaign,
  SIGNED_ITEM,
  type SignedItemView,
} from './views.ts';

/**
 * `hes op campaign approve ID`: the second person. Everything is fetched and verified, what it says is shown, and then
 * the manifest is signed; where the type is critical, each command before it.
 */

export interface ApproveCampaignFlags extends DeskFlags {
  readonly yes?: boolean;
  readonly json?: boolean;
}

const PAGE = pageOf(SIGNED_ITEM);

/** @returns the exit code */
export function approveCampaign(text: string, flags: ApproveCampaignFlags): Promise<number> {
  const id = parseCampaignId(text);
  return atDesk(flags, async (desk) => {
    const shown = await desk.client.get(campaignPath(id), SHOWN_CAMPAIGN);
    if (shown.state !== 'awaiting-approval')
      throw clientError('ERR_OP_STATE', `the campaign is ${shown.state} and waits for no approval`);
    const { tenant, signer } = desk.opened;
    const trust = trustOf(desk);
    const submitted = submittedManifest(Buffer.from(shown.proposal, 'base64'), { id, tenant, trust });
    checkOwnRight(desk, submitted);
    const check = await verifyAll(desk, submitted, trust);
    const by = `${submitted.signer.person} (${submitted.signer.role})`;
    process.stderr.write(
      `${manifestText(submitted.manifest)}  submitted by ${by}; all commands verified\n${variantsText(check.variants.list)}`,
    );
    const { yes = false, json = false } = flags;
    await confirmCount(submitted.manifest.count, { yes, terminal: desk.terminal });
    if (rowOf(submitted.manifest.type).critical) await countersignAll(desk, shown, check.digests, trust);
    const signed = Buffer.from(signManifest(submitted.manifest, 'approve', signer)).toString('base64');
    const view = await persist(() =>
      desk.client.post(campaignPath(id, 'approval'), { signed }, CAMPAIGN_VIEW, { again: true }),
    );
    process.stdout.write(json ? `${JSON.stringify(view)}\n` : campaignText(view));
    return EXIT.ok;
  });
}

/** Said before a hundred thousand commands are fetched. @throws ERR_COMMAND_SAME_PERSON, ERR_COMMAND_ROLE */
function checkOwnRight({ opened }: AtDesk, { manifest, signer }: SignedManifest): void {
  const own = { role: opened.role, person: opened.person };
  const { type } = manifest;
  if (rowOf(type).critical) checkSigners(type, [signer, own]);
  else if (own.person === signer.person)
    throw campaignError('ERR_CAMPAIGN_SAME_PERSON', 'whoever submitted a campaign does not approve it');
  else if (own.role !== 'approver')
    throw campaignError('ERR_CAMPAIGN_ROLE', `the role ${own.role} approves no campaign`);
}

async function verifyAll(desk: AtDesk, submitted: SignedManifest, trust: Trust): Promise<CommandsCheck> {
  const check = new CommandsCheck(submitted, trust);
  const progress = progressBar('verifying', submitted.manifest.count);
  for await (const item of signedItems(desk, submitted.id, 0)) {
    if (item.n !== check.digests.length) throw altered(`command ${check.digests.length} is missing`);
    check.add({ device: item.device, signed: Buffer.from(item.signed, 'base64') });
    progress.at(check.digests.length);
    // More than it should be is told at once, not after whatever a desk may send.
    if (check.digests.length > submitted.manifest.count) break;
  }
  progress.end();
  check.end();
  return check;
}

/** From number `from` on, as far as the desk has some. */
export async function* signedItems(
  { client }: Pick<AtDesk, 'client'>,
  id: CampaignId,
  from: number,
): AsyncGenerator<SignedItemView> {
  let at: number | string | null = from;
  while (at !== null) {
    const path: string = `${campaignPath(id, 'commands')}?from=${at}&limit=${CHUNK_MAX}`;
    const page: z.output<typeof PAGE> = await persist(() => client.get(path, PAGE));
    yield* page.items;
    at = page.next;
  }
}

/** What is signed is what was verified: the bytes come a second time, and are compared. */
async function countersignAll(
  desk: AtDesk,
  { id, count, countersigned, countersigner }: ShownCampaign,
  digests: readonly string[],
  trust: Trust,
): Promise<void> {
  const { tenant, signer, person } = desk.opened;
  const from = countersigner === person ? countersigned : 0;
  const progress = progressBar('signing', count);
  let at = from;
  let lines: string[] = [];
  const send = async (): Promise<void> => {
    if (lines.length > 0) await sendChunk(desk.client, id, 'countersignatures', at - lines.length, lines);
    lines = [];
    progress.at(at);
  };
  for await (const { n, device, signed: text } of signedItems(desk, id, from)) {
    const signed = Buffer.from(text, 'base64');
    const { payload } = verifyCommand({
      signed,
      binding: { tenant, device },
      stage: 'proposed',
      keyOf: (certificate) => trust(certificate).publicKey,
    });
    if (n !== at || sha256Hex(payload) !== digests[n]) throw altered(`command ${n} is another one by now`);
    const complete = Buffer.from(approveCommand({ signed, signer })).toString('base64');
    lines.push(JSON.stringify({ device, signed: complete }));
    at += 1;
    if (lines.length === CHUNK_MAX) await send();
  }
  await send();
  progress.end();
}
