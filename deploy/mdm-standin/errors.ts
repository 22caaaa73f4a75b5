/** What the simulated MDM cannot start with, and what to do about it. */
export const MDM_STANDIN_ERRORS = {
  ERR_STANDIN_LISTEN:
    'The simulated MDM cannot listen on its port: it is taken, or not allowed to this user. Choose another, or 0 for any.',
  ERR_STANDIN_FILE:
    'The simulated MDM cannot open the file that it should remember or write records in. Check path and rights.',
} as const;

export type MdmStandInErrorCode = keyof typeof MDM_STANDIN_ERRORS;
