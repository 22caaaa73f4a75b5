import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import { type Receipt, readReceipt } from '../../../protocol/receipt.ts';
import { parseTopic, upTopic } from '../../../protocol/topics.ts';
import type { OutboxEntry } from '../outbox/outbox.ts';
import { aborted, Connection, type ConnectOptions } from './connection.ts';

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

export interface DeliverOptions extends Omit<ConnectOptions, 'onMessage'> {
  readonly batches: readonly OwnerBatch[];
  readonly read: (entry: OutboxEntry) => { readonly sealed: Uint8Array; readonly receiptKey: Uint8Array };
  /** Called after each owner, so that a long backlog is not sent again because the end of it failed. */
  readonly settled: (outcome: OwnerOutcome) => void;
}

export interface DeliverResult {
  readonly connections: number;
  readonly resumed: number;
  /** Receipts that no reading on the way was the subject of: wrong key, other reading, altered. */
  readonly receiptsIgnored: number;
}

/**
 * Send what waits, owner by owner, and wait for the receipts. The home tenant comes first: it pays for the
 * connection, and must not wait for a guest's head-end that stands still.
 *
 * An owner that cannot be served costs the others nothing but a connection: its failure ends its own batch, and
 * the next owner's begins on a new connection where the old one is gone. Only when there is no connection to be
 * had at all is the rest given up.
 */
export async function deliver(options: DeliverOptions): Promise<DeliverResult> {
  const waiting = new Map<string, Waiting>();
  const result = { connections: 0, resumed: 0, receiptsIgnored: 0 };
  const onMessage = (topic: string, payload: Uint8Array): void => {
    if (!takeReceipt(waiting, options.identity.device, topic, payload)) result.receiptsIgnored++;
  };
  let connection: Connection | undefined;
  let failure: HesError | null = null;
  for (const batch of homeFirst(options)) {
    if (failure === null && (connection === undefined || connection.failure !== undefined)) {
      try {
        connection = await Connection.open({ ...options, onMessage });
        result.connections++;
        if (connection.resumed) result.resumed++;
      } catch (error) {
        failure = asHesError(error);
      }
    }
    if (failure !== null || connection === undefined) {
      options.settled({ owner: batch.owner, receipts: [], laterSeconds: null, failure });
      continue;
    }
    options.settled(await deliverBatch(options, connection, waiting, batch));
  }
  await connection?.close();
  return result;
}

function homeFirst({ batches, identity }: DeliverOptions): OwnerBatch[] {
  return batches.toSorted(
    (one, other) => Number(other.owner === identity.home) - Number(one.owner === identity.home),
  );
}

/** A reading on its way. */
interface Waiting {
  readonly entry: OutboxEntry;
  readonly receiptKey: Uint8Array;
  readonly receipted: (receipt: Receipt) => void;
}

async function deliverBatch(
  options: DeliverOptions,
  connection: Connection,
  waiting: Map<string, Waiting>,
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
        const receipt = await deliverOne(options, connection, waiting, entry);
        receipts.push({ entry, receipt });
        if (receipt.verdict === 'later') laterSeconds = Math.max(laterSeconds ?? 0, receipt.seconds);
      } catch (error) {
        failure ??= asHesError(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.limits.window, entries.length) }, worker));
  return { owner, receipts, laterSeconds, failure };
}

/** Publish one reading and wait for its receipt; the PUBACK alone proves nothing. */
async function deliverOne(
  options: DeliverOptions,
  connection: Connection,
  waiting: Map<string, Waiting>,
  entry: OutboxEntry,
): Promise<Receipt> {
  const { limits, signal, identity } = options;
  if (connection.failure !== undefined) throw connection.failure;
  const { sealed, receiptKey } = options.read(entry);
  const name = `${entry.owner} ${entry.sequence}`;
  let timer: NodeJS.Timeout | undefined;
  let stop: (() => void) | undefined;
  try {
    return await new Promise<Receipt>((resolve, reject) => {
      const giveUp = (reason: HesError): void => {
        reject(reason);
        connection.fail(reason);
      };
      stop = (): void => giveUp(aborted());
      if (signal.aborted) return stop();
      signal.addEventListener('abort', stop, { once: true });
      waiting.set(name, { entry, receiptKey, receipted: resolve });
      connection.onClose(() => reject(connection.failure));
      const wait = (ms: number, code: 'ERR_UPLINK_TIMEOUT' | 'ERR_UPLINK_RECEIPT', what: string): void => {
        clearTimeout(timer);
        timer = setTimeout(() => giveUp(new HesError(code, what)), ms);
      };
      wait(limits.answerTimeoutMs, 'ERR_UPLINK_TIMEOUT', 'no receipt came in time');
      connection.publish(upTopic(entry.owner, identity.device, 'index'), sealed, () => {
        // The usual order is receipt, then PUBACK: then there is nothing left to wait for.
        if (waiting.has(name))
          wait(limits.receiptGraceMs, 'ERR_UPLINK_RECEIPT', 'acknowledged, but no valid receipt came');
      });
    });
  } finally {
    clearTimeout(timer);
    if (stop !== undefined) signal.removeEventListener('abort', stop);
    waiting.delete(name);
  }
}

/** Match a message to the reading that it proves delivered; false where there is none. */
function takeReceipt(
  waiting: Map<string, Waiting>,
  device: DeviceId,
  topicText: string,
  payload: Uint8Array,
): boolean {
  try {
    const topic = parseTopic(topicText);
    if (topic.kind !== 'receipt' || topic.device !== device) return false;
    for (const [name, { entry, receiptKey, receipted }] of waiting) {
      if (entry.owner !== topic.tenant) continue;
      const receipt = tryReceipt(receiptKey, payload, {
        tenant: entry.owner,
        device,
        sequence: entry.sequence,
      });
      if (receipt === undefined) continue;
      waiting.delete(name);
      receipted(receipt);
      return true;
    }
  } catch (error) {
    if (!isHesError(error)) throw error;
  }
  return false;
}

function tryReceipt(...[key, bytes, expected]: Parameters<typeof readReceipt>): Receipt | undefined {
  try {
    return readReceipt(key, bytes, expected);
  } catch (error) {
    if (isHesError(error)) return undefined;
    throw error;
  }
}

function asHesError(error: unknown): HesError {
  return isHesError(error)
    ? error
    : new HesError('ERR_UPLINK_CLOSED', 'the wake ended early', { cause: error });
}
