/** What reading a P1 port refuses on purpose. Damaged telegrams are no errors: they are counted (P1_FAULTS). */
export const P1_ERRORS = {
  ERR_P1_KEY:
    'A key of an encrypted P1 port is not 32 hex digits. The operator tells the customer the key of a meter; in Luxembourg the authentication key may be left out.',
} as const;

export type P1ErrorCode = keyof typeof P1_ERRORS;
