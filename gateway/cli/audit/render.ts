import type { AuditRow } from '../../desk/audit/row.ts';
import type { UsageView } from './audit.ts';

/** Audit rows and usage for people. */

const line = (cells: readonly string[], widths: readonly number[]): string =>
  `${cells
    .map((cell, at) => cell.padEnd(widths[at] ?? 0))
    .join('  ')
    .trimEnd()}\n`;

const AUDIT_WIDTHS = [7, 24, 22, 22, 16, 32, 21, 0] as const;

export const auditHead = (): string =>
  line(['row', 'time', 'event', 'by', 'device', 'command', 'type', 'why'], AUDIT_WIDTHS);

export function auditLine(row: AuditRow): string {
  const { n, atMs, event, actor, device, command, type, code, reason } = row;
  const by = actor.name === null ? actor.kind : `${actor.name} (${actor.role ?? actor.kind})`;
  const why = [code, reason].filter((part) => part !== null).join(': ');
  const cells = [String(n), new Date(atMs).toISOString(), event, by];
  return line([...cells, device ?? '-', command ?? '-', type ?? '-', why], AUDIT_WIDTHS);
}

const USAGE_WIDTHS = [11, 22, 24, 12, 0] as const;

export const usageHead = (): string => line(['period', 'event', 'type', 'role', 'count'], USAGE_WIDTHS);

export const usageLine = ({ period, event, type, role, count }: UsageView): string =>
  line([period, event, type ?? '-', role ?? '-', String(count)], USAGE_WIDTHS);
