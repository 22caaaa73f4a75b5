import type { CommandType } from '../../../protocol/command/table.ts';
import type { EdgeCommands } from '../commands.ts';
import type { OwnerMap } from '../days/day.ts';
import type { Installation, InstalledMeter } from '../operations/installation.ts';
import type { Action, ActionResult, Hardware } from '../operations/step.ts';
import type { Renewal } from '../renewal/renewal.ts';
import type { Snapshot } from '../source.ts';
import type { EdgeConfig, EdgeDeviceConfig } from './config.ts';
import type { LoadedIdentity } from './identity.ts';

/**
 * A meter that is only read, over P1 or Modbus: nothing can be switched, shown or set through such a port. It can
 * tell how its registers stand, and refuses everything else as `unsupported` (docs/adr/0157).
 */

/** Silence is not among them: nobody could end it at the meter. */
const READ_ONLY: readonly CommandType[] = ['read.now'];
/** With keys that can be renewed. */
const RENEWABLE: readonly CommandType[] = [...READ_ONLY, 'credential.renew'];

type RenewalAtCommand = Pick<Renewal, 'perform' | 'standing'>;

/** There is none: what is left are the device's own keys, where it knows who renews them. */
const hardwareWith = (renewal: RenewalAtCommand | undefined): Hardware => ({
  // Whether a channel was seen of late is asked before (latest.ts).
  perform: (action: Action): ActionResult | Promise<ActionResult> => {
    if (action.kind === 'credential' && renewal !== undefined) return renewal.perform(action.key);
    return action.kind === 'reach' ? 'done' : 'hardware';
  },
  standing: (action) =>
    action.kind === 'credential' && renewal !== undefined
      ? renewal.standing(action.key)
      : action.kind === 'reach',
});

export function readOnlyCommands(
  config: Pick<EdgeConfig, 'commands' | 'clock'>,
  device: EdgeDeviceConfig,
  { identity }: LoadedIdentity,
  renewal?: RenewalAtCommand,
): EdgeCommands {
  const { stay, everySeconds } = config.commands;
  return {
    installation: installationOf(identity, device, renewal === undefined ? READ_ONLY : RENEWABLE),
    hardware: hardwareWith(renewal),
    stay,
    everyMs: everySeconds === null ? null : everySeconds * 1_000,
    realSeconds: realSecondsOf(config.clock),
  };
}

/** What the configuration says before any telegram came. */
function installationOf(
  { device, home }: LoadedIdentity['identity'],
  { owners }: EdgeDeviceConfig,
  commands: readonly CommandType[],
): Installation {
  const named = owners.flatMap(({ channel, tenant }) =>
    channel === undefined ? [] : [{ channel, owner: tenant }],
  );
  const own = named.some(({ channel }) => channel === 0) ? [] : [{ channel: 0, owner: home }];
  const meters = [...own, ...named].map((meter): InstalledMeter => {
    const medium = meter.channel === 0 ? 'electricity' : 'gas';
    return { ...meter, medium, switchable: false };
  });
  return { device, home, meters, protectedPeriods: [], commands };
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
