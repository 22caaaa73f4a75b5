import type { TenantId } from '../../protocol/identity.ts';
import { type ProtectedPeriod, usualPeriods } from './guards/calendar.ts';
import { THRESHOLDS, type Thresholds } from './guards/thresholds.ts';
import { ANSWER_WITHIN_MS, RETRY_RULE, type RetryRule } from './lifecycle/rules.ts';

/** What a tenant may set for itself. Limits of arguments are rows of the command table, the same for all. */
export interface DeskPolicy {
  readonly thresholds: Thresholds;
  /** The non-disconnection calendar. */
  readonly periods: readonly ProtectedPeriod[];
  readonly retry: RetryRule;
  /** After so long without an answer, what was sent is unknown. */
  readonly answerWithinMs: number;
  /** Commands of one device that have not ended: a person makes a few, a script that ran wild makes no more. */
  readonly openPerDeviceMax: number;
}

export function policyOf(tenant: TenantId, given: Partial<DeskPolicy> = {}): DeskPolicy {
  return {
    thresholds: THRESHOLDS,
    periods: usualPeriods(tenant),
    retry: RETRY_RULE,
    answerWithinMs: ANSWER_WITHIN_MS,
    openPerDeviceMax: 32,
    ...given,
  };
}
