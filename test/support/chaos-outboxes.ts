import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { dayOfOrdinal, type LocalDay } from '../../gateway/edge/days/calendar.ts';
import { Outbox } from '../../gateway/edge/outbox/outbox.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { IndexName } from './chaos-oracle.ts';

/** What the devices of an ended run have on their disks. */
export interface OutboxState {
  /** Closed, and no longer with the device: it had a receipt, so these must be at their MDMs. */
  readonly settled: readonly IndexName[];
  /** Closed, and without a receipt that the device has seen: at the MDM or not. */
  readonly pending: readonly IndexName[];
  readonly parked: readonly IndexName[];
}

/**
 * Read the outboxes of streams that began on a day.
 * @param devices the folder in which each device has its own
 */
export function outboxesOf(
  devices: string,
  streams: readonly { readonly device: DeviceId; readonly owner: TenantId }[],
  first: LocalDay,
): OutboxState {
  const settled: IndexName[] = [];
  const pending: IndexName[] = [];
  const parked: IndexName[] = [];
  for (const [device, owners] of Map.groupBy(streams, (stream) => stream.device)) {
    const directory = join(devices, device);
    if (!existsSync(join(directory, 'outbox'))) continue;
    const outbox = Outbox.open({ directory, device });
    const name = (owner: TenantId, day: number): IndexName => `${device}/${owner}/${dayOfOrdinal(day).name}`;
    const waiting = outbox.pending().map(({ owner, day }) => name(owner, day));
    const refused = outbox.parked().map(({ owner, day }) => name(owner, day));
    pending.push(...waiting);
    parked.push(...refused);
    const kept = new Set([...waiting, ...refused]);
    for (const { owner } of owners)
      for (let day = first.ordinal; day <= (outbox.throughOf(owner) ?? -1); day++)
        if (!kept.has(name(owner, day))) settled.push(name(owner, day));
    outbox.close();
  }
  return { settled, pending, parked };
}
