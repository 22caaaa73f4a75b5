import type { DeviceId } from '../../../protocol/identity.ts';
import { silentLog } from '../../runtime/log.ts';
import { nodeFiles, type OutboxFiles } from './files.ts';
import { OUTBOX_LIMITS, type OutboxLimits } from './limits.ts';
import { OutboxFile } from './outbox-file.ts';
import { recover } from './recover.ts';
import { OutboxState } from './state.ts';

/** What somebody who looks after a device wants to know of its outbox. */
export interface OutboxStatus {
  /** Readings that wait for their receipt. */
  readonly pending: number;
  /** Readings that their owner refused. */
  readonly parked: number;
  /** Of the file, and how many it may have. */
  readonly bytes: number;
  readonly bytesMax: number;
  /** Of those that wait, how many have lost their profile for want of room. */
  readonly thinned: number;
  /** Readings given up for want of room since the process started. */
  readonly dropped: number;
  /** Whether the disk refused the last write. */
  readonly failing: boolean;
}

export interface InspectOptions {
  readonly directory: string;
  readonly device: DeviceId;
  readonly limits?: Partial<OutboxLimits>;
  readonly files?: OutboxFiles;
}

/**
 * Look at an outbox that no process holds, without its lock and without touching it; undefined where there is none.
 * @throws ERR_OUTBOX_DAMAGED, ERR_OUTBOX_FORMAT, ERR_OUTBOX_READ
 */
export function inspectOutbox(options: InspectOptions): OutboxStatus | undefined {
  const { directory, device, files = nodeFiles } = options;
  const file = new OutboxFile(`${directory}/outbox`, files, silentLog);
  const bytes = file.load();
  if (bytes === undefined) return undefined;
  const state = new OutboxState();
  for (const { record, sealedAt } of recover(file.path, bytes, device).records)
    state.replay(record, sealedAt);
  return {
    pending: state.pendingCount,
    parked: state.parked().length,
    bytes: bytes.length,
    bytesMax: { ...OUTBOX_LIMITS, ...options.limits }.bytesMax,
    thinned: state.thinnedCount,
    dropped: 0,
    failing: false,
  };
}
