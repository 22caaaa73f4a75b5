import type { CommandType } from '../../../protocol/command/table.ts';
import type { EdgeCommands } from '../commands.ts';
import type { OwnerMap } from '../days/day.ts';
import type { Installation, InstalledMeter } from '../operations/installation.ts';
import type { Action, ActionResult, Hardware } from '../operations/step.ts';
import type { Snapshot } from '../source.ts';
import type { EdgeConfig, EdgeDeviceConfig } from './config.ts';
import type { LoadedIdentity } from './identity.ts';

/**
 * A meter that is only read, over P1 or Modbus: nothing can be switched, shown or set through such a port. It can
 * tell how its registers stand, and refuses everything else as `unsupported` (docs/adr/0157).
 */

/** Silence is not among them: nobody could end it at the meter. */
export const READ_ONLY_COMMANDS: readonly CommandType[] = ['read.now'];

const HARDWARE: Hardware = {
  // Whether a channel was seen of late is asked before (latest.ts).
  perform: ({ kind }: Action): ActionResult => (kind === 'reach' ? 'done' : 'hardware'),
  standing: ({ kind }) => kind === 'reach',
};

export function readOnlyCommands(
  config: Pick<EdgeConfig, 'commands' | 'clock'>,
  device: EdgeDeviceConfig,
  { identity }: LoadedIdentity,
): EdgeCommands {
  const { stay, everySeconds } = config.commands;
  return {
    installation: installationOf(identity, device),
    hardware: HARDWARE,
    stay,
    everyMs: everySeconds === null ? null : everySeconds * 1_000,
    realSeconds: realSecondsOf(config.clock),
  };
}

/** What the configuration says before any telegram came. */
function installationOf(
  { device, home }: LoadedIdentity['identity'],
  { owners }: EdgeDeviceConfig,
): Installation {
  const named = owners.flatMap(({ channel, tenant }) =>
    channel === undefined ? [] : [{ channel, owner: tenant }],
  );
  const own = named.some(({ channel }) => channel === 0) ? [] : [{ channel: 0, owner: home }];
  const meters = [...own, ...named].map((meter): InstalledMeter => {
    const medium = meter.channel === 0 ? 'electricity' : 'gas';
    return { ...meter, medium, switchable: false };
  });
  return { device, home, meters, protectedPeriods: [], commands: READ_ONLY_COMMANDS };
}

/** With the meters that a snapshot shows; the same object where it shows nothing new. */
export function withMeters(
  installation: Installation,
  { meters }: Snapshot,
  ownerOf: OwnerMap,
): Installation {
  const seen = meters.map((meter): InstalledMeter => {
    const { channel, medium } = meter;
    return { channel, medium, owner: ownerOf(meter), switchable: false };
  });
  const isKnown = ({ channel, medium, owner }: InstalledMeter): boolean =>
    installation.meters.some(
      (known) => known.channel === channel && known.medium === medium && known.owner === owner,
    );
  if (seen.every(isKnown)) return installation;
  const others = installation.meters.filter(
    ({ channel }) => !seen.some((meter) => meter.channel === channel),
  );
  return { ...installation, meters: [...others, ...seen] };
}

function realSecondsOf(clock: EdgeConfig['clock']): (meteringSeconds: number) => number {
  if (clock.kind === 'real') return (seconds) => seconds;
  const { originMs, startedAtMs, speed } = clock;
  return (seconds) => (startedAtMs + (seconds * 1_000 - originMs) / speed) / 1_000;
}
