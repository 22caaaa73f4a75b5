import { RESULT_CODES, type ResultCode } from '../../../protocol/command/codes.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { Outcome } from '../../../protocol/command/outcome.ts';
import { isHesError } from '../../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { Journal } from './journal.ts';
import { type Delta, type Known, NO_DELTA, waits } from './ledger.ts';
import { PASSING_MAX } from './limits.ts';
import type { Reads } from './step.ts';

/** What is to be signed, sealed and sent to a tenant, until its receipt is there. */
export interface OperationResult {
  readonly id: CommandId;
  readonly tenant: TenantId;
  /** Of the uplink message: rising, and the same for each attempt. */
  readonly sequence: number;
  readonly outcome: Outcome;
  /** What has to be read now and goes into the result, and nowhere else. */
  readonly reads: Reads | null;
}

export type About = Pick<Known, 'id' | 'tenant'>;

/** The results of a meter: those of the journal, those that come again, and those that no disk holds. */
export class Results {
  readonly #journal: Journal;
  readonly #device: DeviceId;
  /** Failures that changed nothing. */
  #passing: readonly Known[] = [];
  /** Of commands that came again after their receipt. */
  #again: readonly CommandId[] = [];
  #lastSequence = 0;

  constructor(journal: Journal, device: DeviceId) {
    this.#journal = journal;
    this.#device = device;
  }

  /** What becomes of a command, with the number of its result. */
  entry(about: About, code: ResultCode | null, nowMs: number): Known {
    // By the clock, so that it rises also over results that no disk took.
    const clock = Math.floor(nowMs);
    this.#lastSequence = Math.max(this.#lastSequence + 1, this.#journal.ledger.lastSequence + 1, clock);
    const time = Math.max(0, Math.floor(nowMs / 1_000));
    return { ...about, sequence: this.#lastSequence, time, code, reads: null, standing: 'open' };
  }

  /** A failure that changed nothing: in memory only, and the oldest goes. */
  pass(entry: Known): void {
    this.#passing = [...this.#passing.filter(({ id }) => id !== entry.id), entry].slice(-PASSING_MAX);
  }

  /** The command came to an end that is kept. */
  end({ id }: Known): void {
    this.#passing = this.#passing.filter((entry) => entry.id !== id);
  }

  /** The command came again: whoever sent it has no result. */
  repeat(known: Known): void {
    if (waits(known) || this.#again.includes(known.id)) return;
    const remembered = new Set(this.#journal.ledger.known.map(({ id }) => id));
    this.#again = [...this.#again.filter((id) => remembered.has(id)), known.id];
  }

  /**
   * Oldest first. Nothing is said that no disk holds: while the journal cannot be written, only failures that
   * changed nothing.
   */
  list(): readonly OperationResult[] {
    const { suspect, ledger } = this.#journal;
    const kept = suspect
      ? []
      : ledger.known.filter((entry) => waits(entry) || this.#again.includes(entry.id));
    return [...kept, ...this.#passing]
      .sort((left, right) => left.sequence - right.sequence)
      .map((entry) => this.of(entry));
  }

  async settled(id: CommandId): Promise<void> {
    this.#again = this.#again.filter((other) => other !== id);
    this.#passing = this.#passing.filter((entry) => entry.id !== id);
    if (!this.#journal.ledger.known.some((entry) => entry.id === id && waits(entry))) return;
    await this.#forget({ ...NO_DELTA, settled: id });
  }

  /** Where the disk does not take it, it is sent once more by the process after this one. */
  async #forget(delta: Delta): Promise<void> {
    try {
      await this.#journal.commit(delta);
    } catch (error) {
      if (!isHesError(error, 'ERR_JOURNAL_WRITE')) throw error;
      this.#journal.believe(delta);
    }
  }

  async reported(sequence: number): Promise<void> {
    if (this.#journal.ledger.report === sequence) await this.#forget({ ...NO_DELTA, reported: sequence });
  }

  of({ id, tenant, sequence, time, code, reads }: Known): OperationResult {
    const about = { tenant, device: this.#device, command: id, time };
    const outcome: Outcome =
      code === null
        ? { ...about, state: 'executed', code }
        : { ...about, state: RESULT_CODES[code].state, code };
    return { id, tenant, sequence, outcome, reads };
  }
}
