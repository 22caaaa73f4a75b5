import { ALG } from './cose/algorithms.ts';
import { hkdfExpand, hkdfExtract } from './cose/hkdf.ts';
import { kdfContext } from './cose/structures.ts';
import type { DeviceId, TenantId } from './identity.ts';
import type { Suite } from './suites.ts';
import { type UpKind, upTopic } from './topics.ts';

/** Where a message belongs: the topic that it travels on. Both layers of the envelope are bound to it. */
export interface Binding {
  readonly tenant: TenantId;
  readonly device: DeviceId;
  readonly kind: UpKind;
}

/** The topic as external_aad: its levels are tenant, device, direction and kind, and it reads only one way. */
export function topicBytes(binding: Binding): Uint8Array {
  return Buffer.from(upTopic(binding.tenant, binding.device, binding.kind), 'latin1');
}

export interface MessageKeys {
  readonly contentKey: Uint8Array;
  readonly receiptKey: Uint8Array;
}

/** HMAC 256/256 takes a key of its own length. */
export const RECEIPT_KEY_BYTES = 32;

/**
 * The two keys of a message, from one secret: the AEAD's and the receipt's (RFC 9053 §5.2).
 *
 * The contexts name both parties, what the key is for, and both public keys of the agreement: ECDH takes only
 * the x coordinate of a point, so without the last a mirrored ephemeral key would open as well (RFC 9180 §4.1
 * binds them for the same reason). The parties change sides for the receipt, which goes the other way.
 */
export function messageKeys(
  suite: Suite,
  secret: Uint8Array,
  binding: Binding,
  kid: Uint8Array,
  sent: Uint8Array,
): MessageKeys {
  const device = { identity: Buffer.from(binding.device, 'hex'), nonce: sent };
  const tenant = { identity: Buffer.from(binding.tenant, 'latin1'), other: kid };
  const { recipientHeader, content } = suite;
  const contentContext = kdfContext({
    alg: content.alg,
    keyBits: content.keyBytes * 8,
    partyU: device,
    partyV: tenant,
    recipientHeader,
    purpose: Buffer.from(`up/${binding.kind}`, 'latin1'),
  });
  const receiptContext = kdfContext({
    alg: ALG.HMAC_256_256,
    keyBits: RECEIPT_KEY_BYTES * 8,
    partyU: tenant,
    partyV: device,
    recipientHeader,
    purpose: Buffer.from(`up/${binding.kind} receipt`, 'latin1'),
  });
  const prk = hkdfExtract(secret);
  return {
    contentKey: hkdfExpand(prk, contentContext, content.keyBytes),
    receiptKey: hkdfExpand(prk, receiptContext, RECEIPT_KEY_BYTES),
  };
}
