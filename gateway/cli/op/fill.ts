import type { ArgumentInfo } from '../../../protocol/command/argument.ts';
import { argumentsFromText } from '../../../protocol/command/complete.ts';
import { presetWindows } from '../../../protocol/command/presets.ts';
import { type ArgumentsOf, type CommandType, rowOf } from '../../../protocol/command/table.ts';
import { PLANS, type Plan } from '../../../protocol/command/tariff.ts';
import { windowsToText } from '../../../protocol/command/tariff-text.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import { localDay } from '../../desk/time.ts';
import { clientError } from '../desk-client/errors.ts';
import { usage } from '../errors.ts';

/**
 * What a terminal fills in where nothing is said: what is meant is plain to people and not to a meter. It is shown
 * before it is signed, like everything else.
 */

export type Texts = Readonly<Record<string, string>>;

export interface Circumstances {
  readonly tenant: TenantId;
  readonly nowMs: number;
}

interface Filler {
  readonly option: string;
  /** For the help. */
  readonly says: string;
  /** Undefined where it cannot be known: then it has to be said. */
  fill(said: Texts, circumstances: Circumstances): string | undefined;
}

/** Whoever gets a message reads it within a week, or not at all. */
const MESSAGE_SHOWN_MS = 7 * 86_400_000;

const isoSecond = (epochMs: number): string =>
  new Date(Math.floor(epochMs / 1_000) * 1_000).toISOString().replace('.000Z', 'Z');
const now: Filler['fill'] = (_, { nowMs }) => isoSecond(nowMs);

const FILLERS: Readonly<Partial<Record<CommandType, readonly Filler[]>>> = {
  'tariff.set': [
    { option: 'from', says: 'today', fill: (_, { nowMs }) => localDay(nowMs / 1_000) },
    { option: 'windows', says: 'those of the region of the tenant on that day', fill: regionalWindows },
  ],
  'prepayment.balance': [{ option: 'as-of', says: 'now', fill: now }],
  'display.message': [
    { option: 'until', says: 'in a week', fill: (_, { nowMs }) => isoSecond(nowMs + MESSAGE_SHOWN_MS) },
  ],
  'clock.sync': [{ option: 'time', says: 'now', fill: now }],
};

function regionalWindows({ plan, from }: Texts, { tenant }: Circumstances): string | undefined {
  if (plan === undefined || from === undefined || !Object.hasOwn(PLANS, plan)) return undefined;
  // One rate has no windows, whatever the region.
  if (plan === 'mono') return 'none';
  const windows = presetWindows(tenant, plan as Plan, from);
  if (windows !== undefined) return windowsToText(windows);
  throw clientError(
    'ERR_OP_PRESET',
    `the region of ${tenant} has no plan ${plan} on ${from}: say its windows with --windows`,
  );
}

/** The words that an argument may be, where it is a word of a table. */
export const choicesOf = ({ schema }: Pick<ArgumentInfo, 'schema'>): readonly string[] | undefined =>
  (schema as { readonly enum?: readonly string[] }).enum;

/** What an option has where it is left out, as its help says it; undefined where it must be said. */
export function fallbackText(type: CommandType, option: string): string | undefined {
  const filler = FILLERS[type]?.find((one) => one.option === option);
  if (filler !== undefined) return filler.says;
  const info = Object.values(rowOf(type).arguments).find((one) => one.option === option);
  return info?.fallback === undefined ? undefined : info.toText(info.fallback);
}

/**
 * The arguments of a command out of what was said.
 * @throws ERR_USAGE naming the option that is missing; ERR_OP_PRESET; what `argumentsFromText` throws
 */
export function argumentsOfTexts<T extends CommandType>(
  type: T,
  said: Texts,
  circumstances: Circumstances,
): ArgumentsOf<T> {
  const texts: Record<string, string> = { ...said };
  for (const { option, fill } of FILLERS[type] ?? []) {
    const filled = texts[option] ?? fill(texts, circumstances);
    if (filled !== undefined) texts[option] = filled;
  }
  for (const info of Object.values(rowOf(type).arguments)) {
    const { option, says, fallback } = info;
    if (fallback !== undefined || texts[option] !== undefined) continue;
    const choices = choicesOf(info)?.join(', ');
    throw usage(`${type} needs --${option}: ${says}${choices === undefined ? '' : ` (${choices})`}`);
  }
  return argumentsFromText(type, texts);
}
