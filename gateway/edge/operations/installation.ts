import type { CommandType } from '../../../protocol/command/table.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { dayAt } from '../days/calendar.ts';

/** What stands at the address: what the device can do, and whose meters hang on it. It is told, not commanded. */
export interface Installation {
  readonly device: DeviceId;
  readonly home: TenantId;
  /** Channel 0 is the device's own meter; 1 to 4 are M-Bus channels. */
  readonly meters: readonly InstalledMeter[];
  /** The non-disconnection periods of the region, in which nobody is cut for credit. */
  readonly protectedPeriods: readonly ProtectedPeriod[];
  /** What the device can do at all; all of the table unless told. */
  readonly commands?: readonly CommandType[];
}

export interface InstalledMeter {
  readonly channel: number;
  readonly owner: TenantId;
  readonly medium: 'electricity' | 'gas' | 'water' | 'heat';
  /** A breaker where it is electricity, a valve otherwise. */
  readonly switchable: boolean;
}

/** Local days of every year, `MM-DD`, both included; a period may go over New Year. */
export interface ProtectedPeriod {
  readonly from: string;
  readonly through: string;
}

export const meterOn = ({ meters }: Installation, channel: number): InstalledMeter | undefined =>
  meters.find((meter) => meter.channel === channel);

export const canDo = ({ commands }: Installation, type: CommandType): boolean =>
  commands === undefined || commands.includes(type);

/** The breaker is the switch of the device's own electricity meter. */
export function hasBreaker(installation: Installation): boolean {
  const own = meterOn(installation, 0);
  return own !== undefined && own.medium === 'electricity' && own.switchable;
}

export function hasValve(installation: Installation, channel: number): boolean {
  const meter = meterOn(installation, channel);
  return meter !== undefined && meter.medium !== 'electricity' && meter.switchable;
}

/** Opening gas without a leak test could fill a kitchen. */
export const needsLeakTest = (installation: Installation, channel: number): boolean =>
  meterOn(installation, channel)?.medium === 'gas';

export function isProtected(
  { protectedPeriods }: Pick<Installation, 'protectedPeriods'>,
  epochSeconds: number,
): boolean {
  const today = dayAt(epochSeconds).name.slice(5);
  return protectedPeriods.some(({ from, through }) =>
    from <= through ? from <= today && today <= through : from <= today || today <= through,
  );
}
