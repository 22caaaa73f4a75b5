import { encodeCbor } from './cbor/codec.ts';
import { asMessageError, CborError } from './cbor/error.ts';
import { CborReader } from './cbor/reader.ts';
import { always, fields, unlessNull } from './cbor/record.ts';
import { choice, integer, literal, type Shape } from './cbor/shape.ts';
import { CborWriter } from './cbor/writer.ts';
import { HMAC_256_256, macHolds } from './cose/algorithms.ts';
import { COSE_TAG, HEADER, sameBytes } from './cose/message.ts';
import { macStructure } from './cose/structures.ts';
import { HesError } from './errors.ts';
import type { DeviceId, TenantId } from './identity.ts';
import { DEVICE_SHAPE, TENANT_SHAPE } from './identity-shape.ts';
import {
  EPOCH_SECONDS_MAX,
  HEADER_BOUNDS,
  LATER_SECONDS_MAX,
  RECEIPT_BYTES_MAX,
  SEQUENCE_MAX,
} from './limits.ts';
import { downTopic } from './topics.ts';

/**
 * Why an operator refuses a message for good. The device parks it: sending the same bytes again cannot help. `desk`:
 * the result of a command that the desk never gave to this device.
 */
export const REFUSAL_CODES = {
  signature: 1,
  schema: 2,
  identity: 3,
  future: 4,
  'too-old': 5,
  revoked: 6,
  mdm: 7,
  desk: 8,
} as const;
export type RefusalCode = keyof typeof REFUSAL_CODES;
export const REFUSALS = Object.keys(REFUSAL_CODES) as readonly RefusalCode[];

export type Verdict =
  | { readonly verdict: 'delivered' }
  | { readonly verdict: 'duplicate' }
  | { readonly verdict: 'refused'; readonly code: RefusalCode }
  | { readonly verdict: 'later'; readonly seconds: number };

/** What the operator proves to the device: that its key opened the reading, and what became of it. */
export type Receipt = Verdict & {
  readonly tenant: TenantId;
  readonly device: DeviceId;
  readonly sequence: number;
  /** Epoch seconds, the router's clock. */
  readonly time: number;
};

/** The four verdicts side by side: what the wire has. */
interface Wire {
  readonly version: 1;
  readonly tenant: TenantId;
  readonly device: DeviceId;
  readonly sequence: number;
  readonly verdict: Verdict['verdict'];
  readonly time: number;
  readonly code: RefusalCode | null;
  readonly seconds: number | null;
}

const VERDICTS: Readonly<Record<Verdict['verdict'], number>> = {
  delivered: 0,
  duplicate: 1,
  refused: 2,
  later: 3,
};
const wireShape: Shape<Wire> = fields<Wire>({
  version: always(1, literal(1)),
  tenant: always(2, TENANT_SHAPE),
  device: always(3, DEVICE_SHAPE),
  sequence: always(4, integer(1, SEQUENCE_MAX)),
  verdict: always(5, choice(VERDICTS)),
  time: always(6, integer(0, EPOCH_SECONDS_MAX)),
  code: unlessNull(7, choice<RefusalCode>(REFUSAL_CODES)),
  seconds: unlessNull(8, integer(1, LATER_SECONDS_MAX)),
});

const CODES = { schema: 'ERR_RECEIPT_CONTENT', form: 'ERR_RECEIPT_CONTENT' } as const;
const writer = new CborWriter(RECEIPT_BYTES_MAX);

const MAC = HMAC_256_256;
const MAC_HEADER = encodeCbor(new Map([[HEADER.alg, MAC.alg]]), HEADER_BOUNDS);

/** What is authenticated beside the content: the topic that a receipt travels on. */
function structureOf(receipt: { tenant: TenantId; device: DeviceId }, content: Uint8Array): Uint8Array {
  const topic = Buffer.from(downTopic(receipt.tenant, receipt.device, 'receipt'), 'latin1');
  return macStructure('MAC0', MAC_HEADER, topic, content);
}

