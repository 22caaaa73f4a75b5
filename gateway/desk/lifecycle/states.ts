/** The states of a command at a desk. A terminal one is the last that a command has, and each reaches just one. */
export const STATES = {
  proposed: { terminal: false, says: 'was verified and is being admitted; never at rest' },
  'awaiting-approval': { terminal: false, says: 'waits for the second signature' },
  quarantined: { terminal: false, says: 'is held above a threshold, until somebody else releases it' },
  queued: { terminal: false, says: 'waits for its device' },
  sent: { terminal: false, says: 'may have reached its device, which has not answered' },
  executed: { terminal: true, says: 'was executed, as its device signed' },
  refused: { terminal: true, says: 'was refused, by its device or by a guard of the desk' },
  failed: { terminal: true, says: 'was tried by its device, which could not' },
  expired: { terminal: true, says: 'was never sent before its validity ended' },
  unknown: { terminal: true, says: 'was sent, and no answer came in time' },
  cancelled: { terminal: true, says: 'was cancelled before it was sent' },
} as const satisfies Readonly<Record<string, { readonly terminal: boolean; readonly says: string }>>;

export type CommandState = keyof typeof STATES;
/** A state that a command in the store can have. */
export type StoredState = Exclude<CommandState, 'proposed'>;

export const ALL_STATES = Object.keys(STATES) as readonly CommandState[];
export const STORED_STATES = ALL_STATES.filter((state): state is StoredState => state !== 'proposed');
export const TERMINAL_STATES = STORED_STATES.filter((state) => STATES[state].terminal);
/** Stored, and not at its end. */
export const OPEN_STATES = STORED_STATES.filter((state) => !STATES[state].terminal);

export const isTerminal = (state: CommandState): boolean => STATES[state].terminal;

export function isStoredState(text: unknown): text is StoredState {
  return typeof text === 'string' && (STORED_STATES as readonly string[]).includes(text);
}
