import { createHash, type KeyObject } from 'node:crypto';
import type { ResultCode } from '../../protocol/command/codes.ts';
import { ROLES } from '../../protocol/command/roles.ts';
import type { Signer } from '../../protocol/command/signers.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Random } from '../runtime/random.ts';
import type { AuditActor, AuditEntry, AuditEvent } from './audit/row.ts';
import { deskError } from './errors.ts';
import { type Cause, refuserOf, step } from './lifecycle/transitions.ts';
import type { DeskPolicy } from './policy.ts';
import type { Meter } from './registry/meter.ts';
import type { CommandChange, DeskStore, DeskTransaction, Evidence, StoredCommand } from './store/port.ts';

/** What the use cases of a desk work with, and the few steps that all of them take. */

/** Whom the tenant's office trusts: what a certificate says, once every check of it has passed. */
export type SignerTrust = (certificate: Uint8Array) => {
  readonly publicKey: KeyObject;
  readonly signer: Signer;
};

/** The key that a device signs with, once its certificate is trusted: `DeviceTrust.signer` of pki. */
export type DeviceKeys = (certificate: Uint8Array, device: DeviceId) => KeyObject;

/**
 * That a device agrees on keys with this certificate, once it is trusted: `DeviceTrust.agreement` of pki.
 * @throws ERR_TRUST_*
 */
export type DeviceAgreement = (certificate: Uint8Array, device: DeviceId) => { readonly notBeforeMs: number };

/** Of a desk that was given none: no key is trusted, so that it takes those of the registry alone. */
export const NO_AGREEMENT: DeviceAgreement = () => {
  throw deskError('ERR_DESK_METER', 'this desk is told of keys by its registry alone');
};

export interface DeskContext {
  readonly tenant: TenantId;
  readonly store: DeskStore;
  readonly trust: SignerTrust;
  readonly deviceKeys: DeviceKeys;
  readonly deviceAgreement: DeviceAgreement;
  readonly clock: Clock;
  readonly random: Random;
  readonly policy: DeskPolicy;
  /** Told of each change once it is durable, in the order of changes. */
  readonly onChange: (command: StoredCommand) => void;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const DESK: AuditActor = { kind: 'desk', name: null, role: null };
export const CLOCK: AuditActor = { kind: 'clock', name: null, role: null };
export const DEVICE: AuditActor = { kind: 'device', name: null, role: null };
export const actorOf = ({ role, person }: Signer): AuditActor => ({
  kind: ROLES[role].kind,
  name: person,
  role,
});

/** A transaction of the desk: it has one time, and its changes are told once they are durable. */
export interface Work {
  readonly transaction: DeskTransaction;
  readonly nowMs: number;
  readonly changed: StoredCommand[];
}

export async function transact<T>(context: DeskContext, work: (work: Work) => Promise<T>): Promise<T> {
  const changed: StoredCommand[] = [];
  const result = await context.store.transaction((transaction) =>
    work({ transaction, nowMs: context.clock.nowMs(), changed }),
  );
  // A listener that fails must not make a refusal of what is durable: it fails by itself.
  for (const command of changed) queueMicrotask(() => context.onChange(command));
  return result;
}

export interface Circumstances {
  readonly actor: AuditActor;
  readonly code?: ResultCode | null;
  readonly reason?: string | null;
  readonly digest?: string | null;
}

/** The audit row of something about a command. */
export function entryOf(
  command: Pick<StoredCommand, 'id' | 'device' | 'type'>,
  event: AuditEvent,
  { atMs, actor, code = null, reason = null, digest = null }: Circumstances & { readonly atMs: number },
): AuditEntry {
  const { id, device, type } = command;
  return { atMs, event, actor, device, command: id, type, from: null, to: null, code, reason, digest };
}

/**
 * A transition with its audit row.
 * @throws ERR_DESK_STATE where the cause leads nowhere from the state that the command is in
 */
export async function move(
  work: Work,
  command: StoredCommand,
  cause: Cause,
  circumstances: Circumstances & {
    readonly change?: Omit<CommandChange, 'state' | 'changedAtMs' | 'code'>;
    readonly evidence?: Partial<Pick<Evidence, 'signed' | 'outcome'>>;
  },
): Promise<StoredCommand> {
  const { change = {}, evidence, code } = circumstances;
  const { nowMs, transaction } = work;
  const state = step(command.state, cause);
  const refusedBy = refuserOf(cause);
  const changed = await transaction.change(
    command.id,
    command.state,
    {
      ...change,
      ...(code === undefined ? {} : { code }),
      ...(refusedBy === undefined ? {} : { refusedBy }),
      state,
      changedAtMs: nowMs,
    },
    evidence,
  );
  const entry = entryOf(command, cause, { ...circumstances, atMs: nowMs });
  await transaction.audit({ ...entry, from: command.state, to: state });
  work.changed.push(changed);
  return changed;
}

/**
 * Do what somebody whose identity is proven asked for. Where he may not, that is a row of the audit too.
 * @throws what `work` throws
 */
export async function asked<T>(
  context: DeskContext,
  about: Pick<StoredCommand, 'id' | 'device' | 'type'>,
  by: Signer,
  work: (work: Work) => Promise<T>,
): Promise<T> {
  try {
    return await transact(context, work);
  } catch (error) {
    if (!isHesError(error) || error.code.startsWith('ERR_DESK_STORE')) throw error;
    await transact(context, ({ transaction, nowMs }) =>
      transaction.audit({
        ...entryOf(about, 'denied', { actor: actorOf(by), atMs: nowMs }),
        code: error.code,
      }),
    );
    throw error;
  }
}

/** Open commands of a device that went silent: nobody will answer them. */
export async function silence(work: Work, device: DeviceId): Promise<void> {
  for (const command of await work.transaction.open(device))
    if (command.state !== 'sent') await move(work, command, 'guarded', { actor: DESK, code: 'airplane' });
}

/** @throws ERR_DESK_COMMAND */
export function known(command: StoredCommand | undefined): StoredCommand {
  if (command === undefined) throw deskError('ERR_DESK_COMMAND', 'there is no such command');
  return command;
}

/** @throws ERR_DESK_METER */
export function registered(meter: Meter | undefined): Meter {
  if (meter === undefined) throw deskError('ERR_DESK_METER', 'the registry has no such meter');
  return meter;
}
