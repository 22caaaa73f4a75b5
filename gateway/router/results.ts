import { type Outcome, verifyOutcome } from '../../protocol/command/outcome.ts';
import { decodeEvent } from '../../protocol/command/report.ts';
import { type CommandResult, decodeResult } from '../../protocol/command/result.ts';
import { type Binding, readSigner } from '../../protocol/envelope.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { Verdict } from '../../protocol/receipt.ts';
import type { UplinkAnswer } from '../../protocol/uplink.ts';
import type { DeskLine } from './desk.ts';
import { plausibility } from './plausibility.ts';
import { readKey, readOf } from './record/on-demand.ts';
import {
  deliver,
  open,
  receipt,
  receiptOfClaim,
  type Uplink,
  type UplinkParts,
  unbelieved,
  verify,
  withoutReceipt,
} from './steps.ts';

export interface ResultParts extends UplinkParts {
  readonly desk: DeskLine;
}

/**
 * The result of a command, from sealed bytes to its receipt: what was read to the MDM, then the outcome to the desk,
 * as the device signed it. The receipt comes last, so that a result of which either has not heard comes again; both
 * take it twice without harm. The desk gets no reading, and nothing of it stays here.
 *
 * The desk sends the next command before it answers: a device that has this receipt has that too, if there is one.
 */
export async function result(router: ResultParts, { device, sealed }: Uplink): Promise<UplinkAnswer> {
  const binding = { tenant: router.tenant, device, kind: 'result' } as const;

  const opened = await open(router, binding, sealed);
  if ('unopened' in opened) return withoutReceipt(router, binding, opened.unopened);

  const verified = verify(router, binding, opened.signed);
  if ('verdict' in verified) return receiptOfClaim(router, binding, opened, verified);

  const admitted = admit(binding, verified.payload, decodeResult);
  if ('verdict' in admitted) return receiptOfClaim(router, binding, opened, admitted);

  const read = await deliverReading(router, binding, admitted);
  if (read.verdict === 'later') return receipt(router, binding, opened, admitted.sequence, read);

  const told = await router.desk('desk.outcome', device, admitted.outcome);
  // That the MDM will never take what was read is said when the desk has what is its own.
  const verdict = read.verdict === 'refused' && told.verdict === 'delivered' ? read : told;
  return receipt(router, binding, opened, admitted.sequence, verdict);
}

/** What changed at a meter without a command, from sealed bytes to its receipt: to the desk, as the device signed it. */
export async function event(router: ResultParts, { device, sealed }: Uplink): Promise<UplinkAnswer> {
  const binding = { tenant: router.tenant, device, kind: 'event' } as const;

  const opened = await open(router, binding, sealed);
  if ('unopened' in opened) return withoutReceipt(router, binding, opened.unopened);

  const verified = verify(router, binding, opened.signed);
  if ('verdict' in verified) return receiptOfClaim(router, binding, opened, verified);

  const admitted = admit(binding, verified.payload, decodeEvent);
  if ('verdict' in admitted) return receiptOfClaim(router, binding, opened, admitted);

  const told = await router.desk('desk.report', device, admitted.report);
  return receipt(router, binding, opened, admitted.sequence, told);
}

/** The envelope is bound to the topic, the payload to itself: a signer may not speak for another. */
function admit<T extends Pick<Binding, 'tenant' | 'device'>>(
  { tenant, device }: Binding,
  payload: Uint8Array,
  decode: (payload: Uint8Array) => T,
): T | Verdict {
  let message: T;
  try {
    message = decode(payload);
  } catch (error) {
    if (isHesError(error) && CODES.test(error.code)) return { verdict: 'refused', code: 'schema' };
    throw error;
  }
  if (message.tenant === tenant && message.device === device) return message;
  return { verdict: 'refused', code: 'identity' };
}

const CODES = /^ERR_(RESULT|REPORT)_/;

/** What `read.now` read, as a record of its own; `delivered` where there is nothing. */
async function deliverReading(
  router: UplinkParts,
  binding: Binding,
  { sequence, outcome: signed, meters }: CommandResult,
): Promise<Verdict> {
  if (meters.length === 0) return { verdict: 'delivered' };
  const outcome = outcomeOf(router, binding, signed);
  if ('verdict' in outcome) return outcome;
  // Only what was executed read anything.
  if (outcome.state !== 'executed') return { verdict: 'refused', code: 'schema' };
  const index = readOf({ ...binding, sequence, time: outcome.time, meters });
  const findings = plausibility(index);
  for (const { rule } of findings) router.counters.count(`plausibility.${rule}`);
  const body = router.writeRecord(index, findings, outcome.command);
  return deliver(router, index, { key: readKey({ ...binding, command: outcome.command }), body });
}

/** Which command it is, and when: a reading is delivered under the device's own word for both. */
function outcomeOf(router: UplinkParts, about: Binding, signed: Uint8Array): Outcome | Verdict {
  try {
    const sent = { device: about.device, atMs: router.certificateClock.nowMs() };
    const publicKey = router.trust.signer(readSigner(signed), sent);
    return verifyOutcome({ signed, about, publicKey });
  } catch (error) {
    if (isHesError(error) && CODES.test(error.code)) return { verdict: 'refused', code: 'schema' };
    return unbelieved(router, error);
  }
}
