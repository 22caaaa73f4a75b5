import { type Command, type CommandBody, encodeCommand } from '../../../protocol/command/command.ts';
import { signCommand } from '../../../protocol/command/signed.ts';
import { checkSigners } from '../../../protocol/command/signers.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import { type DeviceId, isDeviceId } from '../../../protocol/identity.ts';
import { takeCounters } from '../desk-client/counters.ts';
import type { DeskFlags } from '../desk-client/flags.ts';
import { type AtDesk, atDesk, deskUrl } from '../desk-client/open.ts';
import { type Person, personOf } from '../desk-client/person.ts';
import { processTerminal, type Terminal } from '../desk-client/terminal.ts';
import { COMMAND_VIEW, type CommandView, METER_VIEW } from '../desk-client/views.ts';
import { usage } from '../errors.ts';
import { EXIT, STATE_EXITS } from '../exit.ts';
import { checkConfirmable, confirmMeter } from './confirm.ts';
import { commandJson, commandOf, commandText, type Draft } from './draft.ts';
import { argumentsOfTexts, type Texts } from './fill.ts';
import { follow, WAIT_SECONDS } from './follow.ts';
import { doneText } from './render.ts';
import type { CommandWords } from './words.ts';

/** `hes op tariff set DEVICE …`: what was said becomes a command, is signed here, and goes to the desk. */

export interface WaitFlags {
  readonly wait?: boolean;
  /** Seconds. */
  readonly timeout?: number;
  readonly json?: boolean;
}

export interface ProposeFlags extends DeskFlags, WaitFlags {
  readonly reason?: string;
  /** Epoch seconds. */
  readonly notBefore?: number;
  readonly validFor?: number;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
}

/**
 * @returns the exit code
 * @throws ERR_USAGE, ERR_OP_*, ERR_COMMAND_*, and what the desk refuses it with
 */
export async function proposeCommand(
  { type, fixed }: CommandWords,
  { device, said }: { readonly device: string; readonly said: Texts },
  flags: ProposeFlags,
): Promise<number> {
  const terminal = processTerminal();
  const { yes = false, dryRun = false } = flags;
  const person = personOf(flags, terminal);
  const { tenant, role, person: name } = person.identity;
  const nowMs = Date.now();
  const args = argumentsOfTexts(type, { ...said, ...fixed }, { tenant, nowMs });
  const draft: Draft = {
    device: parseDevice(device),
    body: { type, arguments: args } as CommandBody,
    reason: flags.reason ?? null,
    notBefore: flags.notBefore ?? null,
    validSeconds: flags.validFor ?? null,
  };
  if (draft.reason === null && rowOf(type).reasonRequired)
    throw usage(`${type} is critical and needs --reason: whoever approves reads it`);
  // A meter would refuse it for the role: no signature is made that says so.
  checkSigners(type, [{ role, person: name }], 'proposed');
  const preview = commandOf(draft, { tenant, counter: nowMs, nowMs });
  const payload = encodeCommand(preview);
  if (dryRun) return showOnly(preview, payload, person, flags);
  checkConfirmable(type, { yes, terminal });
  return atDesk(flags, async (desk) => {
    const view = await propose(desk, draft, yes);
    return ended(desk, view, flags);
  });
}

/** @throws ERR_USAGE */
export function parseDevice(text: string): DeviceId {
  if (isDeviceId(text)) return text;
  throw usage(
    'a device id is 16 lower-case hex digits (`hes meter list` shows them), never a serial or an EAN',
  );
}

async function propose(desk: AtDesk, draft: Draft, yes: boolean): Promise<CommandView> {
  const { client, opened, person, terminal } = desk;
  const { device, body } = draft;
  // Nobody is asked to confirm, and no counter is used up, for a meter that is not there.
  await client.get(`/v1/meters/${device}`, METER_VIEW);
  await confirmMeter({ type: body.type, device }, { yes, terminal, client });
  const nowMs = Date.now();
  const counter = takeCounters(person.file, nowMs);
  const command = commandOf(draft, { tenant: opened.tenant, counter, nowMs });
  const signed = signCommand({ command, signer: opened.signer });
  // With the same bytes it is the same command: where the answer is lost it may be asked again.
  return client.post('/v1/commands', { device, signed: base64(signed) }, COMMAND_VIEW, { again: true });
}

export const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

function showOnly(command: Command, payload: Uint8Array, person: Person, flags: ProposeFlags): number {
  const { role, person: name } = person.identity;
  const desk = whereTo(flags, person);
  process.stdout.write(
    flags.json === true
      ? `${JSON.stringify({
          dryRun: true,
          desk,
          request: 'POST /v1/commands',
          signer: { role, person: name },
          critical: rowOf(command.type).critical,
          command: commandJson(command),
          payload: base64(payload),
        })}\n`
      : `${name} (${role}) would sign, and send to ${desk ?? 'the desk, which does not run now'}:
${commandText(command)}  ${payload.length} bytes; id and counter are drawn when it is signed. Nothing was signed or sent.
`,
  );
  return EXIT.ok;
}

/** Where it would go, or null where nothing says where: nothing goes anyway. */
function whereTo(flags: DeskFlags, person: Person): string | null {
  try {
    return deskUrl(flags, person).origin;
  } catch {
    return null;
  }
}

/** Show what a command is now, or at its end where that is to be waited for. @returns the exit code */
export async function ended(
  desk: Pick<AtDesk, 'client'> & { readonly terminal: Terminal },
  view: CommandView,
  { wait = false, timeout = WAIT_SECONDS, json = false }: WaitFlags,
): Promise<number> {
  const last = wait ? await follow(desk, view, timeout) : view;
  process.stdout.write(json ? `${JSON.stringify(last)}\n` : doneText(last));
  if (!wait) return EXIT.ok;
  return EXIT[STATE_EXITS[last.state] ?? 'pending'];
}
