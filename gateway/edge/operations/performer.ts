import type { ResultCode } from '../../../protocol/command/codes.ts';
import { isHesError } from '../../../protocol/errors.ts';
import { encodeState } from './codec.ts';
import type { Journal } from './journal.ts';
import { type CounterUse, type Delta, type Intent, type Known, mayComeAgain, NO_DELTA } from './ledger.ts';
import { isTelling } from './report.ts';
import type { MeterState } from './state.ts';
import type { Action, ActionResult, Hardware, Step } from './step.ts';

/**
 * Intent, effect, result: what is to be done lies on the disk before it is done, and what came of it after. Where a
 * process was killed in between, the hardware is asked whether it did it.
 */
export class Performer {
  readonly #journal: Journal;
  readonly #hardware: Hardware;

  constructor(journal: Journal, hardware: Hardware) {
    this.#journal = journal;
    this.#hardware = hardware;
  }

  /**
   * Execute a command that was accepted.
   * @returns what became of it; undefined where the disk does not hold that: a process that is killed now could come
   *   to another end, so nobody may be told anything yet
   */
  async execute(step: Step, known: Known, counter: CounterUse, expiry: number): Promise<Known | undefined> {
    const { state, action } = step;
    if (action === null) {
      const failed = await this.#attempt({ ...NO_DELTA, state, counter, known });
      return failed === undefined ? known : this.#unless(failed, known);
    }
    const intent: Intent = { known, counter, action, state, expiry };
    const failed = await this.#attempt({ ...NO_DELTA, intent });
    if (failed !== undefined) return this.#unless(failed, known);
    return this.#close(intent, known, await this.#perform(action));
  }

  /** A local change. A person at the meter, and an overload, are served also where the disk takes nothing. */
  async local({ state, action }: Step, now: number): Promise<boolean> {
    if (action === null) {
      if (encodeState(state).equals(encodeState(this.#journal.ledger.state))) this.#journal.pass(state);
      else await this.#keep({ ...NO_DELTA, state, report: this.#reportOf(state, now) });
      return true;
    }
    const intent: Intent = { known: null, counter: null, action, state, expiry: now };
    await this.#attempt({ ...NO_DELTA, intent });
    const isDone = (await this.#perform(action)) === 'done';
    await this.#endLocal(intent, isDone, now);
    return isDone;
  }

  /** End what a process before this one began. */
  async recover(now: number): Promise<void> {
    const { intent } = this.#journal.ledger;
    if (intent === null) return;
    const standing = await this.#standing(intent.action);
    // Somebody pressed a button, and where nothing happened he presses again.
    if (intent.known === null) await this.#endLocal(intent, standing === true, now);
    else if (standing === true) await this.#close(intent, intent.known, 'done');
    else if (standing === false && now < intent.expiry)
      await this.#close(intent, intent.known, await this.#perform(intent.action));
    else await this.#close(intent, intent.known, 'interrupted');
  }

  async #endLocal({ state }: Intent, isDone: boolean, now: number): Promise<void> {
    if (isDone) await this.#keep({ ...NO_DELTA, closes: true, state, report: this.#reportOf(state, now) });
    else await this.#keep({ ...NO_DELTA, closes: true });
  }

  /** The number of the report that a local change is worth; null where it tells the operator nothing. */
  #reportOf(state: MeterState, now: number): number | null {
    const { ledger } = this.#journal;
    return isTelling(ledger.state, state) ? Math.max(ledger.lastSequence + 1, now * 1_000) : null;
  }

  async #close(
    intent: Intent,
    known: Known,
    result: ActionResult | 'interrupted',
  ): Promise<Known | undefined> {
    const { state, counter } = intent;
    const code: ResultCode | null = result === 'done' ? null : result;
    const entry: Known = { ...known, code, reads: code === null ? known.reads : null };
    await this.#keep({
      ...NO_DELTA,
      closes: true,
      known: entry,
      state: code === null ? state : null,
      counter: mayComeAgain(code) ? null : counter,
    });
    return this.#journal.suspect ? undefined : entry;
  }

  async #perform(action: Action): Promise<ActionResult> {
    try {
      return await this.#hardware.perform(action);
    } catch {
      return 'hardware';
    }
  }

  async #standing(action: Action): Promise<boolean | undefined> {
    try {
      return await this.#hardware.standing(action);
    } catch {
      return undefined;
    }
  }

  #unless(failed: 'certain' | 'uncertain', known: Known): Known | undefined {
    return failed === 'certain' ? { ...known, code: 'storage', reads: null } : undefined;
  }

  /** Whether a write failed, and whether it is certain then that nothing was written. */
  async #attempt(delta: Delta): Promise<'certain' | 'uncertain' | undefined> {
    try {
      await this.#journal.commit(delta);
      return undefined;
    } catch (error) {
      if (!isHesError(error, 'ERR_JOURNAL_WRITE')) throw error;
      return this.#journal.suspect ? 'uncertain' : 'certain';
    }
  }

  /** What is done is true, whether the disk takes it or not. */
  async #keep(delta: Delta): Promise<void> {
    if ((await this.#attempt(delta)) !== undefined) this.#journal.believe(delta);
  }
}
