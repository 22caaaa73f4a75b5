import type { DeviceId } from '../../protocol/identity.ts';

/**
 * What the simulated prepayment platform counts: nothing here is the gateway's, and nothing of it is real. The rules
 * are those that ORES and Resa publish for prepayment.
 */
export const PREPAYMENT_RULES = {
  startCreditCents: 2_000,
  repaidADayCents: 100,
  alertCents: 500,
  emergencyCents: 1_500,
  topUpMinCents: 500,
  topUpMaxCents: 25_000,
  armAboveCents: 50,
} as const;

/** The reference of a top-up is the end of the EAN. */
const REFERENCE_DIGITS = 13;

export interface Account {
  readonly device: DeviceId;
  readonly medium: 'electricity' | 'gas';
  /** What a customer gives at the counter. */
  readonly reference: string;
  balanceCents: number;
  /** What is left of the start credit, paid back day by day. */
  owedCents: number;
  /** Whoever has a power limiter is not cut. */
  limited: boolean;
  /** As far as results say: `cutting` and `arming` from the order to its result. */
  supply: 'on' | 'cutting' | 'cut' | 'arming';
  /** What the meter is known to show: the balance of the last result. */
  shownCents: number | null;
  /** Which message the meter was last told to show. */
  warning: Warning;
}

/** What the customer reads on the meter and at his port; the meter's own symbols say it too. */
export const WARNINGS = {
  none: '',
  low: 'Crédit bas : rechargez à partir de 5 €',
  emergency: 'Crédit de secours : à -15 € la fourniture est coupée',
} as const;
export type Warning = keyof typeof WARNINGS;

export function warningOf({ shownCents }: Account): Warning {
  if (shownCents === null || shownCents > PREPAYMENT_RULES.alertCents) return 'none';
  return shownCents < 0 ? 'emergency' : 'low';
}

export function openAccount(about: {
  readonly device: DeviceId;
  readonly ean: string;
  readonly medium: Account['medium'];
  readonly limited?: boolean;
}): Account {
  const { device, ean, medium, limited = false } = about;
  const { startCreditCents } = PREPAYMENT_RULES;
  return {
    device,
    medium,
    reference: ean.slice(-REFERENCE_DIGITS),
    balanceCents: startCreditCents,
    owedCents: startCreditCents,
    limited,
    supply: 'on',
    shownCents: null,
    warning: 'none',
  };
}

/** A day's repayment and what was used that day. */
export function closeDay(account: Account, usedCents: number): void {
  const repaidCents = Math.min(PREPAYMENT_RULES.repaidADayCents, account.owedCents);
  account.owedCents -= repaidCents;
  account.balanceCents -= repaidCents + usedCents;
}

/** @throws where the amount is none that may be bought */
export function topUp(account: Account, cents: number): void {
  const { topUpMinCents, topUpMaxCents } = PREPAYMENT_RULES;
  if (!Number.isInteger(cents) || cents < topUpMinCents || cents > topUpMaxCents)
    throw new RangeError('top-ups are of 5 to 250 €');
  account.balanceCents += cents;
}

/** Whether the balance that the meter shows is one to cut for: at the end of the emergency credit. */
export const isToBeCut = ({ supply, limited, shownCents }: Account): boolean =>
  supply === 'on' && !limited && shownCents !== null && shownCents <= -PREPAYMENT_RULES.emergencyCents;

export const isToBeArmed = ({ supply, shownCents }: Account): boolean =>
  supply === 'cut' && shownCents !== null && shownCents > PREPAYMENT_RULES.armAboveCents;
