import { join } from 'node:path';
import type { ResultCode } from '../../../protocol/command/codes.ts';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { CommandType } from '../../../protocol/command/table.ts';
import { HesError, isHesError } from '../../../protocol/errors.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { nodeFiles, type OutboxFiles } from '../outbox/files.ts';
import { type Lock, takeLock } from '../outbox/lock.ts';
import { judge, type Moment, type Opened, type Proof, prove, type Trust } from './accept.ts';
import { happen, type MeterEvent, rule } from './events.ts';
import type { Installation } from './installation.ts';
import { Journal } from './journal.ts';
import {
  burntBeside,
  isAnswered,
  type Known,
  type Ledger,
  mayComeAgain,
  NO_DELTA,
  newLedger,
} from './ledger.ts';
import {
  RULE_RETRY_SECONDS,
  RULES_PER_TURN_MAX,
  TURNS_WAITING_MAX,
  UNPROVEN_MAX,
  UNSETTLED_MAX,
  WRITE_RETRY_SECONDS,
} from './limits.ts';
import { Performer } from './performer.ts';
import { type About, type OperationResult, Results } from './results.ts';
import { initialState, isSilent, isWithheld, type MeterState, withInstallation } from './state.ts';
import type { Hardware, Notice, Step } from './step.ts';
import { type MeterView, viewAt } from './view.ts';

export type { OperationResult } from './results.ts';

export interface OperationsOptions {
  /** The device's own: the journal lies in it as `operations`. */
  readonly directory: string;
  readonly installation: Installation;
  readonly hardware: Hardware;
  /** Who may be believed at this moment: asked with each command. */
  readonly trust: Trust;
  /** Whether the clock was ever set, and what it is never set back beyond (epoch seconds). */
  readonly clock?: () => { readonly set: boolean; readonly floor: number };
  readonly onNotice?: (notice: Notice) => void;
  readonly nowMs: number;
  /** Whether the customer port is open as the meter leaves the van; afterwards `p1.set` says. */
  readonly port?: boolean;
  readonly files?: OutboxFiles;
  /** The folder is this process's already: it holds the lock of the outbox that lies in it. */
  readonly locked?: boolean;
  /** Whether anything could be read of these channels now; taken to be so unless told. */
  readonly readable?: (channels: readonly number[]) => boolean;
}

/** Why a message is not answered. */
export type Unanswered =
  /** Nobody proved to have signed it, and there is no id, or one that is known, or there were too many. */
  | 'unproven'
  /** The disk took nothing, and what it will say after a restart is not certain: `results` has it once it is. */
  | 'uncertain';

type Answer =
  | { readonly answered: true; readonly result: OperationResult }
  | { readonly answered: false; readonly why: Unanswered; readonly code: ResultCode | null };

/** `type` is null where nobody proved to have signed it. */
export type Receipt = Answer & { readonly type: CommandType | null };

