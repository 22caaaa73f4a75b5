import { type Command, decodeCommand } from '../../protocol/command/command.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { verifyCommand } from '../../protocol/command/signed.ts';
import { checkSigners, type Signer } from '../../protocol/command/signers.ts';
import { type CommandType, rowOf } from '../../protocol/command/table.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import {
  actorOf,
  asked,
  type DeskContext,
  entryOf,
  known,
  move,
  registered,
  sha256,
  type Work,
} from './context.ts';
import { deskError } from './errors.ts';
import { checkCalendar } from './guards/calendar.ts';
import { checkMeterState } from './guards/meter-state.ts';
import { checkCanceller, checkReleaser } from './guards/people.ts';
import { checkScope } from './guards/scope.ts';
import { isHeld, THRESHOLD_WINDOW_MS } from './guards/thresholds.ts';
import { checkValidity } from './guards/validity.ts';
import { type Cause, step } from './lifecycle/transitions.ts';
import type { StoredCommand } from './store/port.ts';

/** What people and systems do with commands: propose, approve, cancel, release. */

export interface Verified {
  readonly command: Command;
  readonly payload: Uint8Array;
  readonly digest: string;
  /** In the order of their signatures. */
  readonly signers: readonly Signer[];
}

/** Signatures that hold, by people whose certificates are trusted; their roles are not asked for yet. */
export function verify(
  { tenant, trust }: DeskContext,
  { device, signed, stage }: { device: DeviceId; signed: Uint8Array; stage: 'proposed' | 'complete' },
): Verified {
  const signers: Signer[] = [];
  const { command, payload } = verifyCommand({
    signed,
    binding: { tenant, device },
    stage,
    keyOf(certificate) {
      const { publicKey, signer } = trust(certificate);
      signers.push(signer);
      return publicKey;
    },
  });
  return { command, payload, digest: sha256(payload), signers };
}

/** What is forbidden for the meter now, or on the day on which the command begins to be valid. */
export async function checkMeter(
  { tenant, policy }: DeskContext,
  work: Work,
  command: Command,
): Promise<void> {
  const meter = registered(await work.transaction.meter(command.device));
  checkScope(tenant, meter, command);
  checkMeterState(meter, command.type);
  checkCalendar(policy.periods, command, Math.max(work.nowMs / 1_000, command.notBefore));
}

/** @throws ERR_DESK_BUSY, ERR_DESK_COUNTER: the meter would refuse it for its counter */
export async function checkQueue(
  { policy }: DeskContext,
  { transaction }: Work,
  { device, type, counter }: Command,
  { person }: Signer,
): Promise<void> {
  if ((await transaction.open(device)).length >= policy.openPerDeviceMax)
    throw deskError('ERR_DESK_BUSY', 'as many commands as are kept for one meter wait for it');
  const thing = rowOf(type).counter;
  if (counter <= (await transaction.highestCounter(device, person, thing)))
    throw deskError(
      'ERR_DESK_COUNTER',
      `the signer has signed a newer command about the same thing: ${thing}`,
    );
}

async function causeOfProposal(
  { policy }: DeskContext,
  { transaction, nowMs }: Work,
  type: CommandType,
  { person, role }: Signer,
): Promise<Cause> {
  const proposed = await transaction.proposedSince(person, type, nowMs - THRESHOLD_WINDOW_MS);
  if (isHeld(policy.thresholds, { type, role }, proposed)) return 'held';
  return rowOf(type).critical ? 'needs-approval' : 'accepted';
}

/** A command that nothing forbids, into the store, with the row that says how it came to its first state. */
export async function enter(
  { transaction, nowMs }: Work,
  given: Pick<Verified, 'command' | 'payload' | 'digest'> & {
    readonly signed: Uint8Array;
    readonly signer: Signer;
  },
  cause: Cause,
): Promise<StoredCommand> {
  const { command, payload, digest, signed, signer } = given;
  const { id, device, type, counter, notBefore, expiry, reason } = command;
  const { person, role } = signer;
  const state = step('proposed', cause);
  const proposed = { id, device, type, state, person, role, counter, notBefore, expiry, reason, digest };
  const stored = await transaction.insert({ ...proposed, proposedAtMs: nowMs }, { payload, signed });
  const circumstances = { actor: actorOf(signer), reason, digest, atMs: nowMs };
  await transaction.audit({ ...entryOf(command, cause, circumstances), from: 'proposed', to: state });
  return stored!;
}

