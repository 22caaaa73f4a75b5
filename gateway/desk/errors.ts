import { type ErrorContext, HesError } from '../../protocol/errors.ts';

/** Why a desk does not take, change or keep a command, and what to do about it. */
export const DESK_ERRORS = {
  ERR_DESK_METER: 'The registry of this desk has no such meter. Check the device id, or register the meter.',
  ERR_DESK_COMMAND: 'This desk has no command of that id.',
  ERR_DESK_STATE:
    'What was asked for is not possible in the state that the command is in: it was sent, or has ended. The context names the state.',
  ERR_DESK_CONFLICT:
    'Another command of the same id is there already, or what was approved is not what was proposed. Sign anew, with an id of its own.',
  ERR_DESK_COUNTER:
    'The signer has signed a newer command about the same thing of this meter, which makes this one void. Sign it anew.',
  ERR_DESK_EXPIRED: 'The validity of the command is over. Sign it anew.',
  ERR_DESK_AHEAD:
    'A command is dated further ahead than a desk takes. Check the clock of the machine that it was signed on, or its not-before.',
  ERR_DESK_AIRPLANE:
    'The meter is in airplane mode and takes no command. Only a local action at the meter ends that; the message says since when.',
  ERR_DESK_PREPAID:
    'Airplane mode is not for a meter in prepayment: it would never learn its balance. Take it out of prepayment first.',
  ERR_DESK_IMPACT:
    'Airplane mode is not for a meter with the impact tariff, or with a change to it ahead: that tariff needs the communication. Set another plan first.',
  ERR_DESK_PROTECTED:
    'A supply is not cut for credit in the non-disconnection period. The context names the day.',
  ERR_DESK_OWNER:
    'The command is about something that another tenant owns: the device’s home tenant commands it, and whoever owns a channel commands that.',
  ERR_DESK_BUSY:
    'As many commands wait for this meter as a desk keeps for one. Cancel some, or wait until they have ended.',
  ERR_DESK_ROLE: 'The role of whoever asks may not do that to this command.',
  ERR_DESK_SAME_PERSON: 'A command in quarantine is released by somebody else than whoever proposed it.',
  ERR_DESK_REQUEST:
    'A request to the API is not what it takes: the message names the member and what was expected there.',
  ERR_DESK_BODY: 'The body of a request is larger than the API takes. Send it in parts, or as lines in bulk.',
  ERR_DESK_SLOW: 'The body of a request did not come in time. Ask again over a better connection.',
  ERR_DESK_MEDIA: 'The body of a request is of another media type than the API takes there.',
  ERR_DESK_PATH: 'The API has nothing under this path. GET /v1/openapi.json says what there is.',
  ERR_DESK_METHOD: 'The API has something under this path, and not by this method.',
  ERR_DESK_CALLER:
    'The client certificate is of another tenant’s office. Ask the desk of your own tenant, or choose another identity.',
  ERR_DESK_RATE: 'Too many requests of this kind by one person. Wait a minute.',
  ERR_DESK_SUBSCRIBERS: 'As many clients watch events as the desk serves at once. Try again later.',
  ERR_DESK_EAN:
    'The EAN is none of a meter behind this device. Check which meter is meant before anything is signed.',
  ERR_DESK_INTERNAL: 'The desk failed at something that it should not fail at; its log says why.',
  ERR_DESK_REGISTRY:
    'The file of the registry cannot be read, or a line of it or of a request is no meter. Other lines are entered.',
  ERR_DESK_TENANT:
    'Parts of the configuration of a desk are of different tenants: the bus, the office or the certificate of the API.',
  ERR_DESK_LISTEN: 'The API cannot listen where its configuration says. The cause says why.',
  ERR_DESK_AUDIT_LINE:
    'A line is none of an audit export: cut, edited or of another version. Fetch the export again.',
  ERR_DESK_STORE:
    'The database of the desk could not be opened or written; nothing of what was asked for happened. The cause says why.',
  ERR_DESK_STORE_VERSION:
    'The database of the desk is of a newer version than this program. Update the program.',
  ERR_DESK_STORE_TENANT:
    'The database belongs to the desk of another tenant. Check which path was given to which.',
} as const;

export type DeskErrorCode = keyof typeof DESK_ERRORS;

export function deskError(
  code: DeskErrorCode,
  message: string,
  options: { readonly cause?: unknown; readonly context?: ErrorContext } = {},
): HesError<DeskErrorCode> {
  return new HesError(code, message, options);
}
