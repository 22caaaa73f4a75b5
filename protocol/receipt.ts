import { type CborItem, decodeCbor, encodeCbor } from './cbor/codec.ts';
import { choice, fields, integer, literal, Misfit, nullable, type Shape } from './cbor/shape.ts';
import { ALG, MACS, macHolds, macTag } from './cose/algorithms.ts';
import { COSE_TAG, HEADER, type Mac0, readMac0, sameBytes, writeMessage } from './cose/message.ts';
import { macStructure } from './cose/structures.ts';
import { HesError } from './errors.ts';
import type { DeviceId, TenantId } from './identity.ts';
import { DEVICE_SHAPE, TENANT_SHAPE } from './identity-shape.ts';
import {
  EPOCH_SECONDS_MAX,
  HEADER_BOUNDS,
  LATER_SECONDS_MAX,
  RECEIPT_BOUNDS,
  SEQUENCE_MAX,
} from './limits.ts';
import { downTopic } from './topics.ts';

/** Why an operator refuses a reading for good. The device parks it: sending the same bytes again cannot help. */
export const REFUSAL_CODES = {
  signature: 1,
  schema: 2,
  identity: 3,
  future: 4,
  'too-old': 5,
  revoked: 6,
  mdm: 7,
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
const isNull = (value: unknown): boolean => value === null;

const wireShape: Shape<Wire> = fields<Wire>({
  version: [1, literal(1)],
  tenant: [2, TENANT_SHAPE],
  device: [3, DEVICE_SHAPE],
  sequence: [4, integer(1, SEQUENCE_MAX)],
  verdict: [5, choice(VERDICTS)],
  time: [6, integer(0, EPOCH_SECONDS_MAX)],
  code: [7, nullable(choice<RefusalCode>(REFUSAL_CODES)), isNull, null],
  seconds: [8, nullable(integer(1, LATER_SECONDS_MAX)), isNull, null],
});

const MAC = MACS.get(ALG.HMAC_256_256)!;
const MAC_HEADER = encodeCbor(new Map([[HEADER.alg, MAC.alg]]), HEADER_BOUNDS);
const NO_HEADERS: ReadonlyMap<number, number> = new Map();

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
    const wire = wireShape.encode({ version: 1, tenant, device, sequence, verdict, time, code, seconds });
    const content = encodeCbor(wire, RECEIPT_BOUNDS);
    const tag = macTag(MAC, receiptKey, structureOf(receipt, content));
    return writeMessage(COSE_TAG.mac0, [MAC_HEADER, NO_HEADERS, content, tag], RECEIPT_BOUNDS);
  } catch (error) {
    throw contentError(error);
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

function readShell(bytes: Uint8Array): Mac0 {
  let shell: Mac0;
  try {
    shell = readMac0(bytes, RECEIPT_BOUNDS);
  } catch (cause) {
    throw new HesError('ERR_RECEIPT_SHAPE', 'not a COSE_Mac0', { cause });
  }
  if (!sameBytes(shell.header, MAC_HEADER) || shell.unprotected.size > 0)
    throw new HesError('ERR_RECEIPT_SHAPE', 'another algorithm, or headers beyond ours');
  return shell;
}

function readContent(content: Uint8Array): Receipt {
  try {
    const item: CborItem = decodeCbor(content, RECEIPT_BOUNDS);
    const { tenant, device, sequence, time, verdict, code, seconds } = wireShape.decode(item);
    const about = { tenant, device, sequence, time };
    if (verdict === 'refused' && code !== null && seconds === null) return { ...about, verdict, code };
    if (verdict === 'later' && seconds !== null && code === null) return { ...about, verdict, seconds };
    if (verdict !== 'refused' && verdict !== 'later' && code === null && seconds === null)
      return { ...about, verdict };
    throw new Misfit('a verdict with what belongs to it, and nothing else');
  } catch (error) {
    throw contentError(error);
  }
}

function contentError(error: unknown): unknown {
  if (error instanceof Misfit)
    return new HesError('ERR_RECEIPT_CONTENT', `${error.field}: expected ${error.message}`, {
      context: { field: error.field },
    });
  if (error instanceof HesError && error.code.startsWith('ERR_CBOR_'))
    return new HesError('ERR_RECEIPT_CONTENT', 'not CBOR that we take', { cause: error });
  return error;
}
