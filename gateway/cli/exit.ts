import { isHesError } from '../../protocol/errors.ts';

/** How `hes` ends: the one place where errors become exit codes (docs/cli.md lists them). */
export const EXIT = {
  ok: 0,
  /** Something asked for was not reached: a reading without receipt, a check that failed. */
  incomplete: 1,
  /** The command line was wrong. */
  usage: 2,
  /** Nobody runs who could be asked (LSB, as `systemctl status`). */
  notRunning: 3,
  /** The configuration was wrong; starting again will not help (EX_CONFIG of sysexits.h). */
  config: 78,
  /** Ended by Ctrl-C, as shells report it (128 + SIGINT). */
  interrupted: 130,
} as const;

export function exitCodeOf(error: unknown): number {
  const code = codeOf(error);
  if (code === 'ERR_USAGE') return EXIT.usage;
  return code?.startsWith('ERR_CONFIG') === true ? EXIT.config : EXIT.incomplete;
}

/** The stable code to look up: of a process that could not start, its own reason. */
export function codeOf(error: unknown): string | undefined {
  if (!isHesError(error)) return undefined;
  const reason = error.code === 'ERR_SUPERVISOR_START' ? error.context['reason'] : undefined;
  return typeof reason === 'string' && reason.startsWith('ERR_') ? reason : error.code;
}
