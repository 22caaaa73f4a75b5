import type { CborBounds } from '../cbor/check.ts';
import { type CborItem, decodeCbor } from '../cbor/codec.ts';
import { HesError } from '../errors.ts';

/** CBOR tags of RFC 9052 §2. */
export const COSE_TAG = { mac0: 17, sign1: 18, encrypt: 96, mac: 97, sign: 98 } as const;

/** Header parameters (RFC 9052 §3.1, RFC 9053 §6.3, RFC 9360 §2). */
export const HEADER = {
  alg: 1,
  kid: 4,
  iv: 5,
  x5chain: 33,
  ephemeralKey: -1,
  staticKey: -2,
  salt: -20,
  partyUNonce: -22,
} as const;

export type HeaderMap = ReadonlyMap<CborItem, CborItem>;

/*
 * COSE messages of any sender, through cbor-x: headers are open, so nothing but the bounds is known of them
 * beforehand. The three messages of this protocol have one form each and are read by hand (outer.ts, signed.ts,
 * receipt.ts); this is for what they have not, such as a message that was signed and cannot be verified.
 */

/** What every COSE structure begins with. `header` is the protected map as it was sent: that is what is signed. */
export interface Headers {
  readonly header: Uint8Array;
  readonly unprotected: HeaderMap;
}

export interface Sign1 extends Headers {
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

export interface Signature extends Headers {
  readonly signature: Uint8Array;
}

export interface Sign extends Headers {
  readonly payload: Uint8Array;
  readonly signatures: readonly Signature[];
}

export interface Recipient extends Headers {
  readonly encryptedKey: Uint8Array;
}

export interface Encrypt extends Headers {
  readonly ciphertext: Uint8Array;
  readonly recipients: readonly Recipient[];
}

export interface Mac extends Headers {
  readonly payload: Uint8Array;
  readonly tag: Uint8Array;
  readonly recipients: readonly Recipient[];
}

function refuse(expected: string): never {
  throw new HesError('ERR_COSE_SHAPE', `expected ${expected}`);
}

function bytesOf(item: CborItem | undefined, what: string): Uint8Array {
  return item instanceof Uint8Array ? item : refuse(`${what} as a byte string`);
}

/** The head of a tag, and the array behind it: every message here travels tagged. */
const tagHead = (tag: number): Uint8Array =>
  tag < 24 ? Uint8Array.of(0xc0 | tag) : Uint8Array.of(0xd8, tag);

function untagged(bytes: Uint8Array, tag: number, length: number, bounds: CborBounds): readonly CborItem[] {
  const head = tagHead(tag);
  if (!sameBytes(bytes.subarray(0, head.length), head)) refuse('the CBOR tag of this kind of message');
  const item = decodeCbor(bytes.subarray(head.length), bounds, 'any-key-order');
  return Array.isArray(item) && item.length === length ? item : refuse(`an array of ${length}`);
}

function headersOf(items: readonly CborItem[]): Headers {
  const unprotected = items[1];
  return {
    header: bytesOf(items[0], 'the protected header'),
    unprotected: unprotected instanceof Map ? unprotected : refuse('the unprotected header as a map'),
  };
}

function recipientsOf(item: CborItem | undefined): readonly Recipient[] {
  if (!Array.isArray(item) || item.length === 0) refuse('recipients as an array');
  return item.map((recipient: CborItem) => {
    // A fourth element would be recipients of the recipient (RFC 9052 §5.1): key wrapping that nothing here uses.
    if (!Array.isArray(recipient) || recipient.length !== 3) refuse('a recipient as an array of 3');
    return { ...headersOf(recipient), encryptedKey: bytesOf(recipient[2], 'the encrypted key') };
  });
}

/** @throws ERR_COSE_SHAPE, ERR_CBOR_* — and so do the other readers. */
export function readSign1(bytes: Uint8Array, bounds: CborBounds): Sign1 {
  const items = untagged(bytes, COSE_TAG.sign1, 4, bounds);
  const payload = bytesOf(items[2], 'the payload');
  return { ...headersOf(items), payload, signature: bytesOf(items[3], 'the signature') };
}

export function readSign(bytes: Uint8Array, bounds: CborBounds): Sign {
  const items = untagged(bytes, COSE_TAG.sign, 4, bounds);
  const signatures = items[3];
  if (!Array.isArray(signatures) || signatures.length === 0) refuse('signatures as an array');
  return {
    ...headersOf(items),
    payload: bytesOf(items[2], 'the payload'),
    signatures: signatures.map((signature: CborItem) => {
      if (!Array.isArray(signature) || signature.length !== 3) refuse('a signature as an array of 3');
      return { ...headersOf(signature), signature: bytesOf(signature[2], 'the signature') };
    }),
  };
}

export function readEncrypt(bytes: Uint8Array, bounds: CborBounds): Encrypt {
  const items = untagged(bytes, COSE_TAG.encrypt, 4, bounds);
  const ciphertext = bytesOf(items[2], 'the ciphertext');
  return { ...headersOf(items), ciphertext, recipients: recipientsOf(items[3]) };
}

export function readMac(bytes: Uint8Array, bounds: CborBounds): Mac {
  const items = untagged(bytes, COSE_TAG.mac, 5, bounds);
  const payload = bytesOf(items[2], 'the payload');
  return {
    ...headersOf(items),
    payload,
    tag: bytesOf(items[3], 'the tag'),
    recipients: recipientsOf(items[4]),
  };
}

/** The map inside a protected header; a byte string of no bytes is the empty map (RFC 9052 §3). */
export function headerMap(header: Uint8Array, bounds: CborBounds): HeaderMap {
  if (header.length === 0) return new Map();
  const item = decodeCbor(header, bounds, 'any-key-order');
  return item instanceof Map ? item : refuse('a header map');
}

export function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && Buffer.compare(left, right) === 0;
}
