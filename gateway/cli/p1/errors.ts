/** What `hes p1` refuses, beside wrong words on the command line. */
export const P1_CLI_ERRORS = {
  ERR_P1_INPUT: 'The file with P1 telegrams cannot be read. Check path and rights; `-` reads standard input.',
} as const;

export type P1CliErrorCode = keyof typeof P1_CLI_ERRORS;
