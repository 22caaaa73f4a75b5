import type { CommandHead } from '../../../protocol/command/command.ts';
import { deskError } from '../errors.ts';

/**
 * A counter is the time of signing, and one from the future would lock its signer out of the meter until that time:
 * so no more than two clocks can be apart.
 */
export const COUNTER_AHEAD_MAX_MS = 120_000;
/** A change of plan is prepared months before; its own effective date is an argument, and reaches further. */
export const NOT_BEFORE_AHEAD_MAX_MS = 92 * 86_400_000;

/** @throws ERR_DESK_EXPIRED, ERR_DESK_AHEAD */
export function checkValidity(
  { counter, notBefore, expiry }: Pick<CommandHead, 'counter' | 'notBefore' | 'expiry'>,
  nowMs: number,
): void {
  if (nowMs >= expiry * 1_000) throw deskError('ERR_DESK_EXPIRED', 'the validity of the command is over');
  if (counter - nowMs > COUNTER_AHEAD_MAX_MS)
    throw deskError('ERR_DESK_AHEAD', 'signed by a clock that is ahead of this one', {
      context: { aheadMs: counter - nowMs },
    });
  if (notBefore * 1_000 - nowMs > NOT_BEFORE_AHEAD_MAX_MS)
    throw deskError('ERR_DESK_AHEAD', 'it becomes valid later than a desk keeps commands for');
}
