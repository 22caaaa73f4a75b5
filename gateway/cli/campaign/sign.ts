import { randomBytes } from 'node:crypto';
import { type Command, encodeCommand } from '../../../protocol/command/command.ts';
import { COMMAND_ID_BYTES, commandIdOf } from '../../../protocol/command/id.ts';
import { signCommand } from '../../../protocol/command/signed.ts';
import type { CommandType } from '../../../protocol/command/table.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { SignerKey } from '../../../protocol/signed.ts';
import { type CampaignId, sha256Hex } from '../../desk/campaigns/id.ts';
import { CommandsDigest, type Manifest, signManifest } from '../../desk/campaigns/manifest.ts';
import type { BundleWriter } from './bundle.ts';
import type { CampaignDraft } from './lines.ts';
import type { Progress } from './progress.ts';
import type { Course } from './settings.ts';

/** The signatures of a campaign, made here: each command is one of its own, with an id and a counter of its own. */

export interface ToSign {
  readonly tenant: TenantId;
  readonly type: CommandType;
  readonly notBefore: number;
  readonly expiry: number;
  readonly course: Course;
  readonly reason: string | null;
  readonly parent: CampaignId | null;
  readonly drafts: readonly Pick<CampaignDraft, 'device' | 'body' | 'reason'>[];
}

/** Commands signed between two looks at the terminal; Ctrl-C is heard then too. */
const AT_ONCE = 256;

/**
 * @param counters the first of as many as there are drafts
 * @returns the signed manifest
 * @throws what `encodeCommand` and `encodeManifest` throw
 */
export async function signCampaign(
  { tenant, type, notBefore, expiry, course, reason, parent, drafts }: ToSign,
  {
    signer,
    counters,
    nowMs,
    bundle,
    progress,
  }: {
    readonly signer: SignerKey;
    readonly counters: number;
    readonly nowMs: number;
    readonly bundle: Pick<BundleWriter, 'add'>;
    readonly progress: Progress;
  },
): Promise<{ readonly manifest: Manifest; readonly proposal: Uint8Array }> {
  const sum = new CommandsDigest();
  for (const [index, draft] of drafts.entries()) {
    const command = {
      version: 1,
      tenant,
      device: draft.device,
      id: commandIdOf(randomBytes(COMMAND_ID_BYTES)),
      counter: counters + index,
      notBefore,
      expiry,
      reason: draft.reason,
      ...draft.body,
    } as Command;
    const signed = Buffer.from(signCommand({ command, signer })).toString('base64');
    sum.add(sha256Hex(encodeCommand(command)));
    bundle.add(JSON.stringify({ device: draft.device, signed }));
    if ((index + 1) % AT_ONCE !== 0) continue;
    progress.at(index + 1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  progress.at(drafts.length);
  const manifest: Manifest = {
    version: 1,
    tenant,
    type,
    count: drafts.length,
    commands: sum.end(),
    ...course,
    notBefore,
    expiry,
    madeAtMs: nowMs,
    reason,
    parent,
  };
  return { manifest, proposal: signManifest(manifest, 'propose', signer) };
}
