import { ROLES, type Role } from '../../../protocol/command/roles.ts';
import { COMMAND_TYPES, type CommandType, rowOf } from '../../../protocol/command/table.ts';

/**
 * How many commands of one type somebody may propose in an hour before they are held for somebody else's eyes: a
 * stolen key, a script that ran wild or a wrong list shows itself by numbers.
 */
export const THRESHOLD_WINDOW_MS = 3_600_000;

export interface Threshold {
  readonly person: number;
  readonly system: number;
}
export type Thresholds = Readonly<Record<CommandType, Threshold>>;

/** A person cuts or silences meters one by one; a system works through the cases of a region. */
const CRITICAL: Threshold = { person: 20, system: 200 };
const ROUTINE: Threshold = { person: 200, system: 5_000 };
/** The largest park has 66,000 prepaid meters, told their balance in one call, and top-ups come beside it. */
const BALANCES: Threshold = { person: 200, system: 200_000 };

export const THRESHOLDS: Thresholds = Object.fromEntries(
  COMMAND_TYPES.map((type) => [
    type,
    type === 'prepayment.balance' ? BALANCES : rowOf(type).critical ? CRITICAL : ROUTINE,
  ]),
) as Record<CommandType, Threshold>;

/**
 * Whether one more is held.
 * @param proposed how many of the type the same person or system proposed in the window before, held ones too
 */
export function isHeld(
  thresholds: Thresholds,
  { type, role }: { readonly type: CommandType; readonly role: Role },
  proposed: number,
): boolean {
  return proposed >= thresholds[type][ROLES[role].kind];
}
