import { InvalidArgumentError } from 'commander';
import { parseCommandType } from '../../../protocol/command/complete.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import type { TenantId } from '../../../protocol/identity.ts';
import {
  ERROR_LIMIT_DEFAULT_PERMILLE,
  WAVE_SECONDS_DEFAULT,
  WAVE_SECONDS_MAX,
  WAVES_DEFAULT,
  WAVES_MAX,
} from '../../desk/campaigns/limits.ts';
import type { DeskFlags } from '../desk-client/flags.ts';
import { usage } from '../errors.ts';
import { CLOCKS_APART_SECONDS } from '../op/draft.ts';
import type { Wanted } from './lines.ts';
import { ALL_STANDINGS, STANDINGS, type Standing } from './standing.ts';

/** What was said on the command line about a campaign. */

export interface CampaignFlags extends DeskFlags {
  readonly type?: string;
  readonly set?: readonly string[];
  readonly reason?: string;
  /** Epoch seconds, and a span of them. */
  readonly notBefore?: number;
  readonly validFor?: number;
  readonly json?: boolean;
}

export interface WaveFlags {
  readonly waves?: readonly number[];
  readonly errorLimit?: number;
  readonly waveTime?: number;
}

/** How a campaign goes, beside its commands. */
export interface Course {
  readonly waves: readonly number[];
  readonly errorLimitPermille: number;
  readonly waveSeconds: number;
}

/** @throws ERR_USAGE, ERR_COMMAND_TYPE */
export function wantedOf(flags: CampaignFlags, tenant: TenantId, nowMs: number): Wanted {
  if (flags.type === undefined) throw usage('say what the campaign does: --type tariff.set, for example');
  const type = parseCommandType(flags.type);
  const notBefore = flags.notBefore ?? Math.floor(nowMs / 1_000) - CLOCKS_APART_SECONDS;
  const expiry = notBefore + (flags.validFor ?? rowOf(type).expirySeconds);
  if (expiry - notBefore > rowOf(type).expirySecondsMax)
    throw usage(`--valid-for: ${type} is valid for ${rowOf(type).expirySecondsMax / 86_400} days at most`);
  return {
    type,
    tenant,
    texts: textsOf(flags.set ?? [], Object.values(rowOf(type).arguments)),
    reason: flags.reason ?? null,
    notBefore,
    expiry,
    nowMs,
  };
}

function textsOf(
  said: readonly string[],
  known: readonly { readonly option: string }[],
): Readonly<Record<string, string>> {
  const texts: Record<string, string> = {};
  for (const one of said) {
    const equals = one.indexOf('=');
    const name = one.slice(0, equals);
    if (equals < 1 || !known.some(({ option }) => option === name))
      throw usage(`--set ${name}: it is NAME=VALUE, of ${known.map(({ option }) => option).join(', ')}`);
    texts[name] = one.slice(equals + 1);
  }
  return texts;
}

export const courseOf = ({ waves, errorLimit, waveTime }: WaveFlags): Course => ({
  waves: waves ?? WAVES_DEFAULT,
  errorLimitPermille: errorLimit ?? ERROR_LIMIT_DEFAULT_PERMILLE,
  waveSeconds: waveTime ?? WAVE_SECONDS_DEFAULT,
});

/** `10,100,1000`; `all` is one wave. */
export function wavesOfText(text: string): readonly number[] {
  if (text === 'all') return [];
  const sizes = text.split(',').map(Number);
  if (sizes.length > WAVES_MAX || !sizes.every((size) => Number.isSafeInteger(size) && size > 0))
    throw new InvalidArgumentError(`It must be sizes as 10,100,1000 (${WAVES_MAX} at most), or all.`);
  return sizes;
}

/** `5`, `0.5` or `5%`, as thousandths. */
export function permilleOfText(text: string): number {
  const permille = /^\d{1,3}(\.\d)?%?$/.test(text) ? Math.round(Number.parseFloat(text) * 10) : -1;
  if (permille < 0 || permille > 1_000)
    throw new InvalidArgumentError('It must be a share of a hundred, as 5 or 0.5.');
  return permille;
}

export function waveSecondsOfText(spanSeconds: number): number {
  if (spanSeconds < 1 || spanSeconds > WAVE_SECONDS_MAX)
    throw new InvalidArgumentError(`It must be from 1s to ${WAVE_SECONDS_MAX / 86_400}d.`);
  return spanSeconds;
}

/** `airplane,unknown`, or `refused` for all that the desk would refuse. */
export function standingsOfText(text: string): ReadonlySet<Standing> {
  const said = text.split(',').flatMap((name) => {
    if (name === 'refused') return ALL_STANDINGS.filter((standing) => STANDINGS[standing].refused);
    if (name === 'ready' || !(ALL_STANDINGS as readonly string[]).includes(name))
      throw new InvalidArgumentError(
        `It must be of ${ALL_STANDINGS.filter((one) => one !== 'ready').join(', ')}, or refused.`,
      );
    return [name as Standing];
  });
  return new Set(said);
}
