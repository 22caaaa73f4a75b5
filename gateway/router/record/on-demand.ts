import type { CommandId } from '../../../protocol/command/id.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { DailyIndex, MeterReading } from '../../../protocol/reading.ts';

/** What was read because a command asked for it: a record beside the daily ones, and never in the place of one. */

const DAY_LENGTH = 'YYYY-MM-DD'.length;

/**
 * A reading on demand in the form of an index, which the rules of plausibility and the record are written for. It
 * closes no day, so its record names none.
 *
 * @param read.time epoch seconds, of the outcome: the device says no offset, so that it is written in UTC
 */
export function readOf(read: {
  readonly tenant: TenantId;
  readonly device: DeviceId;
  readonly sequence: number;
  readonly time: number;
  readonly meters: readonly MeterReading[];
}): DailyIndex {
  const { tenant, device, sequence, time, meters } = read;
  return {
    version: 1,
    tenant,
    device,
    sequence,
    day: new Date(time * 1_000).toISOString().slice(0, DAY_LENGTH),
    capturedAt: { epochSeconds: time, offsetMinutes: 0 },
    // A device without a clock executes nothing; that one of its meters has none, its flags say.
    clock: 'synchronised',
    meters,
  };
}

/**
 * The idempotency key of what a command read. The command is in it, not the number of the message: whenever its result
 * comes again, what was delivered first stays.
 */
export function readKey({
  device,
  tenant,
  command,
}: {
  readonly device: DeviceId;
  readonly tenant: TenantId;
  readonly command: CommandId;
}): string {
  return `${device}/${tenant}/read/${command}`;
}
