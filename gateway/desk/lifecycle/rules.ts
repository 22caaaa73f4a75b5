import type { Outcome } from '../../../protocol/command/outcome.ts';
import type { CommandType } from '../../../protocol/command/table.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import type { Random } from '../../runtime/random.ts';
import type { StoredState } from './states.ts';
import type { Cause } from './transitions.ts';

/** Which cause applies, where that depends on more than the state: answers, retries and time. */

/** What of a command these rules look at. */
export interface Course {
  readonly type: CommandType;
  readonly state: StoredState;
  /** How often it may have reached its device. */
  readonly attempts: number;
  /** Epoch seconds; valid up to, not with, this one. */
  readonly expiry: number;
  readonly answerDueMs: number | null;
}

export interface RetryRule {
  /** All attempts together, the first with them. */
  readonly attemptsMax: number;
  /** Full jitter below a ceiling that begins here and doubles: devices that were busy alike do not come back alike. */
  readonly baseMs: number;
  readonly minMs: number;
  readonly maxMs: number;
}

export const RETRY_RULE: RetryRule = { attemptsMax: 5, baseMs: 30_000, minMs: 5_000, maxMs: 3_600_000 };

/**
 * A meter that is awake answers within seconds, and its result takes the uplink's road. A command that was sent
 * holds up the others of its device, somebody's reconnection among them: so not for hours.
 */
export const ANSWER_WITHIN_MS = 15 * 60_000;

export const expiredAt = ({ expiry }: Pick<Course, 'expiry'>, nowMs: number): boolean =>
  nowMs >= expiry * 1_000;

/** When a command is tried again whose device answered at `nowMs` that it could not. */
export function retryAtMs(attempts: number, rule: RetryRule, nowMs: number, random: Random): number {
  const ceilingMs = Math.min(rule.maxMs, rule.baseMs * 2 ** Math.max(0, attempts - 1));
  return nowMs + Math.max(rule.minMs, Math.floor(random() * ceilingMs));
}

/**
 * What a signed outcome causes; undefined where it causes nothing: the command has ended, or waits to be tried again
 * after the same answer, or could not have been sent at all.
 */
export function causeOfOutcome(
  course: Course,
  outcome: Pick<Outcome, 'state' | 'code'>,
  { rule, nowMs }: { readonly rule: RetryRule; readonly nowMs: number },
): Cause | undefined {
  const { type, state, attempts } = course;
  if (state !== 'sent' && state !== 'queued') return undefined;
  if (outcome.state !== 'failed') return outcome.state;
  const retryable = outcome.code !== null && rowOf(type).retryable.includes(outcome.code);
  if (!retryable) return 'failed';
  if (state === 'queued') return undefined;
  return attempts < rule.attemptsMax && !expiredAt(course, nowMs) ? 'retry' : 'failed';
}

const expires = (course: Course, nowMs: number): Cause | undefined =>
  expiredAt(course, nowMs) ? 'expired' : undefined;

/** What ends each state that something else than an event can end. */
const TIME: Readonly<Partial<Record<StoredState, (course: Course, nowMs: number) => Cause | undefined>>> = {
  'awaiting-approval': expires,
  quarantined: expires,
  queued(course, nowMs) {
    if (!expiredAt(course, nowMs)) return undefined;
    return course.attempts === 0 ? 'expired' : 'retries-over';
  },
  sent: ({ answerDueMs }, nowMs) => (answerDueMs !== null && nowMs >= answerDueMs ? 'unanswered' : undefined),
};

/**
 * What time causes; undefined where it is not up. `expired` is only what was never sent: a command that waits to be
 * tried again has failed.
 */
export const causeOfTime = (course: Course, nowMs: number): Cause | undefined =>
  TIME[course.state]?.(course, nowMs);
