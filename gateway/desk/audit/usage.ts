import type { Role } from '../../../protocol/command/roles.ts';
import type { CommandType } from '../../../protocol/command/table.ts';
import { localDate } from '../time.ts';
import type { AuditEvent } from './row.ts';

/**
 * How much the desk is used, in numbers that name nobody: by local day, ISO week and month, each kept for as long as
 * the operators keep theirs.
 */
export const USAGE_KEPT = { day: 31, week: 20, month: 20 } as const;
export type UsageKind = keyof typeof USAGE_KEPT;
export const USAGE_KINDS = Object.keys(USAGE_KEPT) as readonly UsageKind[];

export interface Usage {
  readonly kind: UsageKind;
  /** `2026-11-24`, `2026-W48` or `2026-11`: in the order of time as texts. */
  readonly period: string;
  readonly event: AuditEvent;
  readonly type: CommandType | null;
  readonly role: Role | null;
  readonly count: number;
}

const two = (value: number): string => String(value).padStart(2, '0');

const NAME: Readonly<Record<UsageKind, (date: Temporal.PlainDate) => string>> = {
  day: (date) => date.toString(),
  // ISO 8601: a week belongs to the year of its Thursday.
  week: (date) => `${date.yearOfWeek}-W${two(date.weekOfYear ?? 0)}`,
  month: (date) => `${date.year}-${two(date.month)}`,
};

let known:
  | { readonly date: Temporal.PlainDate; readonly names: Readonly<Record<UsageKind, string>> }
  | undefined;

/** The period of each kind in which a moment lies. It is asked for every row, and a day has many. */
export function periodsAt(epochSeconds: number): Readonly<Record<UsageKind, string>> {
  const date = localDate(epochSeconds);
  if (known?.date !== date)
    known = { date, names: { day: NAME.day(date), week: NAME.week(date), month: NAME.month(date) } };
  return known.names;
}

/** The oldest period of each kind that is still kept: the running one counts. */
export function oldestKeptAt(epochSeconds: number): Readonly<Record<UsageKind, string>> {
  const date = localDate(epochSeconds);
  return {
    day: NAME.day(date.subtract({ days: USAGE_KEPT.day - 1 })),
    week: NAME.week(date.subtract({ weeks: USAGE_KEPT.week - 1 })),
    // From the first: the 31st less a month would be the end of it.
    month: NAME.month(date.with({ day: 1 }).subtract({ months: USAGE_KEPT.month - 1 })),
  };
}
