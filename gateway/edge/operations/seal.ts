import { signOutcome } from '../../../protocol/command/outcome.ts';
import { encodeResult } from '../../../protocol/command/result.ts';
import { type RecipientKey, type Sealed, type SignerKey, sealUplink } from '../../../protocol/envelope.ts';
import type { MeterReading } from '../../../protocol/reading.ts';
import type { OperationResult } from './results.ts';
import type { Reads } from './step.ts';

/**
 * A result as it is published on the result topic of its tenant: the outcome signed for the desk, beside it what was
 * read, the whole signed and sealed like every uplink. Its receipt names `result.sequence`.
 *
 * @param message.meters what the device knows of its meters now; of it only what the command asked for goes along
 * @throws ERR_RESULT_SCHEMA, ERR_RESULT_CBOR where it is larger than a message may be, ERR_ENVELOPE_*
 */
export function sealResult(message: {
  readonly result: OperationResult;
  readonly meters: readonly MeterReading[];
  /** The signature key of the device. */
  readonly signer: SignerKey;
  /** The sealing key of the tenant. */
  readonly recipient: RecipientKey;
}): Sealed {
  const { result, meters, signer, recipient } = message;
  const { tenant, sequence, outcome, reads } = result;
  const { device } = outcome;
  const payload = encodeResult({
    version: 1,
    tenant,
    device,
    sequence,
    outcome: signOutcome({ outcome, signer }),
    meters: reads === null ? [] : readingsFor(reads, meters),
  });
  return sealUplink({ payload, binding: { tenant, device, kind: 'result' }, recipient, signer });
}

/**
 * What was asked for and nothing beside it: the named registers of the named channels, which are the tenant's own.
 * No profile and no peak: those are the daily index's.
 */
export function readingsFor(
  { channels, registers }: Reads,
  meters: readonly MeterReading[],
): readonly MeterReading[] {
  return meters
    .filter(({ channel }) => channels.includes(channel))
    .map((meter) => ({
      ...meter,
      registers: meter.registers.filter(({ obis }) => registers.length === 0 || registers.includes(obis)),
      profiles: [],
      peaks: [],
      extremes: [],
    }))
    .filter((meter) => meter.registers.length > 0);
}
