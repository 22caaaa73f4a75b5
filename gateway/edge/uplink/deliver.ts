import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import type { Receipt } from '../../../protocol/receipt.ts';
import type { OutboxEntry } from '../outbox/outbox.ts';
import { aborted } from './connection.ts';
import type { Exchange } from './exchange.ts';
import type { Connect } from './links.ts';

/** The readings of one owner that wait, oldest first. */
export interface OwnerBatch {
  readonly owner: TenantId;
  readonly entries: readonly OutboxEntry[];
}

/** What came of one owner's readings in one wake. */
export interface OwnerOutcome {
  readonly owner: TenantId;
  readonly receipts: readonly { readonly entry: OutboxEntry; readonly receipt: Receipt }[];
  /** The owner asked to be left alone for so long. */
  readonly laterSeconds: number | null;
  /** Why it ended early, or null. */
  readonly failure: HesError | null;
}

export interface DeliverOptions {
  readonly home: () => TenantId;
  readonly batches: readonly OwnerBatch[];
  readonly read: (entry: OutboxEntry) => { readonly sealed: Uint8Array; readonly receiptKey: Uint8Array };
  /** Called after each owner, so that a long backlog is not sent again because the end of it failed. */
  readonly settled: (outcome: OwnerOutcome) => void;
  /** What stands, or a new connection. */
  readonly connect: Connect;
  /** Readings of one owner on the way at once. */
  readonly window: number;
  readonly signal: AbortSignal;
  /** Asked before each reading: whether any may be sent at this moment. */
  readonly mayRead: () => boolean;
}

/**
 * Send what waits, owner by owner, and wait for the receipts. The home tenant comes first: it pays for the
 * connection, and must not wait for a guest's head-end that stands still.
 *
 * An owner that cannot be served costs the others nothing but a connection: its failure ends its own batch, and
 * the next owner's begins on a new connection where the old one is gone. Only when there is no connection to be
 * had at all is the rest given up.
 */
export async function deliver(options: DeliverOptions): Promise<void> {
  for (const batch of homeFirst(options)) {
    let exchange: Exchange;
    try {
      exchange = await options.connect();
    } catch (error) {
      options.settled({ owner: batch.owner, receipts: [], laterSeconds: null, failure: asHesError(error) });
      continue;
    }
    options.settled(await deliverBatch(options, exchange, batch));
  }
}

function homeFirst({ batches, home }: DeliverOptions): OwnerBatch[] {
  if (batches.length < 2) return [...batches];
  const first = home();
  return batches.toSorted((one, other) => Number(other.owner === first) - Number(one.owner === first));
}

async function deliverBatch(
  { read, signal, window, mayRead }: DeliverOptions,
  exchange: Exchange,
  { owner, entries }: OwnerBatch,
): Promise<OwnerOutcome> {
  const receipts: { entry: OutboxEntry; receipt: Receipt }[] = [];
  let laterSeconds: number | null = null;
  let failure: HesError | null = null;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < entries.length && laterSeconds === null && failure === null) {
      const entry = entries[next++]!;
      try {
        // Airplane mode began meanwhile: it waits for the end of it, whoever asks for it.
        if (!mayRead()) throw aborted();
        const message = { owner, kind: 'index', sequence: entry.sequence, ...read(entry) } as const;
        const receipt = await exchange.send(message, signal);
        receipts.push({ entry, receipt });
        if (receipt.verdict === 'later') laterSeconds = Math.max(laterSeconds ?? 0, receipt.seconds);
      } catch (error) {
        failure ??= asHesError(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(window, entries.length) }, worker));
  return { owner, receipts, laterSeconds, failure };
}

export function asHesError(error: unknown): HesError {
  return isHesError(error)
    ? error
    : new HesError('ERR_UPLINK_CLOSED', 'the wake ended early', { cause: error });
}
