import type { ResultCode } from '../../protocol/command/codes.ts';
import { type Command, decodeCommand } from '../../protocol/command/command.ts';
import type { CommandId } from '../../protocol/command/id.ts';
import { nextToSend } from '../../protocol/command/order.ts';
import { type Outcome, verifyOutcome } from '../../protocol/command/outcome.ts';
import { rowOf } from '../../protocol/command/table.ts';
import { readSigner } from '../../protocol/envelope.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId } from '../../protocol/identity.ts';
import {
  CLOCK,
  DESK,
  DEVICE,
  type DeskContext,
  entryOf,
  known,
  move,
  registered,
  sha256,
  silence,
  transact,
  type Work,
} from './context.ts';
import type { DeskErrorCode } from './errors.ts';
import { checkCalendar } from './guards/calendar.ts';
import { checkMeterState } from './guards/meter-state.ts';
import { causeOfOutcome, causeOfTime, retryAtMs } from './lifecycle/rules.ts';
import { isTerminal } from './lifecycle/states.ts';
import { afterExecution } from './registry/effects.ts';
import type { Meter } from './registry/meter.ts';
import type { DeskTransaction, StoredCommand } from './store/port.ts';

/** What happens to commands between the queue and their end: sent, answered, tried again, ended by time. */

/** A command on its way: what to seal and to whom. */
export interface Dispatch {
  readonly command: StoredCommand;
  /** COSE_Sign, with as many signatures as its row asks for. */
  readonly signed: Uint8Array;
  readonly meter: Meter;
}

/** What a guard's refusal is called where a device would have said it. */
const GUARD_CODES: Readonly<Partial<Record<DeskErrorCode, ResultCode>>> = {
  ERR_DESK_AIRPLANE: 'airplane',
  ERR_DESK_PREPAID: 'prepaid',
  ERR_DESK_IMPACT: 'arguments',
  ERR_DESK_PROTECTED: 'protected',
};

/** What forbids a command by now, as the code that it ends with; undefined where nothing does. */
function guardCode(
  context: DeskContext,
  meter: Meter,
  command: Command,
  nowMs: number,
): ResultCode | undefined {
  try {
    checkMeterState(meter, command.type);
    checkCalendar(context.policy.periods, command, nowMs / 1_000);
    return undefined;
  } catch (error) {
    const code = isHesError(error) ? GUARD_CODES[error.code as DeskErrorCode] : undefined;
    if (code === undefined) throw error;
    return code;
  }
}

/**
 * The queued command that goes next. One that waits to be tried again keeps its place among those of its signer about
 * the same thing: a later one would make it void.
 */
function turnOf(queued: readonly StoredCommand[], nowMs: number): StoredCommand | undefined {
  let waiting = queued
    .filter(({ notBefore }) => notBefore * 1_000 <= nowMs)
    .map((command) => {
      const { priority, counter: counterName } = rowOf(command.type);
      return { command, priority, counterName, signer: command.person, counter: command.counter };
    });
  for (;;) {
    const next = nextToSend(waiting);
    if (next === undefined || (next.command.retryAtMs ?? 0) <= nowMs) return next?.command;
    waiting = waiting.filter(
      ({ signer, counterName }) => signer !== next.signer || counterName !== next.counterName,
    );
  }
}

/** Those of the queue that may leave it: the commands of a campaign that is paused stay. */
async function releasable(
  transaction: DeskTransaction,
  open: readonly StoredCommand[],
): Promise<readonly StoredCommand[]> {
  const queued: StoredCommand[] = [];
  for (const command of open)
    if (command.state === 'queued' && !(await transaction.campaigns.isHeld(command.id))) queued.push(command);
  return queued;
}

/** End what time has ended by now; the others of the list stay. */
async function endByTime(work: Work, commands: readonly StoredCommand[]): Promise<readonly StoredCommand[]> {
  const left: StoredCommand[] = [];
  for (const command of commands) {
    const cause = causeOfTime(command, work.nowMs);
    if (cause === undefined) left.push(command);
    else await move(work, command, cause, { actor: CLOCK });
  }
  return left;
}

/**
 * The next command for a device that is awake, which is `sent` from now on: it is written before it leaves. Undefined
 * where none waits, or one is in flight.
 * @throws ERR_DESK_METER
 */