/**
 * Take a command with its first signature. Proposed again with the same bytes it is the same command: whoever lost
 * the answer may ask again.
 *
 * @throws what `verifyCommand`, `checkSigners` and the trust throw; ERR_DESK_METER, ERR_DESK_OWNER,
 *   ERR_DESK_AIRPLANE, ERR_DESK_PREPAID, ERR_DESK_IMPACT, ERR_DESK_PROTECTED, ERR_DESK_EXPIRED, ERR_DESK_AHEAD,
 *   ERR_DESK_COUNTER, ERR_DESK_BUSY, ERR_DESK_CONFLICT
 */
export async function propose(
  context: DeskContext,
  { device, signed }: { readonly device: DeviceId; readonly signed: Uint8Array },
): Promise<StoredCommand> {
  const { command, payload, digest, signers } = verify(context, { device, signed, stage: 'proposed' });
  const signer = signers[0]!;
  const { id, type } = command;
  return asked(context, command, signer, async (work) => {
    const { transaction, nowMs } = work;
    const before = await transaction.command(id);
    if (before?.digest === digest && before.person === signer.person) return before;
    if (before !== undefined) throw deskError('ERR_DESK_CONFLICT', 'the id names another command');
    checkSigners(type, signers, 'proposed');
    checkValidity(command, nowMs);
    await checkMeter(context, work, command);
    await checkQueue(context, work, command, signer);
    const cause = await causeOfProposal(context, work, type, signer);
    const stored = await enter(work, { command, payload, digest, signed, signer }, cause);
    await transaction.countProposal(signer.person, type, nowMs);
    work.changed.push(stored);
    return stored;
  });
}

/**
 * Take the second signature: the same bytes as were proposed, the first signature by the same person. Approved again
 * by the same person it is as it was.
 *
 * @throws what `verifyCommand`, `checkSigners` and the trust throw; ERR_DESK_COMMAND, ERR_DESK_CONFLICT,
 *   ERR_DESK_STATE, ERR_DESK_EXPIRED, and what forbids it for the meter by now
 */
export async function approve(
  context: DeskContext,
  { id, signed }: { readonly id: CommandId; readonly signed: Uint8Array },
): Promise<StoredCommand> {
  const { device } = known(await context.store.command(id));
  const { command, digest, signers } = verify(context, { device, signed, stage: 'complete' });
  const [first, second] = signers;
  return asked(context, { id, device, type: command.type }, second ?? first!, async (work) => {
    const stored = known(await work.transaction.command(id));
    checkSigners(command.type, signers);
    if (digest !== stored.digest || first!.person !== stored.person || second === undefined)
      throw deskError('ERR_DESK_CONFLICT', 'what was approved is not what was proposed');
    if (stored.approver === second.person) return stored;
    step(stored.state, 'approved');
    checkValidity(command, work.nowMs);
    await checkMeter(context, work, command);
    return move(work, stored, 'approved', {
      actor: actorOf(second),
      digest: sha256(signed),
      change: { approver: second.person },
      evidence: { signed },
    });
  });
}

interface Asked {
  readonly id: CommandId;
  /** Whoever asks, as the caller has authenticated him. */
  readonly by: Signer;
  readonly reason?: string;
}

/** @throws ERR_DESK_COMMAND, ERR_DESK_ROLE, ERR_DESK_STATE */
export async function cancel(context: DeskContext, { id, by, reason }: Asked): Promise<StoredCommand> {
  const about = known(await context.store.command(id));
  return asked(context, about, by, async (work) => {
    const stored = known(await work.transaction.command(id));
    checkCanceller(stored.type, by);
    return move(work, stored, 'cancelled', { actor: actorOf(by), reason: reason ?? null });
  });
}

/**
 * Let a command go on that was held, to its second signature where it needs one.
 * @throws ERR_DESK_COMMAND, ERR_DESK_ROLE, ERR_DESK_SAME_PERSON, ERR_DESK_STATE, ERR_DESK_EXPIRED, and what forbids
 *   it for the meter by now
 */
export async function release(context: DeskContext, { id, by, reason }: Asked): Promise<StoredCommand> {
  const about = known(await context.store.command(id));
  return asked(context, about, by, async (work) => {
    const { transaction, nowMs } = work;
    const stored = known(await transaction.command(id));
    checkReleaser(stored.person, by);
    const cause = rowOf(stored.type).critical ? 'released-for-approval' : 'released';
    step(stored.state, cause);
    const command = decodeCommand((await transaction.evidence(id))!.payload);
    checkValidity(command, nowMs);
    await checkMeter(context, work, command);
    return move(work, stored, cause, { actor: actorOf(by), reason: reason ?? null });
  });
}
