import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import type { DayAccumulator, DayDraft, DueDay } from './days/day.ts';
import { type Withheld, withhold } from './days/withheld.ts';
import type { NewEntry, Outbox } from './outbox/outbox.ts';
import { type Sealer, sealDay } from './seal.ts';

export interface DayCloserOptions {
  readonly device: DeviceId;
  readonly days: DayAccumulator;
  readonly outbox: Outbox;
  readonly sealer: () => Sealer;
  /** Seal each day a second time without its profile. */
  readonly lean: boolean;
  readonly log: Log;
  readonly counters: Counters;
  /** A day left memory: what is kept of the running ones is to be written anew. */
  readonly closed: () => void;
}

/** Days that ended, sealed and put into the outbox. */
export class DayCloser {
  readonly #options: DayCloserOptions;
  #withheld: Withheld | null = null;

  constructor(options: DayCloserOptions) {
    this.#options = options;
  }

  /** From now on nothing is said of some times. */
  withhold(withheld: Withheld): void {
    this.#withheld = withheld;
  }

  /**
   * Oldest first. An owner whose day cannot be sealed holds up its own later days, and nobody else's: what it failed
   * of is thrown when all is done.
   * @param stored told how many readings are in the outbox now, also before it throws
   */
  async close(through: number, stored: (readings: number) => void): Promise<void> {
    const { days, outbox, log, device, closed } = this.#options;
    const stuck = new Map<TenantId, unknown>();
    let sealer: Sealer | undefined;
    for (const sameDay of byDay(days.due())) {
      if (sameDay[0]!.day.ordinal > through) break;
      const closing = sameDay.filter(({ owner }) => !stuck.has(owner));
      const entries: NewEntry[] = [];
      for (const due of closing) {
        if (outbox.isClosed(due.owner, due.day.ordinal)) continue;
        sealer ??= this.#options.sealer();
        try {
          entries.push(this.#seal(sealer, days.draft(due)!));
        } catch (error) {
          log.error({ err: error, device, owner: due.owner }, 'a day cannot be sealed');
          stuck.set(due.owner, error);
        }
      }
      stored(await this.#store(entries));
      for (const due of closing) if (!stuck.has(due.owner)) days.closed(due);
      closed();
    }
    for (const error of stuck.values()) throw error;
  }

  /** The index as it stands, of every owner: with the days that ended meanwhile, or else beside the last one's. */
  async closeNow(stored: (readings: number) => void): Promise<void> {
    const { days, outbox, sealer } = this.#options;
    const ended = new Set(days.due().map(({ owner }) => owner));
    await this.close(Number.POSITIVE_INFINITY, stored);
    const seals = sealer();
    for (const [owner] of days.through()) {
      const draft = ended.has(owner) ? undefined : days.current(owner);
      if (draft === undefined || !outbox.isClosed(owner, draft.day.ordinal)) continue;
      stored(await this.#store([{ ...this.#seal(seals, draft), again: true }]));
    }
  }

  #seal(sealer: Sealer, draft: DayDraft): NewEntry {
    const { outbox, lean } = this.#options;
    const sequence = outbox.nextSequence(draft.owner, draft.day.ordinal);
    return sealDay(sealer, this.#withheld === null ? draft : withhold(draft, this.#withheld), sequence, lean);
  }

  async #store(entries: readonly NewEntry[]): Promise<number> {
    const { outbox, counters, log, device } = this.#options;
    try {
      const stored = await outbox.append(entries);
      counters.count('edge.sealed', stored);
      return stored;
    } catch (error) {
      if (isHesError(error)) {
        counters.count(`edge.unstored.${error.code}`);
        log.error({ err: error, device }, 'a day could not be stored and stays open');
      }
      throw error;
    }
  }
}

/** Due days, those of the same day together: they are stored with one write. */
function byDay(due: readonly DueDay[]): DueDay[][] {
  const groups = new Map<number, DueDay[]>();
  for (const entry of due) {
    const known = groups.get(entry.day.ordinal);
    if (known === undefined) groups.set(entry.day.ordinal, [entry]);
    else known.push(entry);
  }
  return [...groups.values()];
}
