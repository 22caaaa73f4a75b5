import type { CommandId } from '../../../protocol/command/id.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { AuditEntry } from '../audit/row.ts';
import type { NewCommand } from './port.ts';

/** What the contract of stores, and measurements of one, are made with. */

export const ORES = 'ores' as TenantId;
export const T0_MS = 1_796_112_000_000;
export const T0 = T0_MS / 1_000;
export const MINUTE_MS = 60_000;

export const deviceOf = (number: number): DeviceId => number.toString(16).padStart(16, '0') as DeviceId;
export const idOf = (number: number): CommandId => number.toString(16).padStart(32, '0') as CommandId;

export const newCommand = (number: number, change: Partial<NewCommand> = {}): NewCommand => ({
  id: idOf(number),
  device: deviceOf(1),
  type: 'p1.set',
  state: 'queued',
  person: 'ann',
  role: 'operator',
  counter: T0_MS + number,
  notBefore: T0,
  expiry: T0 + 3_600,
  reason: null,
  digest: number.toString(16).padStart(64, '0'),
  proposedAtMs: T0_MS + number,
  ...change,
});

export const auditEntry = (change: Partial<AuditEntry> = {}): AuditEntry => ({
  atMs: T0_MS,
  event: 'accepted',
  actor: { kind: 'person', name: 'ann', role: 'operator' },
  device: deviceOf(1),
  command: idOf(1),
  type: 'p1.set',
  from: 'proposed',
  to: 'queued',
  code: null,
  reason: null,
  digest: null,
  ...change,
});
