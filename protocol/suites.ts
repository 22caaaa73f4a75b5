import type { KeyObject } from 'node:crypto';
import { encodeCbor } from './cbor/codec.ts';
import type { Shape } from './cbor/shape.ts';
import { AEADS, type Aead, ALG } from './cose/algorithms.ts';
import { HEADER } from './cose/message.ts';
import { agree, ephemeralKey, isPoint, POINT_AS_COSE_KEY, POINT_BYTES } from './cose/p256.ts';
import { HEADER_BOUNDS } from './limits.ts';

/** What opens: one private key, or the parts of a hybrid's in the order that its row of the table says. */
export type OpeningKey = KeyObject | readonly KeyObject[];

/**
 * How sender and operator come to a secret, seen as a key encapsulation: the sender sends something, and what
 * it sent together with the operator's private key gives the secret. ECDH with an ephemeral key is one;
 * ML-KEM, alone or beside a curve, is another.
 */
export interface Agreement {
  readonly alg: number;
  /** The recipient's unprotected header parameter that carries what is sent. */
  readonly label: number;
  /** Length of the operator's public key. */
  readonly publicKeyBytes: number;
  /** Undefined where the public key is none. */
  encapsulate(publicKey: Uint8Array): { readonly secret: Uint8Array; readonly sent: Uint8Array } | undefined;
  /** What is sent, as the value of that parameter. */
  readonly sentShape: Shape<Uint8Array>;
  /** Whether what was sent is valid. `decapsulate` looks by itself; a key that is elsewhere is not trusted to. */
  isSent(sent: Uint8Array): boolean;
  /** Undefined where what was sent is not valid, or not for a key of this kind. */
  decapsulate(privateKey: OpeningKey, sent: Uint8Array): Uint8Array | undefined;
}

export interface Suite {
  readonly name: string;
  readonly agreement: Agreement;
  readonly content: Aead;
  /** Protected headers of the recipient and of the message, encoded. With them a reader finds the row. */
  readonly recipientHeader: Uint8Array;
  readonly contentHeader: Uint8Array;
}

function algorithmHeader(alg: number): Uint8Array {
  return encodeCbor(new Map([[HEADER.alg, alg]]), HEADER_BOUNDS);
}

export function suite(name: string, agreement: Agreement, content: Aead): Suite {
  return {
    name,
    agreement,
    content,
    recipientHeader: algorithmHeader(agreement.alg),
    contentHeader: algorithmHeader(content.alg),
  };
}

/** ECDH-ES + HKDF-256 on P-256 (RFC 9053 §6.3.1). */
const P256_EPHEMERAL: Agreement = {
  alg: ALG.ECDH_ES_HKDF_256,
  label: HEADER.ephemeralKey,
  publicKeyBytes: POINT_BYTES,
  encapsulate(publicKey) {
    const { privateKey, point } = ephemeralKey();
    const secret = agree(privateKey, publicKey);
    return secret === undefined ? undefined : { secret, sent: point };
  },
  sentShape: POINT_AS_COSE_KEY,
  isSent: isPoint,
  decapsulate: (privateKey, sent) => ('length' in privateKey ? undefined : agree(privateKey, sent)),
};

/**
 * The suites that this version speaks, best first. A row is all that another one takes: what the operator
 * published with its key names the row for sealing, the protected headers name it for opening.
 */
export const SUITES: readonly Suite[] = [suite('p256-a128gcm', P256_EPHEMERAL, AEADS.get(ALG.A128GCM)!)];
