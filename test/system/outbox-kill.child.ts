import { writeSync } from 'node:fs';
import { type NewEntry, Outbox } from '../../gateway/edge/outbox/outbox.ts';
import { seededRandom } from '../../gateway/runtime/random.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';

/**
 * The victim of outbox-kill.test.ts: stores days and takes delivered ones out as fast as it can, and says on its
 * standard output what it is about to do and what is done, until it is killed.
 */
export const DEVICE = '00112233445566ff' as DeviceId;
export const OWNERS = ['ores', 'farys'] as TenantId[];
export const FIRST_DAY = 20_585;
/** By count only does it run full: then it gives up its oldest. */
export const LIMITS = { bytesMax: 48 * 1024, entriesMax: 14, parkedMax: 2 };

/** The same bytes for the same day in every process: what is read back can be checked. */
export function entryOf(owner: TenantId, day: number, sequence: number): NewEntry {
  const random = seededRandom(owner, day);
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));
  return {
    owner,
    day,
    sequence,
    receiptKey: bytes(32),
    sealed: bytes(200 + Math.floor(random() * 1_500)),
  };
}

/** Said before the next step is taken: whoever listens slowly makes the victim wait. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

async function work(directory: string, seed: string): Promise<void> {
  const random = seededRandom(seed);
  const outbox = Outbox.open({ directory, device: DEVICE, limits: LIMITS });
  for (const owner of OWNERS)
    if (outbox.throughOf(owner) === undefined) await outbox.opened(owner, FIRST_DAY - 1);
  say('open');
  for (;;) {
    const day = Math.min(...OWNERS.map((owner) => outbox.throughOf(owner)!)) + 1;
    const excess = outbox.pendingCount + OWNERS.length - LIMITS.entriesMax;
    const oldest = outbox.pending().slice(0, Math.max(0, excess));
    for (const entry of oldest) say(`giving ${entry.owner} ${entry.day}`);
    try {
      say(`storing ${day}`);
      await outbox.append(OWNERS.map((owner) => entryOf(owner, day, outbox.nextSequence(owner, day))));
      say(`stored ${day}`);
      for (const entry of oldest) say(`gave ${entry.owner} ${entry.day}`);
    } catch (error) {
      if (!isHesError(error)) throw error;
      say(`refused ${error.code}`);
    }
    const pending = outbox.pending();
    const count = Math.floor(random() * Math.min(pending.length + 1, 8));
    for (const entry of pending.slice(0, count)) {
      say(`settling ${entry.owner} ${entry.day}`);
      outbox.settle([{ entry, verdict: 'delivered' }]);
      say(`settled ${entry.owner} ${entry.day}`);
    }
  }
}

const [directory, seed] = process.argv.slice(2);
if (import.meta.main && directory !== undefined && seed !== undefined) await work(directory, seed);
