import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { Log } from '../runtime/log.ts';
import type { DayAccumulator } from './days/day.ts';
import type { Outbox } from './outbox/outbox.ts';

/**
 * An owner seen for the first time is noted on disk, or its first day would be skipped by a kill before midnight.
 * A disk that takes no writes is tried again with the next snapshot, and spoken of once.
 */
export class OwnerNotes {
  readonly #outbox: Outbox;
  readonly #days: DayAccumulator;
  readonly #log: Log;
  readonly #device: DeviceId;
  #noting = false;
  #diskFailing = false;

  constructor(device: DeviceId, outbox: Outbox, days: DayAccumulator, log: Log) {
    this.#device = device;
    this.#outbox = outbox;
    this.#days = days;
    this.#log = log;
  }

  /** @param inTurn what runs the work after whatever else writes */
  note(inTurn: (work: () => Promise<void>) => Promise<void>): void {
    if (this.#noting || this.#unnoted().length === 0) return;
    this.#noting = true;
    void inTurn(async () => {
      try {
        for (const [owner, through] of this.#unnoted()) await this.#outbox.opened(owner, through);
        this.#diskFailing = false;
      } catch (error) {
        if (!this.#diskFailing)
          this.#log.error({ err: error, device: this.#device }, 'the outbox takes no writes');
        this.#diskFailing = true;
      } finally {
        this.#noting = false;
      }
    });
  }

  #unnoted(): (readonly [TenantId, number])[] {
    return this.#days.through().filter(([owner, through]) => {
      const noted = this.#outbox.throughOf(owner);
      return noted === undefined || noted > through;
    });
  }
}
