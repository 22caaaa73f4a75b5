import { randomBytes } from 'node:crypto';
import { CborWriter } from './cbor/writer.ts';
import { aeadOpen, aeadSeal } from './cose/algorithms.ts';
import { sameBytes } from './cose/message.ts';
import { encryptStructure } from './cose/structures.ts';
import { HesError } from './errors.ts';
import { type Binding, messageKeys, topicBytes } from './keys.ts';
import { KID_BYTES, PAYLOAD_BYTES_MAX, SEALED_BYTES_MAX } from './limits.ts';
import { readOuter, writeOuter } from './outer.ts';
import { type SignerKey, signPayload } from './signed.ts';
import { type OpeningKey, SUITES, type Suite } from './suites.ts';

export type { Binding } from './keys.ts';
export { KID_BYTES } from './limits.ts';
export { readSigner, type SignerKey, verifyUplink } from './signed.ts';
export type { OpeningKey } from './suites.ts';

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

const writer = new CborWriter(SEALED_BYTES_MAX);

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
  const topic = topicBytes(binding);
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

  const outer = { suite, iv, ciphertext, kid: recipient.kid, sent };
  return { sealed: writer.write(() => writeOuter(writer, outer)), receiptKey };
}

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
  const { suite, iv, ciphertext, kid, sent } = readOuter(sealed, suites);

  const key = keys.find((candidate) => sameBytes(candidate.kid, kid));
  if (key === undefined) throw new HesError('ERR_ENVELOPE_KID', 'sealed to a key that is not ours');
  const secret = suite.agreement.decapsulate(key.privateKey, sent);
  if (secret === undefined)
    throw new HesError('ERR_ENVELOPE_AGREEMENT', 'what the sender sent gives no secret');

  const { contentKey, receiptKey } = messageKeys(suite, secret, binding, kid, sent);
  secret.fill(0);
  const aad = encryptStructure(suite.contentHeader, topicBytes(binding));
  const signed = aeadOpen(suite.content, contentKey, iv, aad, ciphertext);
  if (signed === undefined)
    throw new HesError('ERR_ENVELOPE_OPEN', 'altered, sealed to another key, or moved from another topic');
  return { signed, receiptKey };
}

function tooLarge(length: number, lengthMax: number): HesError {
  return new HesError('ERR_ENVELOPE_SIZE', 'larger than the limit', { context: { length, lengthMax } });
}
