import { argumentsToText } from '../../../protocol/command/complete.ts';
import { rowOf } from '../../../protocol/command/table.ts';
import { waveSizes } from '../../desk/campaigns/lifecycle/rules.ts';
import { CAMPAIGN_STATES, isCampaignState } from '../../desk/campaigns/lifecycle/states.ts';
import type { Manifest } from '../../desk/campaigns/manifest.ts';
import { iso, table } from '../op/draft.ts';
import type { Fault } from './csv.ts';
import type { CampaignDraft } from './lines.ts';
import { ALL_STANDINGS, STANDINGS, type Standing } from './standing.ts';
import type { CampaignView } from './views.ts';

/** Campaigns for people. */

/** More of the same says no more: what is left is counted. */
export const FAULTS_SHOWN_MAX = 50;
/** Of different arguments; a campaign has one or a few. */
const VARIANTS_SHOWN_MAX = 12;

export function faultsText(file: string, faults: readonly Fault[]): string {
  const lines = faults
    .slice(0, FAULTS_SHOWN_MAX)
    .map(({ line, column, why }) => `${file}:${line}: ${column === null ? '' : `${column} `}${why}\n`);
  const left = faults.length - lines.length;
  if (left > 0) lines.push(`… and ${left.toLocaleString('en-US')} more\n`);
  return lines.join('');
}

export interface Variant {
  readonly text: string;
  readonly count: number;
}

/** Distinct arguments in words, by how many have them. */
export class Variants {
  readonly #counts = new Map<string, number>();
  #others = 0;

  add({ type, arguments: args }: CampaignDraft['body']): void {
    const text = argumentsToText(type, args)
      .map(({ option, text }) => `${option} ${text}`)
      .join('; ');
    const count = this.#counts.get(text);
    // Bounded: every line may have its own.
    if (count === undefined && this.#counts.size >= VARIANTS_KEPT_MAX) this.#others += 1;
    else this.#counts.set(text, (count ?? 0) + 1);
  }

  /** Those of most commands first. */
  get list(): readonly Variant[] {
    const sorted = [...this.#counts].map(([text, count]) => ({ text, count }));
    sorted.sort((a, b) => b.count - a.count);
    const shown = sorted.slice(0, VARIANTS_SHOWN_MAX);
    const left = sorted.slice(VARIANTS_SHOWN_MAX).reduce((sum, { count }) => sum + count, this.#others);
    return left === 0 ? shown : [...shown, { text: '(others)', count: left }];
  }
}

const VARIANTS_KEPT_MAX = 10_000;

const number = (value: number): string => value.toLocaleString('en-US');

export const variantsText = (variants: readonly Variant[]): string =>
  variants
    .map(({ text, count }) => `  ${number(count).padStart(9)} × ${text || '(no arguments)'}\n`)
    .join('');

export const countsOf = (standings: readonly Standing[]): Readonly<Record<Standing, number>> => {
  const counts = Object.fromEntries(ALL_STANDINGS.map((one) => [one, 0])) as Record<Standing, number>;
  for (const one of standings) counts[one] += 1;
  return counts;
};

export const standingsText = (counts: Readonly<Record<Standing, number>>): string =>
  ALL_STANDINGS.filter((one) => counts[one] > 0)
    .map((one) => `  ${number(counts[one]).padStart(9)}   ${STANDINGS[one].says}\n`)
    .join('');

/** What somebody is about to sign. */
export function manifestText(
  manifest: Pick<
    Manifest,
    | 'type'
    | 'count'
    | 'waves'
    | 'errorLimitPermille'
    | 'waveSeconds'
    | 'notBefore'
    | 'expiry'
    | 'reason'
    | 'parent'
  >,
): string {
  const { type, count, errorLimitPermille, waveSeconds, notBefore, expiry, reason, parent } = manifest;
  const lines: (readonly [string, string])[] = [
    [
      'campaign',
      `${number(count)} × ${type}${rowOf(type).critical ? ' (critical: signed by two people)' : ''}`,
    ],
    ['which', rowOf(type).says],
    ['waves', waveSizes(manifest).map(number).join(', ')],
    ['error limit', `${errorLimitPermille / 10} % of a wave, above which it stops by itself`],
    ['wave time', `${waveSeconds / 3_600} h, after which silent meters count as failed`],
    ['valid', `${iso(notBefore)} to ${iso(expiry)}`],
    ['reason', reason ?? '(none)'],
  ];
  if (parent !== null) lines.push(['repeats', parent]);
  return table(lines);
}

/** What to do next, where somebody has to. */
function nextStep({ id, state }: CampaignView): string {
  if (state === 'uploading') return 'Its upload goes on with: hes op campaign submit --resume FILE.signed\n';
  if (state === 'awaiting-approval') return `Another person approves it: hes op campaign approve ${id}\n`;
  if (state === 'halted')
    return `An approver looks at it (hes op campaign results ${id} --state failed), and lets it go on with hes op campaign resume ${id}, or stops it.\n`;
  if (state === 'paused') return `It goes on with: hes op campaign resume ${id}\n`;
  return '';
}

export function campaignText(view: CampaignView): string {
  const { id, type, state, code, person, role, approver, count, totals } = view;
  const says = isCampaignState(state) ? CAMPAIGN_STATES[state].says : 'is in a state unknown to this program';
  const lines: (readonly [string, string])[] = [
    ['id', id],
    ['campaign', `${number(count)} × ${type}`],
    ['state', `${state}: ${says}${code === null ? '' : ` (${code})`}`],
    ['submitted', `${view.createdAt} by ${person} (${role})`],
    ['approved', approver === null ? '(by nobody)' : `by ${approver}`],
    ['valid', `${view.notBefore} to ${view.expiry}`],
    ['reason', view.reason ?? '(none)'],
    ['done', number(totals.done)],
    ['failed', number(totals.failed)],
    ['skipped', number(totals.skipped)],
    ['under way', number(totals.open)],
    ['to come', number(totals.ready)],
  ];
  if (view.parent !== null) lines.push(['repeats', view.parent]);
  const waves = view.waves.map((wave, index) => {
    const { size, done, failed, skipped, open, ready } = wave;
    const mark = index === view.wave && state !== 'done' ? '>' : ' ';
    return `${mark} wave ${index + 1} of ${view.waves.length}, ${number(size)} commands: ${number(done)} done, ${number(failed)} failed, ${number(skipped)} skipped, ${number(open)} under way, ${number(ready)} to come\n`;
  });
  return `${table(lines)}${waves.join('')}${nextStep(view)}`;
}

export function campaignLine(view: CampaignView): string {
  const { id, type, state, code, count, person, approver, totals, createdAt } = view;
  const ended = totals.done + totals.failed + totals.skipped;
  const by = approver === null ? person : `${person}+${approver}`;
  const cells = [
    id,
    type.padEnd(21),
    (code === null ? state : `${state} (${code})`).padEnd(24),
    `${number(ended)}/${number(count)}`.padEnd(17),
    `${number(totals.failed)} failed`.padEnd(14),
    by.padEnd(20),
    createdAt,
  ];
  return `${cells.join('  ')}\n`;
}
