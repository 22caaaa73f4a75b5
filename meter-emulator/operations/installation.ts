import type {
  Installation,
  InstalledMeter,
  ProtectedPeriod,
} from '../../gateway/edge/operations/installation.ts';
import { REGION_OF_TENANT, type Region } from '../../protocol/command/presets.ts';
import type { TenantId } from '../../protocol/identity.ts';
import type { DevicePlan } from '../fleet.ts';

/**
 * The non-disconnection periods of the regions, as a meter is told at its installation. The same as the desk's own
 * (gateway/desk/guards/calendar.ts); a test holds them together, since a meter and a desk share no code.
 */
const PERIODS: Readonly<Record<Region, readonly ProtectedPeriod[]>> = {
  wallonia: [{ from: '11-01', through: '03-31' }],
  flanders: [{ from: '11-01', through: '03-31' }],
  brussels: [{ from: '10-01', through: '03-31' }],
};

export function protectedPeriodsOf(home: TenantId): readonly ProtectedPeriod[] {
  const region = REGION_OF_TENANT[home];
  return region === undefined ? [] : PERIODS[region];
}

/** What stands at the address of an emulated device. */
export function installationOf({ id, home, meters }: DevicePlan): Installation {
  return {
    device: id,
    home,
    meters: meters.map(
      ({ channel, medium, owner }): InstalledMeter => ({
        channel,
        medium,
        owner,
        switchable: isSwitchable(channel, medium),
      }),
    ),
    protectedPeriods: protectedPeriodsOf(home),
  };
}

/** Electricity has its breaker, gas its valve; a water meter has one where it is a device of its own, heat has none. */
function isSwitchable(channel: number, medium: InstalledMeter['medium']): boolean {
  if (medium === 'electricity') return channel === 0;
  return medium === 'gas' || (medium === 'water' && channel === 0);
}

/** Channels of an installation that have a valve. */
export const valvesOf = ({ meters }: Installation): readonly number[] =>
  meters
    .filter(({ medium, switchable }) => medium !== 'electricity' && switchable)
    .map(({ channel }) => channel);
