import { createHash } from 'node:crypto';
import type { CommandId } from '../../../protocol/command/id.ts';
import type { Role } from '../../../protocol/command/roles.ts';
import type { CommandType } from '../../../protocol/command/table.ts';
import type { DeviceId, TenantId } from '../../../protocol/identity.ts';
import type { CampaignCause } from '../campaigns/lifecycle/states.ts';
import type { CommandState } from '../lifecycle/states.ts';
import type { Cause } from '../lifecycle/transitions.ts';

/**
 * What happened, when, by whom, at which meter and why: one row for each transition and for each attempt that was
 * denied. Devices are pseudonyms, and there is no reading, no EAN and no argument of a command in it; a digest ties
 * it to the signed bytes, which say the rest.
 */

/** Beside the causes of transitions. */
export const OTHER_EVENTS = {
  denied: 'somebody whose signature held was not allowed what he asked for',
  'late-outcome': 'a device answered about a command that had ended',
  'meter-registered': 'a meter was entered into the registry, or changed there',
  'meter-withdrawn': 'a meter was taken out of the registry',
  'meter-changed': 'a meter said that its state changed at the meter itself',
  'meter-key': 'a meter proved the new key that commands are sealed to from now on',
  'airplane-ended': 'airplane mode was ended at the meter',
  'campaign-submitted': 'somebody submitted the manifest of a campaign, which the digest is of',
  'campaign-wave': 'the next wave of a campaign began',
} as const;
export type AuditEvent = Cause | CampaignCause | keyof typeof OTHER_EVENTS;

export const ACTOR_KINDS = ['person', 'system', 'device', 'desk', 'clock'] as const;
export interface AuditActor {
  readonly kind: (typeof ACTOR_KINDS)[number];
  /** Of a person or a system, within the tenant. */
  readonly name: string | null;
  readonly role: Role | null;
}

export interface AuditEntry {
  readonly atMs: number;
  readonly event: AuditEvent;
  readonly actor: AuditActor;
  readonly device: DeviceId | null;
  readonly command: CommandId | null;
  readonly type: CommandType | null;
  readonly from: CommandState | null;
  readonly to: CommandState | null;
  /** A device's result code, the code of the error that somebody was answered, or what came too late. */
  readonly code: string | null;
  /** As its signer or whoever asked wrote it. */
  readonly reason: string | null;
  /** SHA-256 of the signed bytes that this is about, hex. */
  readonly digest: string | null;
}

/** Where a chain stands. */
export interface AuditHead {
  /** How many rows there are; the number of the last. */
  readonly n: number;
  /** SHA-256, hex. */
  readonly hash: string;
}

export interface AuditRow extends AuditEntry {
  readonly tenant: TenantId;
  /** From 1, without gaps. */
  readonly n: number;
  readonly previous: string;
  readonly hash: string;
}

const VERSION = 1;

/** The head of a chain without rows: each tenant's its own, so that no chain continues another's. */
export function genesis(tenant: TenantId): AuditHead {
  return { n: 0, hash: createHash('sha256').update(`hes audit ${VERSION} ${tenant}`).digest('hex') };
}

/**
 * The bytes that are hashed: a JSON array of all members in this order, without spaces, in UTF-8. Integers and texts
 * only, so that any language writes the same.
 */
export function canonicalBytes(row: Omit<AuditRow, 'previous' | 'hash'>): Uint8Array {
  const { tenant, n, atMs, event, actor, device, command, type, from, to, code, reason, digest } = row;
  const { kind, name, role } = actor;
  return Buffer.from(
    JSON.stringify([
      VERSION,
      tenant,
      n,
      atMs,
      event,
      kind,
      name,
      role,
      device,
      command,
      type,
      from,
      to,
      code,
      reason,
      digest,
    ]),
  );
}

/** SHA-256 over the hash before it, as 32 bytes, and the canonical bytes. */
export function hashOf(row: Omit<AuditRow, 'hash'>): string {
  return createHash('sha256')
    .update(Buffer.from(row.previous, 'hex'))
    .update(canonicalBytes(row))
    .digest('hex');
}

/** The row that an entry becomes behind a head. */
export function chained(tenant: TenantId, head: AuditHead, entry: AuditEntry): AuditRow {
  const row = { ...entry, tenant, n: head.n + 1, previous: head.hash };
  return { ...row, hash: hashOf(row) };
}
