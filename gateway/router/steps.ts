import type { DeviceTrust } from '../../pki/trust.ts';
import { claimedSequence } from '../../protocol/claimed-sequence.ts';
import {
  type Binding,
  openUplink,
  type RemoteKey,
  readSigner,
  type SealingKey,
  verifyUplink,
} from '../../protocol/envelope.ts';
import { isHesError } from '../../protocol/errors.ts';
import type { DeviceId, TenantId } from '../../protocol/identity.ts';
import { makeReceipt, type Verdict } from '../../protocol/receipt.ts';
import type { UpKind } from '../../protocol/topics.ts';
import type { UplinkAnswer, UplinkRefusal } from '../../protocol/uplink.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Counters } from '../runtime/counters.ts';
import type { Log } from '../runtime/log.ts';
import type { Random } from '../runtime/random.ts';
import type { RouterConfig } from './config.ts';
import { laterSeconds } from './later.ts';
import type { MdmRecord, MdmSink } from './mdm/sink.ts';
import type { RecordWriter } from './record/write.ts';
import { refusalOfSigner } from './signer.ts';

/** The steps that every message of a device takes here, whatever it holds: open, verify, deliver, receipt. */

/** What one tenant's router works with. */
export interface UplinkParts {
  readonly tenant: TenantId;
  readonly config: Pick<RouterConfig, 'admission' | 'later' | 'limits'>;
  readonly keys: readonly (SealingKey | RemoteKey)[];
  /** Told of each message that was opened, and to which key it was sealed; gives what its device is to be told. */
  readonly opened?: (kid: Uint8Array) => Uint8Array | undefined;
  readonly trust: DeviceTrust;
  readonly writeRecord: RecordWriter;
  readonly sink: MdmSink;
  /** The clock that readings are judged by. */
  readonly clock: Clock;
  /** The clock that certificates are judged by: always the real one. */
  readonly certificateClock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  readonly log: Log;
}

export interface Uplink {
  readonly device: DeviceId;
  readonly sealed: Uint8Array;
}

export interface Opened {
  readonly signed: Uint8Array;
  readonly receiptKey: Uint8Array;
  /** The key that it was sealed to. */
  readonly kid: Uint8Array;
}

type Unopened = { readonly unopened: UplinkRefusal };

/**
 * Without the secret of the sealed bytes nothing could be proved to anybody: then there is no receipt. With a key in a
 * token this waits for it; while that is away the device is not answered, and keeps what it has.
 */
export function open(
  { keys }: UplinkParts,
  binding: Binding,
  sealed: Uint8Array,
): Opened | Unopened | Promise<Opened | Unopened> {
  try {
    const opened = openUplink({ sealed, binding, keys });
    return 'then' in opened ? opened.catch(unopenedBy) : opened;
  } catch (error) {
    return unopenedBy(error);
  }
}

/** The keyring has said what a token failed at. @throws what is nobody's fault but ours */
function unopenedBy(error: unknown): Unopened {
  if (isHesError(error, 'ERR_ENVELOPE_SIZE')) return { unopened: 'oversize' };
  if (isHesError(error) && error.code.startsWith('ERR_ENVELOPE_')) return { unopened: 'envelope' };
  if (isHesError(error, 'ERR_HSM_BUSY')) return { unopened: 'overloaded' };
  if (isHesError(error) && error.code.startsWith('ERR_HSM_')) return { unopened: 'internal' };
  throw error;
}

export function verify(
  router: UplinkParts,
  binding: Binding,
  signed: Uint8Array,
): { payload: Uint8Array } | Verdict {
  try {
    const sent = { device: binding.device, atMs: router.certificateClock.nowMs() };
    const publicKey = router.trust.signer(readSigner(signed), sent);
    return { payload: verifyUplink({ signed, binding, publicKey }) };
  } catch (error) {
    return unbelieved(router, error);
  }
}

/** What the device is told when a signature of it, or whoever made it, is not believed. */
export function unbelieved(router: UplinkParts, error: unknown): Verdict {
  const refusal = refusalOfSigner(error);
  return refusal === 'later' ? later(router) : { verdict: 'refused', code: refusal };
}

/** Buffer's own `fill` looks at encodings first. */
const { fill: zero } = Uint8Array.prototype;

/**
 * Exactly what the MDM said, or `later`: silence is never taken for an acknowledgement. The record
 * is overwritten as soon as there is an answer: it shares its block of memory with others.
 */
export async function deliver(
  router: UplinkParts,
  { device, sequence }: { readonly device: DeviceId; readonly sequence: number },
  record: MdmRecord,
): Promise<Verdict> {
  const delivery = await router.sink.deliver(record, router.config.limits.answerWithinMs);
  zero.call(record.body, 0);
  switch (delivery.outcome) {
    case 'accepted':
      return { verdict: 'delivered' };
    case 'duplicate':
      return { verdict: 'duplicate' };
    case 'rejected':
      router.log.warn({ device, sequence, code: delivery.code }, 'the MDM rejects a record');
      return { verdict: 'refused', code: 'mdm' };
    case 'later':
      return later(router, delivery.atLeastSeconds);
  }
}

export function receipt(
  { tenant, clock, counters, opened: told }: UplinkParts,
  { device, kind }: Binding,
  { receiptKey, kid }: Pick<Opened, 'receiptKey' | 'kid'>,
  sequence: number,
  verdict: Verdict,
): UplinkAnswer {
  counters.count(
    COUNTED[kind] + (verdict.verdict === 'refused' ? `refused.${verdict.code}` : verdict.verdict),
  );
  const time = Math.floor(clock.nowMs() / 1_000);
  const notice = told?.(kid);
  return {
    kind: 'receipt',
    receipt: makeReceipt(receiptKey, { ...verdict, tenant, device, sequence, time }),
    ...(notice === undefined ? {} : { notice }),
  };
}

/** A message that was not admitted is named by the sequence that it claims; a claim that is none gets no receipt. */
export function receiptOfClaim(
  router: UplinkParts,
  binding: Binding,
  opened: Opened,
  verdict: Verdict,
): UplinkAnswer {
  const sequence = claimedSequence(opened.signed);
  if (sequence === undefined) return withoutReceipt(router, binding, 'envelope');
  return receipt(router, binding, opened, sequence, verdict);
}

export function withoutReceipt(
  { counters }: UplinkParts,
  { kind }: Binding,
  reason: UplinkRefusal,
): UplinkAnswer {
  counters.count(`${COUNTED[kind]}refused.${reason}`);
  return { kind: 'refused', reason };
}

/** Readings are what a router is there for: their counters have no other name before them. */
const COUNTED: Readonly<Record<UpKind, string>> = { index: '', event: 'event.', result: 'result.' };

export function later({ config, random }: UplinkParts, atLeastSeconds = 0): Verdict {
  return { verdict: 'later', seconds: laterSeconds(config.later, random, atLeastSeconds) };
}
