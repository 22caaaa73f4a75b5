import type { Binding } from '../../protocol/envelope.ts';
import { isHesError } from '../../protocol/errors.ts';
import { decodeDailyIndex } from '../../protocol/payload.ts';
import type { DailyIndex } from '../../protocol/reading.ts';
import type { Verdict } from '../../protocol/receipt.ts';
import type { UplinkAnswer } from '../../protocol/uplink.ts';
import { refusalOf } from './admission.ts';
import { type Finding, plausibility } from './plausibility.ts';
import { idempotencyKey } from './record/write.ts';
import {
  deliver,
  open,
  receipt,
  receiptOfClaim,
  type Uplink,
  type UplinkParts,
  verify,
  withoutReceipt,
} from './steps.ts';

export type { Uplink, UplinkParts } from './steps.ts';

/**
 * One reading, from sealed bytes to the receipt that proves its delivery. Nothing of it stays: no store, no
 * file, no log line; when the answer is given, the last buffer is let go.
 *
 * The steps before `deliver` do not wait for anything. They are awaited all the same: the readings that the bus
 * brought in one batch then go through each step together, with its code and tables warm in the processor's
 * cache, which was measured a fifth faster than one reading after the other.
 */
export async function uplink(router: UplinkParts, { device, sealed }: Uplink): Promise<UplinkAnswer> {
  const binding = { tenant: router.tenant, device, kind: 'index' } as const;

  const opened = await open(router, binding, sealed);
  if ('unopened' in opened) return withoutReceipt(router, binding, opened.unopened);

  const verified = await verify(router, binding, opened.signed);
  if ('verdict' in verified) return receiptOfClaim(router, binding, opened, verified);

  const admitted = await admit(router, binding, verified.payload);
  if ('verdict' in admitted) return receiptOfClaim(router, binding, opened, admitted);

  const { index, findings } = admitted;
  const record = { key: idempotencyKey(index), body: router.writeRecord(index, findings) };
  const verdict = await deliver(router, index, record);
  return receipt(router, binding, opened, index.sequence, verdict);
}

interface Admitted {
  readonly index: DailyIndex;
  readonly findings: readonly Finding[];
}

function admit(router: UplinkParts, binding: Binding, payload: Uint8Array): Admitted | Verdict {
  const index = decoded(payload);
  if (index === undefined) return { verdict: 'refused', code: 'schema' };
  const code = refusalOf(index, binding, router.clock.nowMs() / 1_000, router.config.admission);
  if (code !== undefined) return { verdict: 'refused', code };
  const findings = plausibility(index);
  for (const { rule } of findings) router.counters.count(`plausibility.${rule}`);
  return { index, findings };
}

function decoded(payload: Uint8Array): DailyIndex | undefined {
  try {
    return decodeDailyIndex(payload);
  } catch (error) {
    if (isHesError(error) && error.code.startsWith('ERR_PAYLOAD_')) return undefined;
    throw error;
  }
}
