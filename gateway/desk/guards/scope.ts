import type { CommandBody } from '../../../protocol/command/command.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { CHANNEL_MAX } from '../../../protocol/limits.ts';
import { obisBytes } from '../../../protocol/obis.ts';
import type { ObisCode } from '../../../protocol/reading.ts';
import { deskError } from '../errors.ts';
import type { Meter } from '../registry/meter.ts';

/** Whose meter a command is about: the device is its home tenant's, and each channel its owner's. */

const OWN_METER = 0;
/** Identifiers and states: of an M-Bus meter as of the device itself, by group B. */
const GENERAL = 96;
/** 0-1 to 0-4:96.3.10 are the relays of the device, no M-Bus meters. */
const RELAYS = 3;

/** The M-Bus channel that a register is of: 0-n:24.…, 0-n:96.1.…; 0 for the device's own. */
export function channelOf(code: ObisCode): number {
  const [medium = 0, channel = 0, c = 0, d = 0] = obisBytes(code) ?? [];
  const isOwn = medium !== 0 || channel > CHANNEL_MAX || (c === GENERAL && d === RELAYS);
  return isOwn ? OWN_METER : channel;
}

/** The channels that a command names; none where it is about whatever its tenant owns. */
function channelsOf(command: CommandBody): readonly number[] {
  if (command.type === 'valve.close' || command.type === 'valve.arm') return [command.arguments.channel];
  if (command.type === 'read.now') return command.arguments.registers.map(channelOf);
  return [];
}

/** @throws ERR_DESK_OWNER */
export function checkScope(
  tenant: TenantId,
  { home, channels }: Pick<Meter, 'home' | 'channels'>,
  command: CommandBody,
): void {
  const { type } = command;
  if (rowOf(type).scope === 'device') {
    if (home !== tenant)
      throw deskError('ERR_DESK_OWNER', `${type} is for the home tenant of the device only`, {
        context: { type, home },
      });
    return;
  }
  const own = new Set(channels.filter(({ owner }) => owner === tenant).map(({ channel }) => channel));
  if (own.size === 0)
    throw deskError('ERR_DESK_OWNER', `nothing behind the device is of ${tenant}`, { context: { type } });
  const foreign = channelsOf(command).find((channel) => !own.has(channel));
  if (foreign !== undefined)
    throw deskError('ERR_DESK_OWNER', `channel ${foreign} of the device is not of ${tenant}`, {
      context: { type, channel: foreign },
    });
}
