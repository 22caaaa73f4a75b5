/** What an emulated P1 port cannot do. docs/errors.md is made from this table. */
export const P1_EMULATOR_ERRORS = {
  ERR_EMULATOR_P1_COUNTER:
    'An emulated P1 port has sent as many encrypted telegrams as its frame counter can number; give it another key.',
} as const;
export type P1EmulatorErrorCode = keyof typeof P1_EMULATOR_ERRORS;
