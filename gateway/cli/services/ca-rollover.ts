import { ROLLOVER_PHASES } from '../../../pki/rollover/plan.ts';
import { type RolloverContext, tendRollover } from '../../../pki/rollover/rollover.ts';
import type { ServiceContext } from '../../runtime/service.ts';

/** What of a roll-over is due is done in the rounds of `hes ca`; each change is said once. */
export function createRolloverTending(
  context: RolloverContext,
  { log, counters }: Pick<ServiceContext, 'log' | 'counters'>,
): () => void {
  let said = '';
  let used = 0;
  let phase = -1;
  counters.gauge('rollover.used', () => used);
  counters.gauge('rollover.phase', () => phase);
  return () => {
    const { plan, used: now } = tendRollover(context);
    used = now;
    phase = plan === undefined ? -1 : ROLLOVER_PHASES.indexOf(plan.phase);
    const { tenant } = context;
    const what = plan === undefined ? 'finished' : `${plan.kind} ${plan.phase} ${now > 0}`;
    if (what === said) return;
    said = what;
    if (plan === undefined) log.info({ tenant }, 'a roll-over is finished: the old key is destroyed');
    else if (now > 0)
      log.warn(
        { tenant, kind: plan.kind, used: now },
        'the old CA is past its date and in use: its certificates are to be renewed',
      );
    else log.info({ tenant, kind: plan.kind, phase: plan.phase }, 'a roll-over is under way');
  };
}
