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
  /** A command was refused: by its meter, or by a guard of the desk. */
  refused: 4,
  /** Its meter tried, and could not. */
  failed: 5,
  /** Its validity was over before it was sent. */
  expired: 6,
  /** It was sent, and no answer came in time: it may have been executed. */
  unknown: 7,
  cancelled: 8,
  /** `--wait` was over and the command is not at its end: it goes on. */
  pending: 9,
  /** Whoever asked may not do that. */
  noRight: 10,
  /** No such meter, command or campaign. */
  noSuch: 11,
  /** Something else is there already, or the state does not allow it; also an EAN that is not the meter's. */
  conflict: 12,
  /** The configuration was wrong; starting again will not help (EX_CONFIG of sysexits.h). */
  config: 78,
  /** Ended by Ctrl-C, as shells report it (128 + SIGINT). */
  interrupted: 130,
} as const;
export type ExitName = keyof typeof EXIT;

/** Codes of errors that end otherwise than `incomplete`. */
const CODE_EXITS: Readonly<Record<string, ExitName>> = {
  ERR_USAGE: 'usage',
  ERR_COMMAND_TYPE: 'usage',
  ERR_COMMAND_SCHEMA: 'usage',
  ERR_COMMAND_RULE: 'usage',
  ERR_OP_IDENTITY: 'usage',
  ERR_OP_PRESET: 'usage',
  ERR_OP_CONFIRM: 'usage',
  ERR_OP_NO_DESK: 'notRunning',
  ERR_FLEET_NOT_RUNNING: 'notRunning',
  ERR_FLEET_DEVICE: 'noSuch',
  ERR_EMULATED_POWER: 'conflict',
  ERR_DESK_AIRPLANE: 'refused',
  ERR_DESK_PREPAID: 'refused',
  ERR_DESK_IMPACT: 'refused',
  ERR_DESK_PROTECTED: 'refused',
  ERR_DESK_BUSY: 'refused',
  ERR_DESK_AHEAD: 'refused',
  ERR_DESK_EXPIRED: 'expired',
  ERR_DESK_ROLE: 'noRight',
  ERR_DESK_SAME_PERSON: 'noRight',
  ERR_DESK_OWNER: 'noRight',
  ERR_DESK_CALLER: 'noRight',
  ERR_OP_CALLER: 'noRight',
  ERR_OP_PASSPHRASE: 'noRight',
  ERR_PKI_PASSPHRASE: 'noRight',
  // Starting again would try the same PIN until the token locks itself.
  ERR_HSM_PIN: 'config',
  ERR_HSM_REFERENCE: 'config',
  ERR_PKI_WEAK: 'usage',
  ERR_CA_PROFILE: 'usage',
  ERR_CA_CERTIFICATE: 'noSuch',
  ERR_CA_DEVICE: 'noSuch',
  ERR_CA_CONFLICT: 'conflict',
  ERR_CA_KEY: 'refused',
  ERR_ROLLOVER_NONE: 'noSuch',
  ERR_ROLLOVER_UNDER_WAY: 'conflict',
  ERR_ROLLOVER_EARLY: 'refused',
  ERR_ROLLOVER_USED: 'refused',
  ERR_COMMAND_ROLE: 'noRight',
  ERR_COMMAND_SAME_PERSON: 'noRight',
  ERR_COMMAND_SAME_KEY: 'noRight',
  ERR_DESK_METER: 'noSuch',
  ERR_DESK_COMMAND: 'noSuch',
  ERR_CAMPAIGN: 'noSuch',
  ERR_CAMPAIGN_ROLE: 'noRight',
  ERR_CAMPAIGN_SAME_PERSON: 'noRight',
  ERR_CAMPAIGN_METERS: 'refused',
  ERR_CAMPAIGN_STATE: 'conflict',
  ERR_DESK_STATE: 'conflict',
  ERR_DESK_CONFLICT: 'conflict',
  ERR_DESK_COUNTER: 'conflict',
  ERR_DESK_EAN: 'conflict',
  ERR_OP_STATE: 'conflict',
};

/** What a desk answered with a code that is not in the table ends by its HTTP status. */
const STATUS_EXITS: Readonly<Record<number, ExitName>> = {
  401: 'noRight',
  403: 'noRight',
  404: 'noSuch',
  409: 'conflict',
};

export function exitCodeOf(error: unknown): number {
  const code = codeOf(error) ?? '';
  if (Object.hasOwn(CODE_EXITS, code)) return EXIT[CODE_EXITS[code]!];
  if (code.startsWith('ERR_CONFIG')) return EXIT.config;
  const status = isHesError(error) ? error.context['status'] : undefined;
  return EXIT[(typeof status === 'number' ? STATUS_EXITS[status] : undefined) ?? 'incomplete'];
}

/** How a command that was followed to its end ends the process. Not at its end: it goes on. */
export const STATE_EXITS: Readonly<Record<string, ExitName>> = {
  executed: 'ok',
  refused: 'refused',
  failed: 'failed',
  expired: 'expired',
  unknown: 'unknown',
  cancelled: 'cancelled',
};

/** The stable code to look up: of a process that could not start, its own reason. */
export function codeOf(error: unknown): string | undefined {
  if (!isHesError(error)) return undefined;
  const reason = error.code === 'ERR_SUPERVISOR_START' ? error.context['reason'] : undefined;
  return typeof reason === 'string' && reason.startsWith('ERR_') ? reason : error.code;
}
