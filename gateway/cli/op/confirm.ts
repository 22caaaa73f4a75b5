import type { Command } from '../../../protocol/command/command.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import { HesError } from '../../../protocol/errors.ts';
import type { DeviceId } from '../../../protocol/identity.ts';
import type { DeskClient } from '../desk-client/client.ts';
import { clientError } from '../desk-client/errors.ts';
import type { Terminal } from '../desk-client/terminal.ts';
import { NOTHING } from '../desk-client/views.ts';
import { commandText } from './draft.ts';

/**
 * The last question before a command is signed that cuts, silences or changes how somebody pays: the EAN of the
 * meter, typed from the case and not from the list of devices. The desk compares; it never gives one out.
 */

/** Not said at a prompt for nothing: without its EAN right so often, it is the wrong meter. */
const TRIES = 3;

/** GS1: 18 digits; people group them. */
const digitsOf = (typed: string): string => typed.replace(/[\s.-]/g, '');

/**
 * Whether a command needs the question and nobody can be asked: said before anything else is done.
 * @throws ERR_OP_CONFIRM
 */
export function checkConfirmable(
  type: Command['type'],
  { yes, terminal }: { readonly yes: boolean; readonly terminal: Pick<Terminal, 'present'> },
): void {
  if (rowOf(type).critical && !yes && !terminal.present)
    throw clientError(
      'ERR_OP_CONFIRM',
      `${type} is critical and asks for the EAN of the meter at a terminal: without one say --yes`,
    );
}

/** @throws ERR_OP_DECLINED; ERR_DESK_EAN where it was wrong too often; ERR_DESK_METER */
export async function confirmMeter(
  command: Pick<Command, 'type' | 'device'>,
  { yes, terminal, client }: { yes: boolean; terminal: Terminal; client: DeskClient },
): Promise<void> {
  if (!rowOf(command.type).critical || yes) return;
  for (let attempt = 1; ; attempt += 1) {
    const typed = digitsOf(
      await terminal.ask(`EAN of the meter ${command.device} (18 digits, empty to stop): `),
    );
    if (typed === '') throw clientError('ERR_OP_DECLINED', 'not confirmed: nothing was signed');
    if (!/^\d{18}$/.test(typed)) {
      terminal.tell('An EAN has 18 digits.');
      if (attempt < TRIES) continue;
      throw clientError('ERR_OP_DECLINED', 'not confirmed: nothing was signed');
    }
    try {
      await identify(client, command.device, typed);
      return;
    } catch (error) {
      if (!(error instanceof HesError) || error.code !== 'ERR_DESK_EAN' || attempt >= TRIES) throw error;
      terminal.tell('That is not the EAN of this meter.');
    }
  }
}

const identify = (client: DeskClient, device: DeviceId, ean: string): Promise<unknown> =>
  client.post(`/v1/meters/${device}/identify`, { ean }, NOTHING, { again: true });

/** @throws ERR_OP_DECLINED */
export async function confirmSignature(
  command: Command,
  proposer: string,
  { yes, terminal }: { readonly yes: boolean; readonly terminal: Terminal },
): Promise<void> {
  if (yes || !terminal.present) return;
  const answer = await terminal.ask(
    `${proposer} asks for:\n${commandText(command)}Put your signature under it? [y/N] `,
  );
  if (!/^(y|yes|o|oui|j|ja)$/i.test(answer))
    throw clientError('ERR_OP_DECLINED', 'not approved: nothing was signed');
}