export function claim(context: DeskContext, device: DeviceId): Promise<Dispatch | undefined> {
  return transact(context, async (work) => {
    const { transaction, nowMs } = work;
    const open = await endByTime(work, await transaction.open(device));
    if (open.some(({ state }) => state === 'sent')) return undefined;
    const meter = registered(await transaction.meter(device));
    let queued = await releasable(transaction, open);
    for (;;) {
      const next = turnOf(queued, nowMs);
      if (next === undefined) return undefined;
      const { payload, signed } = (await transaction.evidence(next.id))!;
      const code = guardCode(context, meter, decodeCommand(payload), nowMs);
      if (code === undefined) {
        const answerDueMs = nowMs + context.policy.answerWithinMs;
        const change = { attempts: next.attempts + 1, answerDueMs };
        return { command: await move(work, next, 'dispatched', { actor: DESK, change }), signed, meter };
      }
      await move(work, next, 'guarded', { actor: DESK, code });
      queued = queued.filter(({ id }) => id !== next.id);
    }
  });
}

/**
 * A command that certainly did not reach its device: the bus said that nobody was there. Where its answer came all
 * the same, or time ended it, it stays as it is.
 * @throws ERR_DESK_COMMAND
 */
export function returned(context: DeskContext, id: CommandId): Promise<StoredCommand> {
  return transact(context, async (work) => {
    const command = known(await work.transaction.command(id));
    if (command.state !== 'sent') return command;
    return move(work, command, 'returned', { actor: DESK, change: { attempts: command.attempts - 1 } });
  });
}

/** The registry after an execution. A device's clock may be ahead, and would hide what comes after it. */
async function follow(work: Work, { id, device }: StoredCommand, time: number): Promise<void> {
  const { transaction, nowMs } = work;
  const meter = await transaction.meter(device);
  if (meter === undefined) return;
  const command = decodeCommand((await transaction.evidence(id))!.payload);
  const after = afterExecution(meter, command, Math.min(time, Math.floor(nowMs / 1_000)));
  if (after !== meter) await transaction.putMeter(after);
  if (after.airplaneSince !== null) await silence(work, device);
}

/** Whether its end is a device's word: then no other word of the device is worth a row. */
const isAnswered = ({ state, late }: StoredCommand, outcome: Uint8Array | null): boolean =>
  late !== null || (outcome !== null && (state === 'executed' || state === 'refused' || state === 'failed'));

/**
 * What a device says of a command, as the router passed it on. It is believed by its signature alone. Said again it
 * changes nothing; about a command that has ended it is kept beside its state, once.
 *
 * @throws what `verifyOutcome` and the trust in devices throw; ERR_DESK_COMMAND where the device was given no such
 *   command
 */
export async function outcome(
  context: DeskContext,
  { device, signed }: { readonly device: DeviceId; readonly signed: Uint8Array },
): Promise<StoredCommand> {
  const { tenant, policy, random } = context;
  const publicKey = context.deviceKeys(readSigner(signed), device);
  const said = verifyOutcome({ signed, about: { tenant, device }, publicKey });
  return transact(context, async (work) => {
    const { transaction, nowMs } = work;
    const stored = await transaction.command(said.command);
    const command = known(stored?.device === device ? stored : undefined);
    const evidence = (await transaction.evidence(command.id))!;
    if (evidence.outcome !== null && Buffer.compare(evidence.outcome, signed) === 0) return command;
    const cause = causeOfOutcome(command, said, { rule: policy.retry, nowMs });
    if (cause === undefined) {
      if (isTerminal(command.state) && !isAnswered(command, evidence.outcome))
        return keepLate(work, command, said, signed);
      return command;
    }
    const ended = await move(work, command, cause, {
      actor: DEVICE,
      code: said.code,
      digest: sha256(signed),
      change:
        cause === 'retry' ? { retryAtMs: retryAtMs(command.attempts, policy.retry, nowMs, random) } : {},
      evidence: { outcome: signed },
    });
    if (said.state === 'executed') await follow(work, command, said.time);
    return ended;
  });
}

async function keepLate(
  work: Work,
  command: StoredCommand,
  said: Outcome,
  signed: Uint8Array,
): Promise<StoredCommand> {
  const { transaction, nowMs } = work;
  const late = { state: said.state, code: said.code };
  await transaction.late(command.id, late, signed);
  const circumstances = { actor: DEVICE, digest: sha256(signed), atMs: nowMs };
  // No transition: the state stays, and the row says what came.
  await transaction.audit({
    ...entryOf(command, 'late-outcome', circumstances),
    code: said.code ?? said.state,
  });
  if (said.state === 'executed') await follow(work, command, said.time);
  const after = { ...command, late };
  work.changed.push(after);
  return after;
}

/** In one transaction; a sweep after a long stop takes several. */
export const EXPIRE_MAX = 256;

/**
 * End what time has ended: never sent, or sent and not answered.
 * @returns how many; EXPIRE_MAX means that there may be more
 */
export function expire(context: DeskContext): Promise<number> {
  return transact(context, async (work) => {
    const due = await work.transaction.due(work.nowMs, EXPIRE_MAX);
    const left = await endByTime(work, due);
    return due.length - left.length;
  });
}
