import { ECDH, type KeyObject, verify } from 'node:crypto';
import type { CborBounds } from '../cbor/check.ts';
import type { CborItem } from '../cbor/codec.ts';
import { AEADS, ALG, aeadOpen, MACS, macHolds } from '../cose/algorithms.ts';
import { hkdfExpand, hkdfExtract } from '../cose/hkdf.ts';
import {
  HEADER,
  type HeaderMap,
  type Headers,
  headerMap,
  type Recipient,
  readEncrypt,
  readMac,
  readSign,
  readSign1,
} from '../cose/message.ts';
import { agree } from '../cose/p256.ts';
import {
  encryptStructure,
  kdfContext,
  macStructure,
  type Party,
  sign1Structure,
  signStructure,
} from '../cose/structures.ts';
import { verifyEs256 } from '../signed.ts';

/**
 * COSE messages of others, opened with the parts that this protocol is made of: their structures, contexts and
 * algorithms, around the choices that published test vectors make and this protocol does not offer.
 */
const BOUNDS: CborBounds = { bytesMax: 4_096, depthMax: 8, itemsMax: 128 };

export interface VectorKeys {
  /** The recipient's private key, or the secret that both sides share. */
  readonly privateKey?: KeyObject;
  readonly shared?: Uint8Array;
  /** Public points of senders that are named by `static key id` and not sent. */
  readonly staticPoints?: ReadonlyMap<string, Uint8Array>;
  readonly partyU?: Party;
  readonly partyV?: Party;
  readonly purpose?: Uint8Array;
}

const STATIC_KEY_ID = -3;

function header(headers: Headers): HeaderMap {
  return new Map([...headers.unprotected, ...headerMap(headers.header, BOUNDS)]);
}

function algorithm<Row>(table: ReadonlyMap<number, Row>, headers: Headers): Row {
  const alg = header(headers).get(HEADER.alg);
  const row = typeof alg === 'number' ? table.get(alg) : undefined;
  if (row === undefined) throw new Error('an algorithm of no table');
  return row;
}

/** A point from a COSE_Key, compressed or not. */
function point(item: CborItem | undefined): Uint8Array {
  if (!(item instanceof Map)) throw new Error('no COSE_Key');
  const x = item.get(-2);
  const y = item.get(-3);
  if (!(x instanceof Uint8Array)) throw new Error('no coordinate');
  if (y instanceof Uint8Array) return Buffer.concat([Uint8Array.of(4), x, y]);
  const compressed = Buffer.concat([Uint8Array.of(y === true ? 3 : 2), x]);
  return ECDH.convertKey(compressed, 'prime256v1', undefined, undefined, 'uncompressed') as Buffer;
}

function staticPoint(parameters: HeaderMap, keys: VectorKeys): Uint8Array {
  const id = parameters.get(STATIC_KEY_ID);
  const known = id instanceof Uint8Array ? keys.staticPoints?.get(Buffer.from(id).toString()) : undefined;
  return known ?? point(parameters.get(HEADER.staticKey));
}

/** The content key of a recipient (RFC 9053 §6.1, §6.3). */
function contentKey(recipient: Recipient, alg: number, keyBytes: number, keys: VectorKeys): Uint8Array {
  const parameters = header(recipient);
  const salt = parameters.get(HEADER.salt);
  const nonce = parameters.get(HEADER.partyUNonce);
  const derive = (secret: Uint8Array | undefined): Uint8Array => {
    if (secret === undefined) throw new Error('no secret');
    const info = kdfContext({
      alg,
      keyBits: keyBytes * 8,
      partyU: { ...keys.partyU, ...(nonce instanceof Uint8Array ? { nonce } : {}) },
      partyV: keys.partyV ?? {},
      recipientHeader: recipient.header,
      ...(keys.purpose === undefined ? {} : { purpose: keys.purpose }),
    });
    const prk = hkdfExtract(secret, salt instanceof Uint8Array ? salt : undefined);
    return hkdfExpand(prk, info, keyBytes);
  };
  switch (parameters.get(HEADER.alg)) {
    case ALG.DIRECT:
      return keys.shared!;
    case ALG.DIRECT_HKDF_SHA_256:
      return derive(keys.shared);
    case ALG.ECDH_ES_HKDF_256:
      return derive(agree(keys.privateKey!, point(parameters.get(HEADER.ephemeralKey))));
    case ALG.ECDH_SS_HKDF_256:
      return derive(agree(keys.privateKey!, staticPoint(parameters, keys)));
    default:
      throw new Error('a recipient algorithm of no table');
  }
}

export function openEncrypt(bytes: Uint8Array, keys: VectorKeys, externalAad: Uint8Array): Uint8Array {
  const message = readEncrypt(bytes, BOUNDS);
  const row = algorithm(AEADS, message);
  const key = contentKey(message.recipients[0]!, row.alg, row.keyBytes, keys);
  const aad = encryptStructure(message.header, externalAad);
  const iv = header(message).get(HEADER.iv);
  const plaintext = iv instanceof Uint8Array ? aeadOpen(row, key, iv, aad, message.ciphertext) : undefined;
  if (plaintext === undefined) throw new Error('does not open');
  return plaintext;
}

export function openMac(bytes: Uint8Array, keys: VectorKeys, externalAad: Uint8Array): Uint8Array {
  const message = readMac(bytes, BOUNDS);
  const row = algorithm(MACS, message);
  const key = contentKey(message.recipients[0]!, row.alg, row.keyBytes, keys);
  const structure = macStructure('MAC', message.header, externalAad, message.payload);
  if (!macHolds(row, key, structure, message.tag)) throw new Error('the tag does not hold');
  return message.payload;
}

/** ES512 (RFC 9053 §2.1), which the example of several signers has beside ES256. */
const verifyEs512: typeof verifyEs256 = (structure, key, signature) =>
  verify('sha512', structure, { key, dsaEncoding: 'ieee-p1363' }, signature);

const ES512 = -36;
const SIGNATURES: ReadonlyMap<number, typeof verifyEs256> = new Map([
  [ALG.ES256, verifyEs256],
  [ES512, verifyEs512],
]);

export function openSign1(bytes: Uint8Array, publicKey: KeyObject, externalAad: Uint8Array): Uint8Array {
  const message = readSign1(bytes, BOUNDS);
  const verify = algorithm(SIGNATURES, message);
  if (!verify(sign1Structure(message.header, externalAad, message.payload), publicKey, message.signature))
    throw new Error('the signature does not hold');
  return message.payload;
}

/** The payload of a COSE_Sign whose signatures hold under these keys, in their order. */
export function openSign(
  bytes: Uint8Array,
  publicKeys: readonly KeyObject[],
  externalAad: Uint8Array,
): Uint8Array {
  const message = readSign(bytes, BOUNDS);
  if (message.signatures.length !== publicKeys.length) throw new Error('a signature does not hold: no key');
  message.signatures.forEach((one, index) => {
    const structure = signStructure(message.header, one.header, externalAad, message.payload);
    if (!algorithm(SIGNATURES, one)(structure, publicKeys[index]!, one.signature))
      throw new Error('a signature does not hold');
  });
  return message.payload;
}
