import type { KeyObject } from 'node:crypto';
import { createOfficeTrust } from '../../../pki/office/trust.ts';
import { readPem } from '../../../pki/x509/pem.ts';
import type { Command } from '../../../protocol/command/command.ts';
import { type CommandId, isCommandId } from '../../../protocol/command/id.ts';
import { approveCommand, verifyCommand } from '../../../protocol/command/signed.ts';
import { checkSigners, type Signer } from '../../../protocol/command/signers.ts';
import { clientError } from '../desk-client/errors.ts';
import type { DeskFlags } from '../desk-client/flags.ts';
import { type AtDesk, atDesk } from '../desk-client/open.ts';
import { COMMAND_VIEW, SHOWN_COMMAND, type ShownCommand } from '../desk-client/views.ts';
import { usage } from '../errors.ts';
import { confirmSignature } from './confirm.ts';
import { base64, ended, type WaitFlags } from './propose.ts';

/**
 * `hes op approve ID`: the second signature. What is shown is decoded from the very bytes that are then signed, and
 * who proposed is what the first signature proves, whatever the desk says of it.
 */

export interface ApproveFlags extends DeskFlags, WaitFlags {
  readonly yes?: boolean;
}

/** @throws ERR_USAGE */
export function parseId(text: string): CommandId {
  if (isCommandId(text)) return text;
  throw usage('the id of a command is 32 lower-case hex digits (`hes op list` shows them)');
}

/** @returns the exit code */
export function approve(id: string, flags: ApproveFlags): Promise<number> {
  const command = parseId(id);
  return atDesk(flags, async (desk) => {
    const shown = await desk.client.get(`/v1/commands/${command}`, SHOWN_COMMAND);
    if (shown.id !== command) throw altered();
    if (shown.state !== 'awaiting-approval')
      throw clientError('ERR_OP_STATE', `the command is ${shown.state} and waits for no approval`);
    const signed = Buffer.from(shown.signed, 'base64');
    const proposal = readProposal(desk, shown, signed);
    const { role, person } = desk.opened;
    // A meter would refuse it for the role or the person: no signature is made that says so.
    checkSigners(proposal.command.type, [proposal.proposer, { role, person }]);
    const { yes = false } = flags;
    const proposer = `${proposal.proposer.person} (${proposal.proposer.role})`;
    await confirmSignature(proposal.command, proposer, { yes, terminal: desk.terminal });
    const approved = approveCommand({ signed, signer: desk.opened.signer });
    const view = await desk.client.post(
      `/v1/commands/${command}/approval`,
      { signed: base64(approved) },
      COMMAND_VIEW,
      { again: true },
    );
    return ended(desk, view, flags);
  });
}

/** @throws ERR_OP_ALTERED where it is not what was asked for; what `verifyCommand` and the trust throw */
function readProposal(
  { opened, person }: Pick<AtDesk, 'opened' | 'person'>,
  { id, device }: ShownCommand,
  signed: Uint8Array,
): { readonly command: Command; readonly proposer: Signer } {
  const { tenant, root } = opened;
  const [, issuing] = readPem('CERTIFICATE', person.identity.tls.certificate);
  const trust = createOfficeTrust({
    root,
    issuers: issuing === undefined ? [] : [{ tenant, certificate: issuing }],
    development: person.identity.development === true,
    clock: { nowMs: Date.now },
  });
  let proposer: Signer | undefined;
  const { command } = verifyCommand({
    signed,
    binding: { tenant, device },
    stage: 'proposed',
    keyOf(certificate): KeyObject {
      const signer = trust.signer(certificate);
      if (signer.tenant !== tenant) throw altered();
      proposer = { role: signer.role, person: signer.person };
      return signer.publicKey;
    },
  });
  if (command.id !== id || proposer === undefined) throw altered();
  return { command, proposer };
}

const altered = (): Error =>
  clientError('ERR_OP_ALTERED', 'what the desk shows is not the command that was asked for');
