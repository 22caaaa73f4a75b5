import type { Clock } from '../../gateway/runtime/clock.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import {
  type Account,
  closeDay,
  isToBeArmed,
  isToBeCut,
  PREPAYMENT_RULES,
  topUp,
  WARNINGS,
  warningOf,
} from './marco-accounts.ts';
import type { Answer, DeskFace, Hand } from './marco-desk.ts';

/**
 * A SIMULATED prepayment platform with its link, MARCO: accounts in memory, no payments, nobody's data. It speaks to a
 * desk as the system `marco` does, and keeps the order that the meter asks for (ADR 0166): the balance first, its
 * result awaited, and only then an order to cut, which a person signs too.
 */

export interface PlatformOptions {
  readonly accounts: readonly Account[];
  readonly desk: DeskFace;
  readonly hand: Hand;
  readonly clock: Clock;
  /** The platform's calendar of the non-disconnection period; the desk and the meter have their own. */
  readonly isProtected: (epochSeconds: number) => boolean;
  /** Told of what it could not do, by the desk's or the meter's word. */
  readonly onRefused?: (what: string) => void;
}

/** What was asked of a meter and is not known to be done. */
type Pending =
  | { readonly kind: 'balance'; readonly account: Account; readonly cents: number }
  | { readonly kind: 'cut' | 'arm' | 'message'; readonly account: Account };

const OPEN_STATES = new Set(['awaiting-approval', 'quarantined', 'queued', 'sent']);
const WARNING_SECONDS = 30 * 86_400;
/** A balance of this moment could be of a clock that is ahead of the meter's. */
const AS_OF_BEFORE_SECONDS = 30;

export class PrepaymentPlatform {
  readonly #options: PlatformOptions;
  readonly #pending = new Map<CommandId, Pending>();

  constructor(options: PlatformOptions) {
    this.#options = options;
  }

  /** Puts each account's meter into prepayment. @returns commands that wait for a second signature */
  async activate(): Promise<readonly CommandId[]> {
    const { accounts, desk, hand } = this.#options;
    const { startCreditCents, alertCents, emergencyCents } = PREPAYMENT_RULES;
    const credit = {
      startCreditCents,
      lowCreditAlertCents: alertCents,
      emergencyCreditCents: emergencyCents,
    };
    const proposals = accounts.map(({ device }) =>
      hand.propose(device, 'prepayment.activate', credit, 'prepayment was agreed'),
    );
    this.#refusals(await desk.bulk(proposals));
    return proposals.map(({ id }) => id);
  }

  /** Closes a day of all accounts and tells every meter its balance, the whole park in one call. */
  async closeDay(usedCents: (device: DeviceId) => number): Promise<void> {
    const { accounts, desk, hand } = this.#options;
    for (const account of accounts) closeDay(account, usedCents(account.device));
    const proposals = accounts.map((account) => this.#balance(account, hand, null));
    const answers = await desk.bulk(proposals.map(({ proposal }) => proposal));
    this.#refusals(answers);
    answers.forEach((answer, at) => {
      const { account, cents, proposal } = proposals[at]!;
      if (!('refused' in answer)) this.#pending.set(proposal.id, { kind: 'balance', account, cents });
    });
  }

  /** A customer pays at a counter: his meter is told at once. */
  async topUp(reference: string, cents: number): Promise<void> {
    const account = this.#options.accounts.find((candidate) => candidate.reference === reference);
    if (account === undefined) throw new Error('no account has this reference');
    topUp(account, cents);
    const { proposal } = this.#balance(account, this.#options.hand, cents);
    await this.#options.desk.propose(proposal);
    this.#pending.set(proposal.id, { kind: 'balance', account, cents: account.balanceCents });
  }

  /** What has become of what was asked for. @returns whether nothing is open any more */
  async follow(): Promise<boolean> {
    for (const [id, pending] of this.#pending) {
      const { state, code } = await this.#options.desk.show(id);
      if (OPEN_STATES.has(state)) continue;
      this.#pending.delete(id);
      const isDone = state === 'executed';
      if (!isDone) this.#options.onRefused?.(`${pending.kind} ${state} ${code ?? ''}`.trim());
      this.#settle(pending, isDone);
    }
    return this.#pending.size === 0;
  }

  /**
   * Orders by what the meters are known to show. A meter whose newest balance has no result yet is left alone.
   * @returns cuts, which wait for a person's signature
   */
  async order(): Promise<readonly CommandId[]> {
    const { accounts, clock, isProtected } = this.#options;
    const now = Math.floor(clock.nowMs() / 1_000);
    const waiting = new Set([...this.#pending.values()].map(({ account }) => account));
    const cuts: CommandId[] = [];
    for (const account of accounts) {
      if (waiting.has(account)) continue;
      await this.#warn(account);
      if (isToBeArmed(account)) await this.#ask(account, 'arm');
      if (isToBeCut(account) && !isProtected(now)) {
        const id = await this.#ask(account, 'cut');
        if (id !== undefined) cuts.push(id);
      }
    }
    return cuts;
  }

  /** What the customer reads beside the balance, once for each step down or up. */
  async #warn(account: Account): Promise<void> {
    const { desk, hand, clock, onRefused } = this.#options;
    const warning = warningOf(account);
    if (warning === account.warning) return;
    account.warning = warning;
    const until = Math.floor(clock.nowMs() / 1_000) + WARNING_SECONDS;
    const proposal = hand.propose(account.device, 'display.message', { text: WARNINGS[warning], until });
    const [answer] = await desk.bulk([proposal]);
    if (answer === undefined || 'refused' in answer)
      onRefused?.(`message ${answer?.refused ?? 'unanswered'}`);
    else this.#pending.set(proposal.id, { kind: 'message', account });
  }

  #balance(account: Account, hand: Hand, topUpCents: number | null) {
    const asOf = Math.floor(this.#options.clock.nowMs() / 1_000) - AS_OF_BEFORE_SECONDS;
    const cents = account.balanceCents;
    const args = { balanceCents: cents, asOf, topUpCents };
    return { account, cents, proposal: hand.propose(account.device, 'prepayment.balance', args) };
  }

  async #ask(account: Account, kind: 'cut' | 'arm'): Promise<CommandId | undefined> {
    const { desk, hand, onRefused } = this.#options;
    const { device, medium } = account;
    const cause = 'credit';
    const reason = kind === 'cut' ? 'the emergency credit is used up' : null;
    const proposal =
      medium === 'electricity'
        ? hand.propose(device, kind === 'cut' ? 'breaker.open' : 'breaker.arm', { cause }, reason)
        : hand.propose(device, kind === 'cut' ? 'valve.close' : 'valve.arm', { channel: 0, cause }, reason);
    const [answer] = await desk.bulk([proposal]);
    if (answer === undefined || 'refused' in answer) {
      onRefused?.(`${kind} ${answer?.refused ?? 'unanswered'}`);
      return undefined;
    }
    account.supply = kind === 'cut' ? 'cutting' : 'arming';
    this.#pending.set(proposal.id, { kind, account });
    return proposal.id;
  }

  #settle(pending: Pending, isDone: boolean): void {
    const { account } = pending;
    if (pending.kind === 'balance') {
      if (isDone) account.shownCents = pending.cents;
      return;
    }
    if (pending.kind === 'message') return;
    const isCut = pending.kind === 'cut' ? isDone : !isDone;
    account.supply = isCut ? 'cut' : 'on';
  }

  #refusals(answers: readonly Answer[]): void {
    for (const answer of answers)
      if ('refused' in answer) this.#options.onRefused?.(`bulk ${answer.refused}`);
  }
}
