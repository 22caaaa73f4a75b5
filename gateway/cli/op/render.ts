import { RESULT_CODES, type ResultCode } from '../../../protocol/command/codes.ts';
import { isStoredState, STATES } from '../../desk/lifecycle/states.ts';
import type { CommandView } from '../desk-client/views.ts';

/** Commands for people. */

/** What a state means, and why it is so. */
export function stateLine(view: Refusal & Pick<CommandView, 'state'>): string {
  const { state, code } = view;
  const says =
    state === 'refused'
      ? refusedBy(view)
      : isStoredState(state)
        ? STATES[state].says
        : 'is of a state that this program does not know';
  const why = code === null ? '' : ` (${code}: it ${codeSays(code)})`;
  return `${state}: the command ${says}${why}`;
}

type Refusal = Pick<CommandView, 'code' | 'attempts' | 'refusedBy'>;

/** For what a desk looks at before it sends; the meter looks at it again, and gives the same codes. */
const GUARDED = ['airplane', 'arguments', 'prepaid', 'protected'] satisfies readonly ResultCode[];

const BY_DESK = 'was refused by a guard of the desk';
const BY_METER = 'was refused by the meter';

/**
 * By whom, as the desk says. One of before says nothing: then, what was never sent, no meter can have refused, and for
 * most reasons a desk refuses nothing that waits.
 */
function refusedBy({ code, attempts, refusedBy: said }: Refusal): string {
  if (said === 'device') return BY_METER;
  if (attempts === 0) return `${BY_DESK}, and never sent`;
  if (said === 'desk') return `${BY_DESK}, before it was sent again`;
  if (code !== null && !(GUARDED as readonly string[]).includes(code)) return BY_METER;
  return STATES.refused.says;
}

const codeSays = (code: string): string =>
  Object.hasOwn(RESULT_CODES, code) ? RESULT_CODES[code as ResultCode].says : 'says no more';

/** What to do next, where somebody has to. */
export function nextStep({ id, state }: Pick<CommandView, 'id' | 'state'>): string {
  if (state === 'awaiting-approval') return `Another person approves it: hes op approve ${id}\n`;
  if (state === 'quarantined') return `An approver looks at it and lets it go: hes op release ${id}\n`;
  return '';
}

/** After a proposal, an approval and the like. */
export function doneText(view: CommandView): string {
  return `${view.id}  ${view.type}  ${view.device}\n${stateLine(view)}\n${nextStep(view)}`;
}

const COLUMNS = ['id', 'device', 'type', 'state', 'by', 'proposed'] as const;

export const listHead = (): string => rowLine(COLUMNS);

export function listLine(view: CommandView): string {
  const { id, device, type, state, code, person, approver, proposedAt } = view;
  const by = approver === null ? person : `${person}+${approver}`;
  return rowLine([id, device, type, code === null ? state : `${state} (${code})`, by, proposedAt]);
}

const WIDTHS = [32, 16, 21, 22, 20, 0] as const;

const rowLine = (cells: readonly string[]): string =>
  `${cells
    .map((cell, at) => cell.padEnd(WIDTHS[at] ?? 0))
    .join('  ')
    .trimEnd()}\n`;

/** `hes op watch`: a line for each change. */
export function watchLine(view: CommandView): string {
  const { id, device, type, state, code, changedAt } = view;
  return `${changedAt}  ${id}  ${device}  ${type}  ${state}${code === null ? '' : ` (${code})`}\n`;
}
