import type { StateReport } from '../../../protocol/command/report.ts';
import { localDay } from '../time.ts';
import { type Followed, type Meter, type MeterState, tariffPlanOn } from './meter.ts';

/** What a meter says of itself, held against the registry: a row for each thing that it follows. */

type Said = Pick<StateReport, 'airplaneSince' | 'breaker' | 'creditMode' | 'tariffPlan'>;

/** What the registry has to change; undefined where it says the same, or the report says nothing of it. */
type Differs = (meter: Meter, said: Said, epochSeconds: number) => Partial<MeterState> | undefined;

const THINGS: Readonly<Record<Followed, Differs>> = {
  tariff(meter, { tariffPlan }, epochSeconds) {
    const day = localDay(epochSeconds);
    if (tariffPlanOn(meter, day) === tariffPlan) return undefined;
    const { tariffPlanned } = meter;
    const isToCome = tariffPlanned !== null && tariffPlanned.from > day;
    return { tariffPlan, tariffPlanned: isToCome ? tariffPlanned : null };
  },
  credit: (meter, { creditMode }) => (meter.creditMode === creditMode ? undefined : { creditMode }),
  airplane: (meter, { airplaneSince }) =>
    (meter.airplaneSince === null) === (airplaneSince === null) ? undefined : { airplaneSince },
  breaker: (meter, { breaker }) => (breaker === null || meter.breaker === breaker ? undefined : { breaker }),
};

/**
 * The meter after a report of that time by its clock. An older report does not undo what a newer one, or the outcome
 * of a command, did to the same thing; one of the same second was made after it, since a device speaks in order.
 */
export function afterReport(
  meter: Meter,
  said: Said,
  epochSeconds: number,
): { readonly meter: Meter; readonly changed: readonly Followed[] } {
  const changed: Followed[] = [];
  let after = meter;
  for (const thing of Object.keys(THINGS) as Followed[]) {
    if (epochSeconds < (meter.followedAt[thing] ?? 0)) continue;
    const change = THINGS[thing](meter, said, epochSeconds);
    if (change === undefined) continue;
    changed.push(thing);
    after = { ...after, ...change, followedAt: { ...after.followedAt, [thing]: epochSeconds } };
  }
  return { meter: after, changed };
}
