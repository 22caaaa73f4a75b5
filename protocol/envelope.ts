import { type Binding, type MessageKeys, messageKeys, topicBytes } from './keys.ts';
import { PAYLOAD_BYTES_MAX, SEALED_BYTES_MAX } from './limits.ts';
import {
  type Derive,
  type OpenedSealed,
  openSealed,
  type RecipientKey,
  type RemoteKey,
  type SealingKey,
  sealTo,
  tooLarge,
} from './sealing.ts';
import { type SignerKey, signPayload } from './signed.ts';
import { SUITES, type Suite } from './suites.ts';

export type { Binding } from './keys.ts';
export { KID_BYTES } from './limits.ts';
export type { RecipientKey, RemoteKey, SealingKey } from './sealing.ts';
export { readSigner, type SignerKey, verifyUplink } from './signed.ts';
export type { OpeningKey } from './suites.ts';

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
  const topic = topicBytes(binding);
  const clear = signPayload(payload, topic, signer);
  const { sealed, keys } = sealTo({ clear, topic, recipient, suites, derive: uplinkKeys(binding) });
  return { sealed, receiptKey: keys.receiptKey };
}

interface UplinkOpening<Key> {
  readonly sealed: Uint8Array;
  readonly binding: Binding;
  readonly keys: readonly Key[];
  readonly suites?: readonly Suite[];
}

export interface OpenedUplink {
  readonly signed: Uint8Array;
  readonly receiptKey: Uint8Array;
  /** The key that it was sealed to. */
  readonly kid: Uint8Array;
}

/**
 * Open what a device sealed, with the topic that it came by. The result is a COSE_Sign1 whose signer is not
 * known yet: `readSigner`, then the trust of that certificate, then `verifyUplink`.
 *
 * @throws ERR_ENVELOPE_SIZE; ERR_ENVELOPE_SHAPE where the bytes are not this protocol's COSE_Encrypt;
 *   ERR_ENVELOPE_SUITE for algorithms that this side does not take; ERR_ENVELOPE_KID for a key that is not
 *   among `keys`; ERR_ENVELOPE_AGREEMENT where the ephemeral key is none; ERR_ENVELOPE_OPEN where it does not
 *   open: altered, sealed to another key, or moved from another topic. The cipher cannot tell which. With a key that is
 *   elsewhere the result is a promise, which rejects with what goes wrong there.
 */
export function openUplink(message: UplinkOpening<SealingKey>): OpenedUplink;
export function openUplink(
  message: UplinkOpening<SealingKey | RemoteKey>,
): OpenedUplink | Promise<OpenedUplink>;
export function openUplink(
  message: UplinkOpening<SealingKey | RemoteKey>,
): OpenedUplink | Promise<OpenedUplink> {
  const { sealed, binding, keys, suites = SUITES } = message;
  const opened = openSealed({
    sealed,
    bytesMax: SEALED_BYTES_MAX,
    topic: topicBytes(binding),
    keys,
    suites,
    derive: uplinkKeys(binding),
  });
  return 'then' in opened ? opened.then(openedUplink) : openedUplink(opened);
}

const openedUplink = ({ clear, keys, kid }: OpenedSealed<MessageKeys>): OpenedUplink => ({
  signed: clear,
  receiptKey: keys.receiptKey,
  kid,
});

const uplinkKeys =
  (binding: Binding): Derive<MessageKeys> =>
  ({ suite, secret, kid, sent }) =>
    messageKeys(suite, secret, binding, kid, sent);
