import { decodeCbor } from './cbor/codec.ts';
import { readSign1 } from './cose/message.ts';
import { PAYLOAD_BOUNDS, SEQUENCE_MAX, SIGNED_BOUNDS } from './limits.ts';

/** The key of `sequence` in a daily index (payload.ts); every version keeps it. */
const SEQUENCE_KEY = 4;

/**
 * The sequence that an opened message claims, unverified: the signature may be wrong and the rest unreadable.
 *
 * It only names the reading in a receipt that refuses it. Without that name a device could not tell which
 * reading to park, and would send the same bytes for ever. A false claim harms nobody else: the receipt is made
 * with the key of this very message, which nobody but its sender holds.
 */
export function claimedSequence(signed: Uint8Array): number | undefined {
  try {
    const index = decodeCbor(readSign1(signed, SIGNED_BOUNDS).payload, PAYLOAD_BOUNDS);
    const sequence: unknown = index instanceof Map ? index.get(SEQUENCE_KEY) : undefined;
    const isSequence = Number.isSafeInteger(sequence) && (sequence as number) >= 1;
    return isSequence && (sequence as number) <= SEQUENCE_MAX ? (sequence as number) : undefined;
  } catch {
    return undefined;
  }
}
