import type { CommandBody } from '../../../protocol/command/command.ts';
import type { ArgumentsOf, CommandType } from '../../../protocol/command/table.ts';
import { localDay } from '../time.ts';
import { type Followed, type Meter, type MeterState, tariffPlanOn } from './meter.ts';

/** What an executed command makes of a meter's state: a row for each command that changes one. */

interface Effect<T extends CommandType> {
  readonly thing: Followed;
  change(meter: Meter, args: ArgumentsOf<T>, epochSeconds: number): Partial<MeterState>;
}

const EFFECTS: { readonly [T in CommandType]?: Effect<T> } = {
  'tariff.set': {
    thing: 'tariff',
    change(meter, { plan, from }, epochSeconds) {
      const today = localDay(epochSeconds);
      if (from <= today) return { tariffPlan: plan, tariffPlanned: null };
      return { tariffPlan: tariffPlanOn(meter, today), tariffPlanned: { plan, from } };
    },
  },
  'prepayment.activate': { thing: 'credit', change: () => ({ creditMode: 'prepaid' }) },
  'prepayment.deactivate': { thing: 'credit', change: () => ({ creditMode: 'credit' }) },
  'breaker.open': { thing: 'breaker', change: () => ({ breaker: 'open' }) },
  'breaker.arm': { thing: 'breaker', change: () => ({ breaker: 'armed' }) },
  'airplane.on': {
    thing: 'airplane',
    change: (_meter, _args, epochSeconds) => ({ airplaneSince: epochSeconds }),
  },
};

/**
 * The meter after a command was executed at it, at that time by its clock. A result that comes late does not undo
 * what a newer one did to the same thing.
 */
export function afterExecution(meter: Meter, command: CommandBody, epochSeconds: number): Meter {
  const effect = EFFECTS[command.type] as Effect<CommandType> | undefined;
  if (effect === undefined || epochSeconds < (meter.followedAt[effect.thing] ?? 0)) return meter;
  return {
    ...meter,
    ...effect.change(meter, command.arguments as never, epochSeconds),
    followedAt: { ...meter.followedAt, [effect.thing]: epochSeconds },
  };
}

/** Airplane mode was ended at the meter. */
export function afterAirplane(meter: Meter, epochSeconds: number): Meter {
  if (meter.airplaneSince === null || epochSeconds < meter.airplaneSince) return meter;
  return {
    ...meter,
    airplaneSince: null,
    followedAt: { ...meter.followedAt, airplane: epochSeconds },
  };
}