/**
 * The proof that a reading was opened, and what became of it (RFC 9052 §6.2): COSE_Mac0 under a key that only
 * the device and the holder of the operator's sealing key can have.
 * @throws ERR_RECEIPT_CONTENT where a member is out of its range
 */
export function makeReceipt(receiptKey: Uint8Array, receipt: Receipt): Uint8Array {
  const { tenant, device, sequence, verdict, time } = receipt;
  const code = verdict === 'refused' ? receipt.code : null;
  const seconds = verdict === 'later' ? receipt.seconds : null;
  try {
    const wire: Wire = { version: 1, tenant, device, sequence, verdict, time, code, seconds };
    const content = writer.write(() => wireShape.write(writer, wire));
    const tag = MAC.compute(receiptKey, structureOf(receipt, content));
    return writer.write(() => {
      writer.tag(COSE_TAG.mac0);
      writer.array(4);
      writer.bytes(MAC_HEADER);
      writer.map(0);
      writer.bytes(content);
      writer.bytes(tag);
    });
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}

/**
 * Check a receipt against the reading that it should be about.
 * @throws ERR_RECEIPT_SHAPE where the bytes are no receipt; ERR_RECEIPT_MAC where this key did not make it, or
 *   it was altered or moved; ERR_RECEIPT_CONTENT where its content is not known here; ERR_RECEIPT_OTHER where it
 *   is about another reading
 */
export function readReceipt(
  receiptKey: Uint8Array,
  bytes: Uint8Array,
  expected: { readonly tenant: TenantId; readonly device: DeviceId; readonly sequence: number },
): Receipt {
  const { payload, tag } = readShell(bytes);
  if (!macHolds(MAC, receiptKey, structureOf(expected, payload), tag))
    throw new HesError('ERR_RECEIPT_MAC', 'not made with the key of this reading, altered, or moved');
  const receipt = readContent(payload);
  if (
    receipt.tenant !== expected.tenant ||
    receipt.device !== expected.device ||
    receipt.sequence !== expected.sequence
  )
    throw new HesError('ERR_RECEIPT_OTHER', 'about another reading', {
      context: { expected: expected.sequence, sequence: receipt.sequence },
    });
  return receipt;
}

/** This protocol's COSE_Mac0 (RFC 9052 §6.2): one algorithm, no other headers. */
function readShell(bytes: Uint8Array): { readonly payload: Uint8Array; readonly tag: Uint8Array } {
  try {
    const reader = new CborReader(bytes);
    reader.tag(COSE_TAG.mac0);
    reader.array(4, 4);
    if (!sameBytes(reader.bytes(MAC_HEADER.length), MAC_HEADER))
      reader.fail('ERR_CBOR_SCHEMA', 'expected HMAC 256/256');
    reader.map(0, 0);
    const payload = reader.bytes(RECEIPT_BYTES_MAX);
    const tag = reader.bytesOf(MAC.tagBytes);
    reader.end();
    return { payload, tag };
  } catch (cause) {
    if (cause instanceof CborError)
      throw new HesError('ERR_RECEIPT_SHAPE', `not a receipt: ${cause.message}`, { cause });
    throw cause;
  }
}

/** What a receipt says, once its tag holds. @throws ERR_RECEIPT_CONTENT */
export function readContent(content: Uint8Array): Receipt {
  try {
    const reader = new CborReader(content);
    const { tenant, device, sequence, time, verdict, code, seconds } = wireShape.read(reader);
    reader.end();
    const about = { tenant, device, sequence, time };
    if (verdict === 'refused' && code !== null && seconds === null) return { ...about, verdict, code };
    if (verdict === 'later' && seconds !== null && code === null) return { ...about, verdict, seconds };
    if (verdict !== 'refused' && verdict !== 'later' && code === null && seconds === null)
      return { ...about, verdict };
    throw new CborError('ERR_CBOR_SCHEMA', 'expected a verdict with what belongs to it, and nothing else');
  } catch (error) {
    throw asMessageError(error, CODES);
  }
}
