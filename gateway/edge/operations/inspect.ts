import { join } from 'node:path';
import type { DeviceId } from '../../../protocol/identity.ts';
import { nodeFiles, type OutboxFiles } from '../outbox/files.ts';
import { ledgerOf } from './journal.ts';
import { waits } from './ledger.ts';
import { isSilent } from './state.ts';

/** What a journal says of a meter whose process does not run. */
export interface OperationsInspection {
  /** Results and reports that wait for their receipt. */
  readonly waiting: number;
  /** Epoch ms since when nothing is sent; null while the device speaks. */
  readonly silentSinceMs: number | null;
}

/**
 * Look without locking or writing anything; undefined where the meter was never commanded.
 * @throws ERR_JOURNAL_FORMAT, ERR_JOURNAL_DAMAGED; what the file system throws
 */
export function inspectOperations(
  directory: string,
  device: DeviceId,
  files: Pick<OutboxFiles, 'read'> = nodeFiles,
): OperationsInspection | undefined {
  const path = join(directory, 'operations');
  const bytes = files.read(path);
  if (bytes === undefined) return undefined;
  const { state, known, report } = ledgerOf(bytes, path, device);
  const silent = isSilent(state);
  return {
    waiting: silent ? 0 : known.filter(waits).length + (report === null ? 0 : 1),
    silentSinceMs: silent ? state.airplane!.since * 1_000 : null,
  };
}
