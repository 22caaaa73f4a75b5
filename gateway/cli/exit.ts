import { isHesError } from '../../protocol/errors.ts';

/** How `hes` ends: the one place where errors become exit codes (docs/cli.md lists them). */
export const EXIT = {
  ok: 0,
  /** Something asked for was not reached: a reading without receipt, a check that failed. */
  incomplete: 1,
  /** The command line was wrong. */
  usage: 2,
  /** The configuration was wrong; starting again will not help (EX_CONFIG of sysexits.h). */
  config: 78,
  /** Ended by Ctrl-C, as shells report it (128 + SIGINT). */
  interrupted: 130,
} as const;

export function exitCodeOf(error: unknown): number {
  if (!isHesError(error)) return EXIT.incomplete;
  if (error.code === 'ERR_USAGE') return EXIT.usage;
  return error.code.startsWith('ERR_CONFIG') ? EXIT.config : EXIT.incomplete;
}
