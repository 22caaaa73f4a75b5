import { asMessageError, CborError } from './cbor/error.ts';
import { CborReader } from './cbor/reader.ts';
import { byteString, choice } from './cbor/shape.ts';
import { CborWriter } from './cbor/writer.ts';
import { ANSWER_BYTES_MAX, NOTICE_BYTES_MAX, RECEIPT_BYTES_MAX } from './limits.ts';

/**
 * What a router answers to the front about one uplink, over the bus. A receipt goes on to the device as it is;
 * a refusal means that none could be made, so the front withholds the PUBACK and closes the connection.
 */
export type UplinkAnswer =
  | {
      readonly kind: 'receipt';
      readonly receipt: Uint8Array;
      /** The operator's word to a device that seals to an older key of it (notice.ts): it goes before the receipt. */
      readonly notice?: Uint8Array;
    }
  | { readonly kind: 'refused'; readonly reason: UplinkRefusal };

/**
 * Why there is no receipt: nothing that the sealed bytes gave could prove to the device who answered
 * (`envelope`, `oversize`), or the router had no room to open them (`overloaded`, `stopping`), or it failed
 * (`internal`), or it does not take this kind of message (`unsupported`: another version).
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
const noticeShape = byteString(1, NOTICE_BYTES_MAX);
const reasonShape = choice<UplinkRefusal>(UPLINK_REFUSALS);

const writer = new CborWriter(ANSWER_BYTES_MAX);
const CODES = { schema: 'ERR_ANSWER', form: 'ERR_ANSWER' } as const;

/** @throws ERR_ANSWER */
export function encodeUplinkAnswer(answer: UplinkAnswer): Uint8Array {
  try {
    return writer.write(() => {
      if (answer.kind === 'receipt') {
        const { receipt, notice } = answer;
        writer.array(notice === undefined ? 2 : 3);
        writer.integer(ANSWER_RECEIPT);
        receiptShape.write(writer, receipt);
        if (notice !== undefined) noticeShape.write(writer, notice);
      } else {
        writer.array(2);
        writer.integer(ANSWER_REFUSED);
        reasonShape.write(writer, answer.reason);
      }
    });
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/** @throws ERR_ANSWER where the bytes are no answer */
export function decodeUplinkAnswer(bytes: Uint8Array): UplinkAnswer {
  try {
    const reader = new CborReader(bytes);
    const answer = readAnswer(reader);
    reader.end();
    return answer;
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

function readAnswer(reader: CborReader): UplinkAnswer {
  const count = reader.array(2, 3);
  const kind = reader.integer();
  if (kind === ANSWER_RECEIPT) {
    const receipt = receiptShape.read(reader);
    return { kind: 'receipt', receipt, ...(count === 2 ? {} : { notice: noticeShape.read(reader) }) };
  }
  if (kind === ANSWER_REFUSED && count === 2) return { kind: 'refused', reason: reasonShape.read(reader) };
  throw new CborError('ERR_CBOR_SCHEMA', 'expected a receipt or a refusal');
}
