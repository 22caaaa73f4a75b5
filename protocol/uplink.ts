import { decodeCbor, encodeCbor } from './cbor/codec.ts';
import { byteString, choice, Misfit } from './cbor/shape.ts';
import { HesError } from './errors.ts';
import { ANSWER_BOUNDS, RECEIPT_BYTES_MAX } from './limits.ts';

/**
 * What a router answers to the front about one uplink, over the bus. A receipt goes on to the device as it is;
 * a refusal means that none could be made, so the front withholds the PUBACK and closes the connection.
 */
export type UplinkAnswer =
  | { readonly kind: 'receipt'; readonly receipt: Uint8Array }
  | { readonly kind: 'refused'; readonly reason: UplinkRefusal };

/**
 * Why there is no receipt: nothing that the sealed bytes gave could prove to the device who answered
 * (`envelope`, `oversize`), or the router had no room to open them (`overloaded`, `stopping`), or it failed
 * (`internal`), or nobody takes this kind of message yet (`unsupported`).
 */
export const UPLINK_REFUSALS = {
  envelope: 1,
  oversize: 2,
  overloaded: 3,
  stopping: 4,
  internal: 5,
  unsupported: 6,
} as const;
export type UplinkRefusal = keyof typeof UPLINK_REFUSALS;

const ANSWER_RECEIPT = 0;
const ANSWER_REFUSED = 1;

const receiptShape = byteString(1, RECEIPT_BYTES_MAX);
const reasonShape = choice<UplinkRefusal>(UPLINK_REFUSALS);

/** @throws ERR_ANSWER */
export function encodeUplinkAnswer(answer: UplinkAnswer): Uint8Array {
  return asAnswer(() =>
    answer.kind === 'receipt'
      ? encodeCbor([ANSWER_RECEIPT, receiptShape.encode(answer.receipt)], ANSWER_BOUNDS)
      : encodeCbor([ANSWER_REFUSED, reasonShape.encode(answer.reason)], ANSWER_BOUNDS),
  );
}

/** @throws ERR_ANSWER where the bytes are no answer */
export function decodeUplinkAnswer(bytes: Uint8Array): UplinkAnswer {
  return asAnswer(() => {
    const item = decodeCbor(bytes, ANSWER_BOUNDS);
    if (!Array.isArray(item) || item.length !== 2) throw new Misfit('an array of 2');
    if (item[0] === ANSWER_RECEIPT) return { kind: 'receipt', receipt: receiptShape.decode(item[1]) };
    if (item[0] === ANSWER_REFUSED) return { kind: 'refused', reason: reasonShape.decode(item[1]) };
    throw new Misfit('a receipt or a refusal');
  });
}

function asAnswer<T>(step: () => T): T {
  try {
    return step();
  } catch (cause) {
    if (cause instanceof Misfit || cause instanceof HesError)
      throw new HesError('ERR_ANSWER', 'not an answer to an uplink', { cause });
    throw cause;
  }
}
