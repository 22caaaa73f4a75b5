import type { EndingView } from './ending.ts';
import type { TenantReport } from './report.ts';

/** What the terminal shows of a running head-end: counts per operator, never a reading. */
export interface View {
  readonly title: string;
  readonly tenants: ReadonlyArray<{ readonly name: string; readonly perSecond: number } & TenantReport>;
  /** Refusals by reason, of every process, since the start. */
  readonly refusals: Readonly<Record<string, number>>;
  /** Ends of commands since the start, by their state, and how many are on their way; left out without desks. */
  readonly commands?: Readonly<Record<string, number>>;
  /** Certificates and lists that somebody should renew, the first to end first. */
  readonly endings?: readonly EndingView[];
  readonly processes: { readonly up: number; readonly all: number; readonly restarts: number };
  readonly footer: string;
}

const BAR_WIDTH = 20;
const REASONS_SHOWN_MAX = 8;
const ENDINGS_SHOWN_MAX = 4;

export function renderDashboard(view: View, columns: number): string[] {
  const nameWidth = Math.max(8, ...view.tenants.map((row) => row.name.length));
  const head = `${'operator'.padEnd(nameWidth)} ${right('meters', 8)} ${'delivered today'.padEnd(BAR_WIDTH + 18)} ${right('a second', 9)} ${right('refused', 8)}`;
  const rows = view.tenants.map((row) => {
    const delivered = `${row.delivered} of ${row.expected}`;
    return `${row.name.padEnd(nameWidth)} ${right(row.meters, 8)} ${bar(row.delivered, row.expected)} ${delivered.padEnd(17)} ${right(row.perSecond.toFixed(1), 9)} ${right(row.refused, 8)}`;
  });
  const { up, all, restarts } = view.processes;
  return [
    view.title,
    '',
    head,
    ...rows,
    '',
    ...(view.commands === undefined ? [] : [`commands: ${reasons(view.commands)}`]),
    `refusals: ${reasons(view.refusals)}`,
    ...endsSoon(view.endings ?? []),
    `processes: ${up} of ${all} up, ${restarts} restarted`,
    view.footer,
  ].map((line) => line.slice(0, Math.max(20, columns - 1)));
}

function endsSoon(endings: readonly EndingView[]): readonly string[] {
  if (endings.length === 0) return [];
  const shown = endings
    .slice(0, ENDINGS_SHOWN_MAX)
    .map(({ what, daysLeft }) => `${what} (${daysLeft < 0 ? 'over' : `${daysLeft} days`})`);
  const more = endings.length - shown.length;
  return [`ends soon: ${shown.join(', ')}${more > 0 ? `, and ${more} more` : ''}`];
}

/** The one line of a bounded run. */
export function renderProgress(delivered: number, expected: number, note: string): string {
  return `${bar(delivered, expected)} ${renderCount(delivered, expected, note)}`;
}

/** The same for a log: a pipe gets no bar. */
export function renderCount(delivered: number, expected: number, note: string): string {
  return expected === 0 ? 'no day has ended yet' : `${delivered} of ${expected} indexes ${note}`;
}

function bar(part: number, whole: number): string {
  const filled = whole === 0 ? 0 : Math.floor((Math.min(part, whole) / whole) * BAR_WIDTH);
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled);
}

function right(value: string | number, width: number): string {
  return String(value).padStart(width);
}

function reasons(refusals: Readonly<Record<string, number>>): string {
  const rows = Object.entries(refusals)
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1]);
  if (rows.length === 0) return 'none';
  const shown = rows.slice(0, REASONS_SHOWN_MAX).map(([reason, count]) => `${reason} ${count}`);
  return shown.join(', ') + (rows.length > shown.length ? `, and ${rows.length - shown.length} more` : '');
}
