import type { CommandType } from '../../../protocol/command/table.ts';
import { deskError } from '../errors.ts';
import type { Meter } from '../registry/meter.ts';

/** How airplane mode ends, for whoever is refused: nobody but the person at the meter ends it. */
export const AIRPLANE_ENDS = 'it ends only by a local action at the meter';

/**
 * A meter in airplane mode takes nothing. One in prepayment does not go there, since it would never learn its balance,
 * nor one with the impact tariff, which is sold only where the meter communicates.
 * @throws ERR_DESK_AIRPLANE with `context.since`; ERR_DESK_PREPAID; ERR_DESK_IMPACT
 */
export function checkMeterState(
  meter: Pick<Meter, 'airplaneSince' | 'creditMode' | 'tariffPlan' | 'tariffPlanned'>,
  type: CommandType,
): void {
  const { airplaneSince, creditMode, tariffPlan, tariffPlanned } = meter;
  if (airplaneSince !== null) {
    const since = new Date(airplaneSince * 1_000).toISOString();
    throw deskError(
      'ERR_DESK_AIRPLANE',
      `the meter is in airplane mode since ${since} and takes no command; ${AIRPLANE_ENDS}`,
      { context: { since, ends: AIRPLANE_ENDS } },
    );
  }
  if (type === 'airplane.on' && creditMode === 'prepaid')
    throw deskError('ERR_DESK_PREPAID', 'a meter in prepayment cannot enter airplane mode');
  if (type === 'airplane.on' && (tariffPlan === 'impact' || tariffPlanned?.plan === 'impact'))
    throw deskError('ERR_DESK_IMPACT', 'a meter with the impact tariff cannot enter airplane mode');
}
