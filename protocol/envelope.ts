import { randomBytes } from 'node:crypto';
import type { CborItem } from './cbor/codec.ts';
import { aeadOpen, aeadSeal } from './cose/algorithms.ts';
import { COSE_TAG, type Encrypt, HEADER, readEncrypt, sameBytes, writeMessage } from './cose/message.ts';
import { encryptStructure } from './cose/structures.ts';
import { HesError } from './errors.ts';
import { type Binding, messageKeys } from './keys.ts';
import { PAYLOAD_BYTES_MAX, SEALED_BOUNDS, SEALED_BYTES_MAX } from './limits.ts';
import { type SignerKey, signPayload } from './signed.ts';
import { type OpeningKey, SUITES, type Suite } from './suites.ts';
import { upTopic } from './topics.ts';

export type { Binding } from './keys.ts';
export { readSigner, type SignerKey, verifyUplink } from './signed.ts';
export type { OpeningKey } from './suites.ts';

/** A `kid`: the first bytes of SHA-256 over the key's SubjectPublicKeyInfo. It names; it proves nothing. */
export const KID_BYTES = 8;

/** The operator's public sealing key, as its certificate holds it. */
export interface RecipientKey {
  readonly kid: Uint8Array;
  /** For P-256 the 65 bytes of the uncompressed point. */
  readonly publicKey: Uint8Array;
  /** The row of SUITES that the key is for; the first where nothing is said. */
  readonly suite?: string;
}

/** The operator's side of it. Several may be valid at once while one is rolled over. */
export interface SealingKey {
  readonly kid: Uint8Array;
  readonly privateKey: OpeningKey;
}

export interface Sealed {
  /** COSE_Encrypt around COSE_Sign1 around the payload: what is published. */
  readonly sealed: Uint8Array;
  /** What checks the receipt: kept beside the sealed bytes. It opens nothing. */
  readonly receiptKey: Uint8Array;
}

/**
 * Sign a payload and seal it to its owner (RFC 9052 §4.2, §5.1): sign inside, seal outside, so that the
 * carrier does not see who signed. Both layers carry the topic as external_aad, and the keys are derived from
 * it too: nothing that was sealed for one tenant, device or kind opens as another.
 *
 * @throws ERR_ENVELOPE_SIZE where payload or certificate are larger than the limits;
 *   ERR_ENVELOPE_RECIPIENT where the recipient's key or suite is none of ours.
 */
export function sealUplink(message: {
  readonly payload: Uint8Array;
  readonly binding: Binding;
  readonly recipient: RecipientKey;
  readonly signer: SignerKey;
  readonly suites?: readonly Suite[];
}): Sealed {
  const { payload, binding, recipient, signer, suites = SUITES } = message;
  if (payload.length > PAYLOAD_BYTES_MAX) throw tooLarge(payload.length, PAYLOAD_BYTES_MAX);
  const topic = Buffer.from(upTopic(binding.tenant, binding.device, binding.kind), 'latin1');
  const signed = signPayload(payload, topic, signer);

  const suite =
    recipient.suite === undefined ? suites[0] : suites.find((row) => row.name === recipient.suite);
  const agreed = suite?.agreement.encapsulate(recipient.publicKey);
  if (suite === undefined || agreed === undefined || recipient.kid.length !== KID_BYTES)
    throw new HesError('ERR_ENVELOPE_RECIPIENT', 'the recipient is no key that this side can seal to');

  const { secret, sent } = agreed;
  const { contentKey, receiptKey } = messageKeys(suite, secret, binding, recipient.kid, sent);
  secret.fill(0);
  const iv = randomBytes(suite.content.ivBytes);
  const aad = encryptStructure(suite.contentHeader, topic);
  const ciphertext = aeadSeal(suite.content, contentKey, iv, aad, signed);

  const { label, toHeader } = suite.agreement;
  const parameters = new Map([
    [HEADER.kid, recipient.kid],
    [label, toHeader(sent)],
  ]);
  const recipients = [[suite.recipientHeader, parameters, NO_BYTES]];
  const items = [suite.contentHeader, new Map([[HEADER.iv, iv]]), ciphertext, recipients];
  return { sealed: writeMessage(COSE_TAG.encrypt, items, SEALED_BOUNDS), receiptKey };
}

