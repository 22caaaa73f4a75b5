import type { HesError } from '../../../protocol/errors.ts';
import { clientError } from '../desk-client/errors.ts';

/** What a desk shows is not what somebody signed. Whoever reads this does not approve, and tells. */
export const altered = (what: string): HesError =>
  clientError(
    'ERR_OP_ALTERED',
    `${what}: what the desk shows is not what was submitted. Nothing was signed.`,
  );
