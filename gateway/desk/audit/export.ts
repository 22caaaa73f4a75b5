import type { AuditEvent, AuditRow } from './row.ts';

/** Audit rows for others: a line of JSON each, or RFC 5424 for a SIEM. Both hold the hash, so that heads lie elsewhere. */

/** A row as others get it, with every member, so that the chain can be verified from such rows alone. */
export function fromRow(row: AuditRow) {
  const { tenant, n, atMs, event, actor, device, command, type, from, to, code, reason, digest } = row;
  const { previous, hash } = row;
  const at = new Date(atMs).toISOString();
  return {
    tenant,
    n,
    at,
    atMs,
    event,
    actor,
    device,
    command,
    type,
    from,
    to,
    code,
    reason,
    digest,
    previous,
    hash,
  };
}

export const toJsonLine = (row: AuditRow): string => JSON.stringify(fromRow(row));

/** RFC 5424 §6.2.1: "log audit". */
const FACILITY = 13;
const SEVERITY = { warning: 4, notice: 5, informational: 6 } as const;
/** What a SIEM should look at; everything else is informational. */
const EVENT_SEVERITY: Readonly<Partial<Record<AuditEvent, keyof typeof SEVERITY>>> = {
  denied: 'warning',
  held: 'warning',
  unanswered: 'warning',
  'late-outcome': 'notice',
  guarded: 'notice',
  released: 'notice',
  'released-for-approval': 'notice',
  refused: 'notice',
  failed: 'notice',
  'campaign-spoiled': 'warning',
  'campaign-halted': 'warning',
  'campaign-approved': 'notice',
  'campaign-forgiven': 'notice',
};

/** Private enterprise number of the structured data: 32473 is the one for examples (RFC 5612); an operator has his own. */
export const EXAMPLE_ENTERPRISE = 32_473;

export interface SyslogOrigin {
  readonly hostname: string;
  readonly processId: number;
  readonly enterprise?: number;
}

/** RFC 5424 §6.3.3: these three are escaped in the value of a parameter; a line break would begin another message. */
const escaped = (value: string): string => value.replace(/[\x00-\x1f\x7f]/g, ' ').replace(/["\\\]]/g, '\\$&');
/** §6: printable ASCII without spaces, within a length; `-` for nothing. */
const printable = (text: string, lengthMax: number): string =>
  text.replace(/[^\x21-\x7e]/g, '').slice(0, lengthMax) || '-';

const APP_NAME = 'hes-desk';
const HOSTNAME_LENGTH_MAX = 255;

/** One message without its framing (RFC 6587 or a datagram). The free text of a reason is not in it. */
export function toSyslog(row: AuditRow, origin: SyslogOrigin): string {
  const { hostname, processId, enterprise = EXAMPLE_ENTERPRISE } = origin;
  const { tenant, n, atMs, event, actor, device, command, type, from, to, code, digest, hash } = row;
  const priority = FACILITY * 8 + SEVERITY[EVENT_SEVERITY[event] ?? 'informational'];
  const parameters = Object.entries({
    tenant,
    n: String(n),
    actor: actor.kind,
    name: actor.name,
    role: actor.role,
    device,
    command,
    type,
    from,
    to,
    code,
    digest,
    hash,
  })
    .filter((entry): entry is [string, string] => entry[1] !== null)
    .map(([name, value]) => ` ${name}="${escaped(value)}"`)
    .join('');
  const head = [
    `<${priority}>1`,
    new Date(atMs).toISOString(),
    printable(hostname, HOSTNAME_LENGTH_MAX),
    APP_NAME,
    processId,
    event,
    `[hes@${enterprise}${parameters}]`,
  ].join(' ');
  return `${head} ${type ?? 'registry'} ${event}`;
}
