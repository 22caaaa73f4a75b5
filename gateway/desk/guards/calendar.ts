import type { CommandBody } from '../../../protocol/command/command.ts';
import { REGION_OF_TENANT, type Region } from '../../../protocol/command/presets.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { deskError } from '../errors.ts';
import { localDay } from '../time.ts';

/**
 * The non-disconnection period: no supply is cut for credit. Calendars are data of a tenant, since each region has
 * its own, and a government can prolong one by decree.
 */
export type ProtectedPeriod =
  /** Each year, `MM-DD` to `MM-DD`, both included; it goes over New Year where it ends before it begins. */
  | { readonly yearly: { readonly from: string; readonly to: string } }
  /** Once, `YYYY-MM-DD` to `YYYY-MM-DD`, both included. */
  | { readonly once: { readonly from: string; readonly to: string } };

/**
 * Brussels: 1 October to 31 March (ordinances of 19 July 2001 and 1 April 2004). Flanders: 1 December to 1 March
 * (Energiebesluit), prolonged to 31 March in most years and begun in November in some. Wallonia: its winter protection
 * begins on 1 November; that it lasts through March is the side on which nobody is cut by mistake.
 */
const REGION_PERIODS: Readonly<Record<Region, readonly ProtectedPeriod[]>> = {
  wallonia: [{ yearly: { from: '11-01', to: '03-31' } }],
  flanders: [{ yearly: { from: '11-01', to: '03-31' } }],
  brussels: [{ yearly: { from: '10-01', to: '03-31' } }],
};

/** Where nothing is configured: the widest of what the region had in the last years. */
export function usualPeriods(tenant: TenantId): readonly ProtectedPeriod[] {
  const region = REGION_OF_TENANT[tenant];
  return region === undefined ? [] : REGION_PERIODS[region];
}

/** @param day `YYYY-MM-DD`, local */
export function isProtected(periods: readonly ProtectedPeriod[], day: string): boolean {
  return periods.some((period) => {
    if ('once' in period) return period.once.from <= day && day <= period.once.to;
    const { from, to } = period.yearly;
    const date = day.slice(5);
    return from <= to ? from <= date && date <= to : from <= date || date <= to;
  });
}

/** Commands that cut a supply; those that give it back go through on every day. */
const cutsForCredit = (command: CommandBody): boolean =>
  (command.type === 'breaker.open' || command.type === 'valve.close') && command.arguments.cause === 'credit';

/**
 * At the proposal for the day on which it begins to be valid, and again for the day on which it would be sent.
 * @throws ERR_DESK_PROTECTED
 */
export function checkCalendar(
  periods: readonly ProtectedPeriod[],
  command: CommandBody,
  epochSeconds: number,
): void {
  if (!cutsForCredit(command)) return;
  const day = localDay(epochSeconds);
  if (isProtected(periods, day))
    throw deskError('ERR_DESK_PROTECTED', `no supply is cut for credit on ${day}`, { context: { day } });
}