const NO_BYTES = new Uint8Array(0);

/**
 * Open what a device sealed, with the topic that it came by. The result is a COSE_Sign1 whose signer is not
 * known yet: `readSigner`, then the trust of that certificate, then `verifyUplink`.
 *
 * @throws ERR_ENVELOPE_SIZE; ERR_ENVELOPE_SHAPE where the bytes are not this protocol's COSE_Encrypt;
 *   ERR_ENVELOPE_SUITE for algorithms that this side does not take; ERR_ENVELOPE_KID for a key that is not
 *   among `keys`; ERR_ENVELOPE_AGREEMENT where the ephemeral key is none; ERR_ENVELOPE_OPEN where it does not
 *   open: altered, sealed to another key, or moved from another topic. The cipher cannot tell which.
 */
export function openUplink(message: {
  readonly sealed: Uint8Array;
  readonly binding: Binding;
  readonly keys: readonly SealingKey[];
  readonly suites?: readonly Suite[];
}): { readonly signed: Uint8Array; readonly receiptKey: Uint8Array } {
  const { sealed, binding, keys, suites = SUITES } = message;
  if (sealed.length > SEALED_BYTES_MAX) throw tooLarge(sealed.length, SEALED_BYTES_MAX);
  const outer = readOuter(sealed);
  const recipient = outer.recipients[0]!;
  const suite = suites.find(
    (row) => sameBytes(row.contentHeader, outer.header) && sameBytes(row.recipientHeader, recipient.header),
  );
  if (suite === undefined)
    throw new HesError('ERR_ENVELOPE_SUITE', 'algorithms that this side does not take');

  const { agreement, content } = suite;
  const kid = bytesOf(recipient.unprotected.get(HEADER.kid), KID_BYTES);
  const iv = bytesOf(outer.unprotected.get(HEADER.iv), content.ivBytes);
  const parameter = recipient.unprotected.get(agreement.label);
  if (parameter === undefined) throw shape('the recipient lacks what its algorithm sends');

  const key = keys.find((candidate) => sameBytes(candidate.kid, kid));
  if (key === undefined) throw new HesError('ERR_ENVELOPE_KID', 'sealed to a key that is not ours');
  const sent = agreement.fromHeader(parameter);
  const secret = sent === undefined ? undefined : agreement.decapsulate(key.privateKey, sent);
  if (sent === undefined || secret === undefined)
    throw new HesError('ERR_ENVELOPE_AGREEMENT', 'what the sender sent gives no secret');

  const { contentKey, receiptKey } = messageKeys(suite, secret, binding, kid, sent);
  secret.fill(0);
  const topic = Buffer.from(upTopic(binding.tenant, binding.device, binding.kind), 'latin1');
  const aad = encryptStructure(outer.header, topic);
  const signed = aeadOpen(content, contentKey, iv, aad, outer.ciphertext);
  if (signed === undefined)
    throw new HesError('ERR_ENVELOPE_OPEN', 'altered, sealed to another key, or moved from another topic');
  return { signed, receiptKey };
}

/** This protocol's COSE_Encrypt: one recipient, the headers that it needs, and not one more. */
function readOuter(sealed: Uint8Array): Encrypt {
  let outer: Encrypt;
  try {
    outer = readEncrypt(sealed, SEALED_BOUNDS);
  } catch (cause) {
    throw shape('not a COSE_Encrypt', cause);
  }
  const [recipient, ...others] = outer.recipients;
  if (recipient === undefined || others.length > 0) throw shape('not exactly one recipient');
  if (recipient.encryptedKey.length > 0) throw shape('a wrapped key where the key is derived');
  if (outer.unprotected.size !== 1 || recipient.unprotected.size !== 2) throw shape('headers beyond ours');
  return outer;
}

function bytesOf(item: CborItem | undefined, length: number): Uint8Array {
  if (item instanceof Uint8Array && item.length === length) return item;
  throw shape('a header that is missing or of another length');
}

function shape(what: string, cause?: unknown): HesError {
  return new HesError('ERR_ENVELOPE_SHAPE', what, { cause });
}

function tooLarge(length: number, lengthMax: number): HesError {
  return new HesError('ERR_ENVELOPE_SIZE', 'larger than the limit', { context: { length, lengthMax } });
}