/**
 * A meter under commands: what comes in takes its turn, is judged, lies on the disk before it is done, and its
 * result is there until it was received. One per device.
 */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #lock: Lock | null;
  readonly #journal: Journal;
  readonly #performer: Performer;
  readonly #results: Results;
  #installation: Installation;
  #ruleRetryAt = 0;
  #writeRetryAt = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  private constructor(options: OperationsOptions, lock: Lock | null, journal: Journal) {
    this.#options = options;
    this.#installation = options.installation;
    this.#lock = lock;
    this.#journal = journal;
    this.#performer = new Performer(journal, options.hardware);
    this.#results = new Results(journal, options.installation.device);
  }

  /** @throws ERR_OUTBOX_LOCKED while another process has it; ERR_JOURNAL_READ, _FORMAT, _DAMAGED */
  static async open(options: OperationsOptions): Promise<Operations> {
    const { directory, installation, files = nodeFiles, port = true } = options;
    const path = join(directory, 'operations');
    const lock = options.locked === true ? null : takeLock(`${path}.lock`);
    try {
      const fresh = (): Ledger => newLedger(initialState(installation, { port }));
      const journal = await Journal.open({ path, device: installation.device, files, fresh });
      journal.pass(withInstallation(journal.ledger.state, installation));
      const operations = new Operations(options, lock, journal);
      await operations.#performer.recover(secondsOf(options.nowMs));
      await operations.#testAgain(secondsOf(options.nowMs));
      await operations.#applyRules(secondsOf(options.nowMs));
      return operations;
    } catch (error) {
      lock?.release();
      throw error;
    }
  }

  /** What came by the device's topic of commands, opened. It never throws for what a sender did. */
  receive(opened: Opened, nowMs: number): Promise<Receipt> {
    return this.#inTurn(async () => {
      const receipt = await this.#receive(opened, nowMs);
      await this.#applyRules(secondsOf(nowMs));
      return receipt;
    });
  }

  /** People, load and power at the meter. @returns whether anything came of it */
  happen(event: MeterEvent, nowMs: number): Promise<boolean> {
    return this.#inTurn(async () => {
      const now = secondsOf(nowMs);
      const step = happen(this.state, event, { now, installation: this.#installation });
      const isDone = step !== undefined && (await this.#local(step, now));
      await this.#applyRules(now);
      return isDone;
    });
  }

  /** Power is back: breakers stay as they are, gas comes back after its leak test. */
  async powerRestored(nowMs: number): Promise<void> {
    for (const { channel } of this.state.valves)
      await this.happen({ kind: 'power-restored', channel }, nowMs);
  }

  /** What time alone brings; every second or so. */
  tick(nowMs: number): Promise<void> {
    return this.#inTurn(async () => {
      const now = secondsOf(nowMs);
      if (this.#journal.suspect && isOver(this.#writeRetryAt, now, WRITE_RETRY_SECONDS)) {
        this.#writeRetryAt = now + WRITE_RETRY_SECONDS;
        await this.#isReady();
      }
      await this.#applyRules(now);
    });
  }

  /**
   * What waits for a receipt, oldest first; nothing in airplane mode. Nothing is said that no disk holds: while the
   * journal cannot be written, only failures that changed nothing.
   */
  results(): readonly OperationResult[] {
    return this.silent ? [] : this.#results.list();
  }

  /** The receipt for a result is there. An id of no result changes nothing. */
  settled(id: CommandId): Promise<void> {
    return this.#inTurn(() => this.#results.settled(id));
  }

  /** Meters were installed or taken away, or a calendar changed. */
  install(installation: Installation): Promise<void> {
    return this.#inTurn(async () => {
      this.#installation = installation;
      const state = withInstallation(this.state, installation);
      if (state !== this.state) this.#journal.pass(state);
    });
  }

  get state(): MeterState {
    return this.#journal.ledger.state;
  }

  view(nowMs: number): MeterView {
    return viewAt(this.state, secondsOf(nowMs));
  }

  /**
   * In airplane mode, which was acknowledged: nothing may be sent. Between the command and its receipt nothing but
   * results may.
   */
  get silent(): boolean {
    return isSilent(this.state);
  }

  /** Whether a profile must not say anything about a time, or a second: some of it is of airplane mode. */
  withheld(fromSeconds: number, toSeconds = fromSeconds + 1): boolean {
    return isWithheld(this.state, fromSeconds, toSeconds);
  }

  /** The sequence of the report that the home tenant is owed; null where there is none, or it may not be sent now. */
  get reportOwed(): number | null {
    const { report, state } = this.#journal.ledger;
    return state.airplane === null && !this.#journal.suspect ? report : null;
  }

  /** The receipt for a report is there. One that a newer has replaced changes nothing. */
  reported(sequence: number): Promise<void> {
    return this.#inTurn(() => this.#results.reported(sequence));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#turn;
    this.#lock?.release();
  }

  async #receive(opened: Opened, nowMs: number): Promise<Receipt> {
    const proof = prove(opened, this.#installation, this.#options.trust);
    if (!proof.proven) return { ...(await this.#refuseUnproven(proof, opened.tenant, nowMs)), type: null };
    return { ...(await this.#obey(proof, nowMs)), type: proof.command.type };
  }

  async #obey({ command, signer }: Extract<Proof, { proven: true }>, nowMs: number): Promise<Answer> {
    const known = this.#find(command.id);
    if (known !== undefined && isAnswered(known)) {
      if (!(await this.#isReady())) return silence('uncertain', null);
      this.#results.repeat(known);
      return this.#answer(known);
    }
    const about = { id: command.id, tenant: command.tenant };
    if (this.#journal.ledger.known.filter(({ standing }) => standing === 'open').length >= UNSETTLED_MAX)
      return this.#pass(this.#results.entry(about, 'busy', nowMs));
    if (!(await this.#isReady())) return silence('uncertain', null);
    const judgement = judge(command, signer, this.#journal.ledger, this.#moment(nowMs));
    if ('code' in judgement) {
      const { code, counter, burns } = judgement;
      if (burns) return await this.#burn(about, code, nowMs);
      const entry = this.#results.entry(about, code, nowMs);
      return await this.#commit({ ...NO_DELTA, known: entry, counter }, entry);
    }
    const { take, counter } = judgement;
    if (take.reads !== null && this.#options.readable?.(take.reads.channels) === false)
      return this.#pass(this.#results.entry(about, 'channel', nowMs));
    const entry = { ...this.#results.entry(about, null, nowMs), reads: take.reads };
    const done = await this.#performer.execute(take, entry, counter, command.expiry);
    if (done === undefined) return silence('uncertain', null);
    if (done.code === null) this.#tell(take.notices);
    return done.code === 'storage' ? this.#pass(done) : this.#answer(done);
  }

  /** A forgery of what is known changes nothing of it; without an id there is nothing to answer for. */
  async #refuseUnproven(
    { code, id }: Extract<Proof, { proven: false }>,
    tenant: TenantId,
    nowMs: number,
  ): Promise<Answer> {
    if (id === undefined || this.#find(id) !== undefined) return silence('unproven', code);
    if (!(await this.#isReady())) return silence('uncertain', code);
    return await this.#burn({ id, tenant }, code, nowMs);
  }

  /**
   * A refusal is final: an id that was refused is never executed, or whoever carries a command could have it refused
   * first and executed then. Where no counter sees to that the id is kept, and where it cannot be there is no answer.
   */
  async #burn(about: About, code: ResultCode, nowMs: number): Promise<Answer> {
    const entry = { ...this.#results.entry(about, code, nowMs), standing: 'unproven' as const };
    if (burntBeside(this.#journal.ledger, entry) >= UNPROVEN_MAX) return silence('unproven', code);
    return await this.#commit({ ...NO_DELTA, known: entry }, entry);
  }

  async #commit(delta: Parameters<Journal['commit']>[0], entry: Known): Promise<Answer> {
    try {
      await this.#journal.commit(delta);
      return this.#answer(entry);
    } catch (error) {
      if (!isHesError(error, 'ERR_JOURNAL_WRITE')) throw error;
      if (this.#journal.suspect || entry.standing === 'unproven') return silence('uncertain', entry.code);
      return this.#pass({ ...entry, code: 'storage' });
    }
  }

  async #isReady(): Promise<boolean> {
    try {
      await this.#journal.ready();
      return true;
    } catch (error) {
      if (!isHesError(error, 'ERR_JOURNAL_WRITE')) throw error;
      return false;
    }
  }

  async #local(step: Step, now: number): Promise<boolean> {
    const isDone = await this.#performer.local(step, now);
    this.#tell(isDone ? step.notices : ['hardware']);
    return isDone;
  }

  /** A leak test whose end the process before this one did not live to hear. */
  async #testAgain(now: number): Promise<void> {
    for (const { channel, testing } of this.state.valves) {
      if (!testing) continue;
      const where = { now, installation: this.#installation };
      const step = happen(this.state, { kind: 'power-restored', channel }, where);
      if (step !== undefined) await this.#local(step, now);
    }
  }

  async #applyRules(now: number): Promise<void> {
    if (!isOver(this.#ruleRetryAt, now, RULE_RETRY_SECONDS)) return;
    for (let count = 0; count < RULES_PER_TURN_MAX; count++) {
      const step = rule(this.state, { now, installation: this.#installation });
      if (step === undefined) return;
      if (await this.#local(step, now)) continue;
      this.#ruleRetryAt = now + RULE_RETRY_SECONDS;
      return;
    }
  }

  #moment(nowMs: number): Moment {
    const { set, floor } = this.#options.clock?.() ?? { set: true, floor: 0 };
    return {
      now: secondsOf(nowMs),
      installation: this.#installation,
      clockSet: set,
      clockFloor: floor,
    };
  }

  #find(id: CommandId): Known | undefined {
    return this.#journal.ledger.known.find((entry) => entry.id === id);
  }

  #pass(entry: Known): Answer {
    this.#results.pass(entry);
    return this.#answer(entry);
  }

  #answer(entry: Known): Answer {
    if (!mayComeAgain(entry.code)) this.#results.end(entry);
    return { answered: true, result: this.#results.of(entry) };
  }

  #tell(notices: readonly Notice[]): void {
    for (const notice of notices) this.#options.onNotice?.(notice);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) return Promise.reject(new HesError('ERR_OPERATIONS_CLOSED', 'used after close()'));
    if (this.#waiting >= TURNS_WAITING_MAX)
      return Promise.reject(
        new HesError('ERR_OPERATIONS_BUSY', 'too much waits for the meter already', {
          context: { waitingMax: TURNS_WAITING_MAX },
        }),
      );
    this.#waiting++;
    const turn = this.#turn.then(work).finally(() => {
      this.#waiting--;
    });
    this.#turn = turn.catch(() => {});
    return turn;
  }
}

const silence = (why: Unanswered, code: ResultCode | null): Answer => ({ answered: false, why, code });

/** Whether a wait is over; one longer than it can be comes of a clock that was set back. */
const isOver = (at: number, now: number, longest: number): boolean => at <= now || at - now > longest;

const secondsOf = (nowMs: number): number => Math.max(0, Math.floor(nowMs / 1_000));
