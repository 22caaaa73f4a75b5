import { type ErrorContext, HesError } from '../../../protocol/errors.ts';

/** What `hes op`, `hes meter` and `hes audit` refuse before a desk is asked, and what goes wrong on the way there. */
export const DESK_CLIENT_ERRORS = {
  ERR_OP_IDENTITY:
    'Nobody is named who asks, or there is no such identity. Name a development one with --as TENANT/NAME (`hes up` makes them in its data folder), or your own with --identity FILE.',
  ERR_OP_PASSPHRASE:
    'The identity does not open: its passphrase is missing or wrong. Give it with --passphrase-file, --passphrase-fd, or at a terminal.',
  ERR_OP_COUNTER:
    'The counters of a signer, kept beside his identity, cannot be read or written. Mend the rights of that folder: without them a counter could be used twice.',
  ERR_OP_NO_DESK:
    'No desk answers there. Start everything on this machine with `npm start`, or name the desk with --desk URL.',
  ERR_OP_DESK_IDENTITY:
    'Whoever answered is not the desk of the tenant: its certificate is of another root, host or name. Nothing was sent. Check --desk, and whether somebody stands between.',
  ERR_OP_CALLER:
    'The desk does not take this identity: of another office, expired or revoked. Check which identity is used with which desk.',
  ERR_OP_TIMEOUT:
    'The desk did not answer in time. What was asked may have happened: look with `hes op list`, or ask again, a command that is there already is not made twice.',
  ERR_OP_ANSWER:
    'What was answered is not what a desk answers: another version, or something between that answers in its place.',
  ERR_OP_CONFIRM:
    "A critical command asks for the meter's EAN at a terminal, and there is none. A script that has made sure of its meter says --yes.",
  ERR_OP_DECLINED: 'It was not confirmed. Nothing was signed or sent.',
  ERR_OP_STATE: 'That is not possible in the state that the command is in, which the message names.',
  ERR_OP_ALTERED:
    'What the desk shows for approval is not what was asked for: another command, tenant or device. Nothing was signed. Tell whoever runs the desk.',
  ERR_OP_PRESET:
    'The region of the tenant has no such tariff plan on that day. Give the switching windows with --windows.',
  ERR_AUDIT_INPUT:
    'A file with audit rows cannot be read or written, or is neither an export nor a database of a desk. Check path and rights; `-` reads standard input.',
} as const satisfies Readonly<Record<string, string>>;

export type DeskClientErrorCode = keyof typeof DESK_CLIENT_ERRORS;

export function clientError(
  code: DeskClientErrorCode,
  message: string,
  options: { readonly cause?: unknown; readonly context?: ErrorContext } = {},
): HesError<DeskClientErrorCode> {
  return new HesError(code, message, options);
}
