import { deskError } from '../errors.ts';
import { ALL_STATES, type CommandState, type StoredState } from './states.ts';

/**
 * The life of a command as a table: every way from one state to another, what causes it and who or what may cause
 * it. Nothing else changes a state, and a terminal state is in no `from`.
 *
 * Only a device says `executed`, and by its signature. It is believed for a command that the desk has as queued too:
 * a desk that was restored from yesterday's backup does not know what it sent.
 */

/** Whose doing a transition is. */
export const ACTORS = {
  signer: 'whoever gave the first signature, a person or a system',
  approver: 'another person, with the second signature',
  releaser: 'another person, with a role that releases',
  canceller: 'a person with a role that may sign the command',
  device: 'the device, by a signed outcome',
  desk: 'the desk',
  clock: 'time',
} as const;
export type Actor = keyof typeof ACTORS;

/** Who refuses: a device by its signed outcome, or a guard of the desk before it was sent. */
export const REFUSERS = ['device', 'desk'] as const satisfies readonly Actor[];
export type Refuser = (typeof REFUSERS)[number];

interface Transition {
  readonly from: readonly CommandState[];
  readonly to: StoredState;
  readonly by: Actor;
  readonly says: string;
}

/** Before it is sent: what people may stop, and time ends. */
const UNSENT = ['awaiting-approval', 'quarantined', 'queued'] as const;
const ANSWERABLE = ['sent', 'queued'] as const;

export const TRANSITIONS = {
  accepted: { from: ['proposed'], to: 'queued', by: 'signer', says: 'one signature suffices' },
  'needs-approval': {
    from: ['proposed'],
    to: 'awaiting-approval',
    by: 'signer',
    says: 'it is critical: a second person must sign',
  },
  held: { from: ['proposed'], to: 'quarantined', by: 'desk', says: 'its signer is above a threshold' },
  approved: { from: ['awaiting-approval'], to: 'queued', by: 'approver', says: 'a second person signed' },
  released: { from: ['quarantined'], to: 'queued', by: 'releaser', says: 'somebody else let it go on' },
  'released-for-approval': {
    from: ['quarantined'],
    to: 'awaiting-approval',
    by: 'releaser',
    says: 'somebody else let it go on, to its second signature',
  },
  cancelled: { from: UNSENT, to: 'cancelled', by: 'canceller', says: 'somebody does not want it any more' },
  guarded: { from: UNSENT, to: 'refused', by: 'desk', says: 'a guard forbids it by now' },
  expired: { from: UNSENT, to: 'expired', by: 'clock', says: 'its validity ended before it was sent' },
  dispatched: {
    from: ['queued'],
    to: 'sent',
    by: 'desk',
    says: 'it is on its way; written before it leaves',
  },
  returned: { from: ['sent'], to: 'queued', by: 'desk', says: 'it certainly did not reach the device' },
  retry: {
    from: ['sent'],
    to: 'queued',
    by: 'device',
    says: 'the device could not, changed nothing, and later it may go',
  },
  'retries-over': {
    from: ['queued'],
    to: 'failed',
    by: 'clock',
    says: 'its validity ended while it waited to be tried again',
  },
  executed: { from: ANSWERABLE, to: 'executed', by: 'device', says: 'the device did it' },
  refused: { from: ANSWERABLE, to: 'refused', by: 'device', says: 'the device would not' },
  failed: { from: ANSWERABLE, to: 'failed', by: 'device', says: 'the device could not' },
  unanswered: { from: ['sent'], to: 'unknown', by: 'clock', says: 'no answer came in time' },
} as const satisfies Readonly<Record<string, Transition>>;

export type Cause = keyof typeof TRANSITIONS;
export const CAUSES = Object.keys(TRANSITIONS) as readonly Cause[];

/** The state that a cause leads to; undefined where it leads nowhere from here. */
export function nextState(from: CommandState, cause: Cause): StoredState | undefined {
  const transition: Transition = TRANSITIONS[cause];
  return transition.from.includes(from) ? transition.to : undefined;
}

/** @throws ERR_DESK_STATE */
export function step(from: CommandState, cause: Cause): StoredState {
  const to = nextState(from, cause);
  if (to === undefined)
    throw deskError('ERR_DESK_STATE', `a command that is ${from} cannot be ${cause}`, {
      context: { state: from, cause },
    });
  return to;
}

/** Whose refusal a cause is; undefined where it is none. */
export function refuserOf(cause: Cause): Refuser | undefined {
  const { to, by }: Transition = TRANSITIONS[cause];
  return to === 'refused' ? REFUSERS.find((refuser) => refuser === by) : undefined;
}

/** As arrows of a diagram. */
export function arrows(): readonly (readonly [from: CommandState, cause: Cause, to: StoredState])[] {
  return ALL_STATES.flatMap((from) =>
    CAUSES.flatMap((cause) => {
      const to = nextState(from, cause);
      return to === undefined ? [] : [[from, cause, to] as const];
    }),
  );
}
