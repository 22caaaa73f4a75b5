import { arrayHead, bytesHead, NULL, textHead, unsignedHead } from '../cbor/heads.ts';

/**
 * What COSE signs, authenticates and derives keys from: structures that never travel. Both ends build them
 * from what they know, which is how a message is bound to where it belongs.
 */

const ascii = (word: string): Uint8Array => Buffer.from(word, 'latin1');
const EMPTY = new Uint8Array(0);

const opening = (count: number, context: string): Uint8Array =>
  Buffer.concat([arrayHead(count), textHead(context.length), ascii(context)]);

const OPENINGS = {
  /** RFC 9052 §4.4 */
  Signature1: opening(4, 'Signature1'),
  /** RFC 9052 §5.3 */
  Encrypt: opening(3, 'Encrypt'),
  /** RFC 9052 §6.3 */
  MAC: opening(4, 'MAC'),
  MAC0: opening(4, 'MAC0'),
} as const;

/** RFC 9052 §4.4, §5.3, §6.3: an empty protected map counts as a byte string of no bytes. */
function protectedBytes(header: Uint8Array): Uint8Array {
  return header.length === 1 && header[0] === 0xa0 ? EMPTY : header;
}

function structure(context: keyof typeof OPENINGS, strings: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [OPENINGS[context]];
  for (const string of strings) parts.push(bytesHead(string.length), string);
  return Buffer.concat(parts);
}

/** Sig_structure of a COSE_Sign1. */
export function sign1Structure(header: Uint8Array, externalAad: Uint8Array, payload: Uint8Array): Uint8Array {
  return structure('Signature1', [protectedBytes(header), externalAad, payload]);
}

/** Enc_structure of a COSE_Encrypt: the AAD of its AEAD. */
export function encryptStructure(header: Uint8Array, externalAad: Uint8Array): Uint8Array {
  return structure('Encrypt', [protectedBytes(header), externalAad]);
}

/** MAC_structure of a COSE_Mac or COSE_Mac0. */
export function macStructure(
  context: 'MAC' | 'MAC0',
  header: Uint8Array,
  externalAad: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  return structure(context, [protectedBytes(header), externalAad, payload]);
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

function pushString(parts: Uint8Array[], string: Uint8Array | undefined): void {
  if (string === undefined) parts.push(NULL);
  else parts.push(bytesHead(string.length), string);
}

function pushParty(parts: Uint8Array[], party: Party): void {
  parts.push(arrayHead(3));
  pushString(parts, party.identity);
  pushString(parts, party.nonce);
  pushString(parts, party.other);
}

/** COSE_KDF_Context (RFC 9053 §5.2): the info of HKDF. */
export function kdfContext(context: KdfContext): Uint8Array {
  const parts: Uint8Array[] = [arrayHead(4), unsignedHead(context.alg)];
  pushParty(parts, context.partyU);
  pushParty(parts, context.partyV);
  const purpose = context.purpose;
  parts.push(arrayHead(purpose === undefined ? 2 : 3), unsignedHead(context.keyBits));
  pushString(parts, context.recipientHeader);
  if (purpose !== undefined) pushString(parts, purpose);
  return Buffer.concat(parts);
}
