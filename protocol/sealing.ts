import { randomBytes } from 'node:crypto';
import { CborWriter } from './cbor/writer.ts';
import { aeadOpen, aeadSeal } from './cose/algorithms.ts';
import { sameBytes } from './cose/message.ts';
import { encryptStructure } from './cose/structures.ts';
import { HesError } from './errors.ts';
import { KID_BYTES, SEALED_BYTES_MAX } from './limits.ts';
import { readOuter, writeOuter } from './outer.ts';
import type { OpeningKey, Suite } from './suites.ts';

/**
 * The outer layer of both directions: COSE_Encrypt (RFC 9052 §5.1) around bytes that are signed already. What
 * tells the directions apart, a caller brings along: the topic as external_aad and its own derivation of keys.
 */

/** A public key that can be sealed to, as its certificate holds it. */
export interface RecipientKey {
  readonly kid: Uint8Array;
  /** For P-256 the 65 bytes of the uncompressed point. */
  readonly publicKey: Uint8Array;
  /** The row of SUITES that the key is for; the first where nothing is said. */
  readonly suite?: string;
}

/** The recipient's side of it. Several may be valid at once while one is rolled over. */
export interface SealingKey {
  readonly kid: Uint8Array;
  readonly privateKey: OpeningKey;
}

/** A key that is elsewhere, as in a token: it gives the secret of one message, and never itself. */
export interface RemoteKey {
  readonly kid: Uint8Array;
  /** The row of SUITES that it agrees by. */
  readonly suite: string;
  /** @param sent what the sender sent, known to be valid */
  agree(sent: Uint8Array): Promise<Uint8Array>;
}

/** The keys of one message from its secret: the cipher's, and whatever else the direction needs. */
export type Derive<Keys extends { readonly contentKey: Uint8Array }> = (agreed: {
  readonly suite: Suite;
  readonly secret: Uint8Array;
  readonly kid: Uint8Array;
  /** What the sender sent for the key agreement. */
  readonly sent: Uint8Array;
}) => Keys;

const writer = new CborWriter(SEALED_BYTES_MAX);

/** @throws ERR_ENVELOPE_RECIPIENT where the recipient's key or suite is none of ours */
export function sealTo<Keys extends { readonly contentKey: Uint8Array }>(message: {
  readonly clear: Uint8Array;
  readonly topic: Uint8Array;
  readonly recipient: RecipientKey;
  readonly suites: readonly Suite[];
  readonly derive: Derive<Keys>;
}): { readonly sealed: Uint8Array; readonly keys: Keys } {
  const { clear, topic, recipient, suites, derive } = message;
  const { kid } = recipient;
  const suite =
    recipient.suite === undefined ? suites[0] : suites.find((row) => row.name === recipient.suite);
  const agreed = suite?.agreement.encapsulate(recipient.publicKey);
  if (suite === undefined || agreed === undefined || kid.length !== KID_BYTES)
    throw new HesError('ERR_ENVELOPE_RECIPIENT', 'the recipient is no key that this side can seal to');

  const { secret, sent } = agreed;
  const keys = derive({ suite, secret, kid, sent });
  secret.fill(0);
  const iv = randomBytes(suite.content.ivBytes);
  const aad = encryptStructure(suite.contentHeader, topic);
  const ciphertext = aeadSeal(suite.content, keys.contentKey, iv, aad, clear);
  const outer = { suite, iv, ciphertext, kid, sent };
  return { sealed: writer.write(() => writeOuter(writer, outer)), keys };
}

interface Opening<Keys extends { readonly contentKey: Uint8Array }, Key> {
  readonly sealed: Uint8Array;
  readonly bytesMax: number;
  readonly topic: Uint8Array;
  readonly keys: readonly Key[];
  readonly suites: readonly Suite[];
  readonly derive: Derive<Keys>;
}

export interface OpenedSealed<Keys> {
  readonly clear: Uint8Array;
  readonly keys: Keys;
  readonly kid: Uint8Array;
}

/**
 * At once where the key is here; where it is elsewhere, a promise that rejects with the errors of that place, too.
 * @throws ERR_ENVELOPE_SIZE, ERR_ENVELOPE_SHAPE, ERR_ENVELOPE_SUITE, ERR_ENVELOPE_KID, ERR_ENVELOPE_AGREEMENT,
 *   ERR_ENVELOPE_OPEN where the cipher refuses: altered, sealed to another key, moved, or of the other direction
 */
export function openSealed<Keys extends { readonly contentKey: Uint8Array }>(
  message: Opening<Keys, SealingKey>,
): OpenedSealed<Keys>;
export function openSealed<Keys extends { readonly contentKey: Uint8Array }>(
  message: Opening<Keys, SealingKey | RemoteKey>,
): OpenedSealed<Keys> | Promise<OpenedSealed<Keys>>;
export function openSealed<Keys extends { readonly contentKey: Uint8Array }>(
  message: Opening<Keys, SealingKey | RemoteKey>,
): OpenedSealed<Keys> | Promise<OpenedSealed<Keys>> {
  const { sealed, bytesMax, topic, keys, suites, derive } = message;
  if (sealed.length > bytesMax) throw tooLarge(sealed.length, bytesMax);
  const { suite, iv, ciphertext, kid, sent } = readOuter(sealed, suites);

  const openWith = (secret: Uint8Array | undefined): OpenedSealed<Keys> => {
    if (secret === undefined)
      throw new HesError('ERR_ENVELOPE_AGREEMENT', 'what the sender sent gives no secret');
    const derived = derive({ suite, secret, kid, sent });
    secret.fill(0);
    const aad = encryptStructure(suite.contentHeader, topic);
    const clear = aeadOpen(suite.content, derived.contentKey, iv, aad, ciphertext);
    if (clear === undefined)
      throw new HesError('ERR_ENVELOPE_OPEN', 'altered, sealed to another key, or moved from another topic');
    return { clear, keys: derived, kid };
  };

  const key = keys.find((candidate) => sameBytes(candidate.kid, kid));
  if (key === undefined) throw new HesError('ERR_ENVELOPE_KID', 'sealed to a key that is not ours');
  const { agreement } = suite;
  if (!('agree' in key)) return openWith(agreement.decapsulate(key.privateKey, sent));
  // A point off the curve would read the private key out of a token that does not look.
  return key.suite === suite.name && agreement.isSent(sent)
    ? key.agree(sent).then(openWith)
    : openWith(undefined);
}

export function tooLarge(length: number, lengthMax: number): HesError {
  return new HesError('ERR_ENVELOPE_SIZE', 'larger than the limit', { context: { length, lengthMax } });
}
