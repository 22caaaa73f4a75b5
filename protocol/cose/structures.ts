import { CborWriter } from '../cbor/writer.ts';
import { SEALED_BYTES_MAX } from '../limits.ts';

/**
 * What COSE signs, authenticates and derives keys from: structures that never travel. Both ends build them
 * from what they know, which is how a message is bound to where it belongs.
 */

const writer = new CborWriter(SEALED_BYTES_MAX);
const EMPTY = new Uint8Array(0);

/** RFC 9052 §4.4, §5.3, §6.3: an empty protected map counts as a byte string of no bytes. */
function protectedBytes(header: Uint8Array): Uint8Array {
  return header.length === 1 && header[0] === 0xa0 ? EMPTY : header;
}

function structure(
  context: string,
  header: Uint8Array,
  externalAad: Uint8Array,
  payload?: Uint8Array,
): Buffer {
  return writer.write(() => {
    writer.array(payload === undefined ? 3 : 4);
    writer.text(context);
    writer.bytes(protectedBytes(header));
    writer.bytes(externalAad);
    if (payload !== undefined) writer.bytes(payload);
  });
}

/** Sig_structure of a COSE_Sign1 (RFC 9052 §4.4). */
export function sign1Structure(header: Uint8Array, externalAad: Uint8Array, payload: Uint8Array): Uint8Array {
  return structure('Signature1', header, externalAad, payload);
}

/** Sig_structure of one signature of a COSE_Sign (RFC 9052 §4.4): of two protected headers, the body's first. */
export function signStructure(
  bodyHeader: Uint8Array,
  signHeader: Uint8Array,
  externalAad: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  return writer.write(() => {
    writer.array(5);
    writer.text('Signature');
    writer.bytes(protectedBytes(bodyHeader));
    writer.bytes(protectedBytes(signHeader));
    writer.bytes(externalAad);
    writer.bytes(payload);
  });
}

/** Enc_structure of a COSE_Encrypt (RFC 9052 §5.3): the AAD of its AEAD. */
export function encryptStructure(header: Uint8Array, externalAad: Uint8Array): Uint8Array {
  return structure('Encrypt', header, externalAad);
}

/** MAC_structure of a COSE_Mac or COSE_Mac0 (RFC 9052 §6.3). */
export function macStructure(
  context: 'MAC' | 'MAC0',
  header: Uint8Array,
  externalAad: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  return structure(context, header, externalAad, payload);
}

/** RFC 9053 §5.2: one side of a key derivation. What is left out is nil. */
export interface Party {
  readonly identity?: Uint8Array;
  readonly nonce?: Uint8Array;
  readonly other?: Uint8Array;
}

export interface KdfContext {
  /** The algorithm that the key is for. */
  readonly alg: number;
  readonly keyBits: number;
  readonly partyU: Party;
  readonly partyV: Party;
  /** The protected header of the recipient that the key is derived for. */
  readonly recipientHeader: Uint8Array;
  /** SuppPubInfo.other: what the key is for, in words. */
  readonly purpose?: Uint8Array;
}

function stringOrNull(string: Uint8Array | undefined): void {
  if (string === undefined) writer.null();
  else writer.bytes(string);
}

function writeParty(party: Party): void {
  writer.array(3);
  stringOrNull(party.identity);
  stringOrNull(party.nonce);
  stringOrNull(party.other);
}

/** COSE_KDF_Context (RFC 9053 §5.2): the info of HKDF. */
export function kdfContext(context: KdfContext): Buffer {
  return writer.write(() => {
    writer.array(4);
    writer.integer(context.alg);
    writeParty(context.partyU);
    writeParty(context.partyV);
    writer.array(context.purpose === undefined ? 2 : 3);
    writer.integer(context.keyBits);
    writer.bytes(context.recipientHeader);
    if (context.purpose !== undefined) writer.bytes(context.purpose);
  });
}
