import { type ErrorContext, HesError } from '../../protocol/errors.ts';

/** What can keep a front from starting or from staying right, and what to do about it. */
export const FRONT_ERRORS = {
  ERR_FRONT_PORT_TAKEN:
    'Another program listens on the address and port of the front already. Stop it, or configure another port.',
  ERR_FRONT_PORT_RIGHTS:
    'This user may not listen on that address and port. Take a port above 1023, or give the service the right to bind it.',
  ERR_FRONT_ADDRESS: 'The front cannot listen on that address: this machine does not have it.',
  ERR_FRONT_FILE:
    'A certificate, revocation list or ticket key file of the front cannot be read. The message names it: mend the path or the rights.',
  ERR_FRONT_TICKET_KEYS:
    'The file of ticket keys must hold exactly 48 random bytes, the same on every front behind one address.',
} as const;

export type FrontErrorCode = keyof typeof FRONT_ERRORS;

export function frontError(
  code: FrontErrorCode,
  message: string,
  options: { readonly cause?: unknown; readonly context?: ErrorContext } = {},
): HesError<FrontErrorCode> {
  return new HesError(code, message, options);
}
