import { HesError } from '../../protocol/errors.ts';

/** What the command line refuses, and what to do about it. */
export const CLI_ERRORS = {
  ERR_USAGE:
    'The command line is wrong; the message says which word. `hes help COMMAND` shows what it takes.',
  ERR_DATA_RIGHTS:
    'The data folder cannot be made or written by this user. Choose another with --data DIR, or mend its rights.',
  ERR_DATA_DAMAGED:
    'A file of the data folder is not what it should be. The message names it. Restore it, or move the folder away to begin anew (development keys and unsent simulated readings are then gone).',
  ERR_DATA_LOCKED:
    'Another `hes up` is using this data folder. Stop it, or choose another folder with --data DIR.',
  ERR_REPORT: 'The report of a bounded run cannot be written. Check path and rights of --report.',
} as const;

export type CliErrorCode = keyof typeof CLI_ERRORS;

export function usage(message: string): HesError<'ERR_USAGE'> {
  return new HesError('ERR_USAGE', message);
}
