import { hkdfExpand, hkdfExtract } from '../cose/hkdf.ts';
import { kdfContext } from '../cose/structures.ts';
import { COMMAND_SEALED_BYTES_MAX, COMMAND_SIGNED_BYTES_MAX } from '../limits.ts';
import { type Derive, openSealed, type RecipientKey, type SealingKey, sealTo } from '../sealing.ts';
import { SUITES, type Suite } from '../suites.ts';
import { commandTooLarge } from './command.ts';
import { type CommandBinding, commandTopic } from './signed.ts';

/** SuppPubInfo.other: an uplink has `up/…` there, so that neither direction's keys are the other's. */
const PURPOSE = Buffer.from('down/command', 'latin1');

/**
 * The content key of a command (RFC 9053 §5.2). The context names the operator as the sender, the device as the
 * recipient with its kid, what was sent for the agreement, and the direction.
 */
const commandKey =
  ({ tenant, device }: CommandBinding): Derive<{ readonly contentKey: Uint8Array }> =>
  ({ suite, secret, kid, sent }) => {
    const { recipientHeader, content } = suite;
    const context = kdfContext({
      alg: content.alg,
      keyBits: content.keyBytes * 8,
      partyU: { identity: Buffer.from(tenant, 'latin1'), nonce: sent },
      partyV: { identity: Buffer.from(device, 'hex'), other: kid },
      recipientHeader,
      purpose: PURPOSE,
    });
    return { contentKey: hkdfExpand(hkdfExtract(secret), context, content.keyBytes) };
  };

/**
 * Seal a signed command to the key-agreement key of its device: what is published on its topic.
 * @throws ERR_COMMAND_SIZE; ERR_ENVELOPE_RECIPIENT where the device's key or suite is none of ours
 */
export function sealCommand(message: {
  readonly signed: Uint8Array;
  readonly binding: CommandBinding;
  readonly recipient: RecipientKey;
  readonly suites?: readonly Suite[];
}): Uint8Array {
  const { signed, binding, recipient, suites = SUITES } = message;
  if (signed.length > COMMAND_SIGNED_BYTES_MAX)
    throw commandTooLarge(signed.length, COMMAND_SIGNED_BYTES_MAX);
  const topic = commandTopic(binding);
  return sealTo({ clear: signed, topic, recipient, suites, derive: commandKey(binding) }).sealed;
}

/**
 * Open what came on a device's own command topic. Its signers are not known yet: `verifyCommand`.
 * @throws ERR_ENVELOPE_SIZE, ERR_ENVELOPE_SHAPE, ERR_ENVELOPE_SUITE, ERR_ENVELOPE_KID, ERR_ENVELOPE_AGREEMENT,
 *   ERR_ENVELOPE_OPEN: altered, sealed to another device, moved from another topic, or an uplink
 */
export function openCommand(message: {
  readonly sealed: Uint8Array;
  readonly binding: CommandBinding;
  readonly keys: readonly SealingKey[];
  readonly suites?: readonly Suite[];
}): Uint8Array {
  const { sealed, binding, keys, suites = SUITES } = message;
  const topic = commandTopic(binding);
  const bytesMax = COMMAND_SEALED_BYTES_MAX;
  return openSealed({ sealed, bytesMax, topic, keys, suites, derive: commandKey(binding) }).clear;
}
