import { createPrivateKey, randomBytes } from 'node:crypto';
import { isTokenReference, parseTokenReference, tokenReference } from '../hsm/reference.ts';
import type { TokenPlace } from '../hsm/session.ts';
import { askToken, tokenSigner } from '../hsm/token.ts';
import { P256_SPKI_PREFIX } from '../x509/certificate.ts';
import { type KeyPair, newKeyPair } from '../x509/certify.ts';
import type { AuthorityKey } from '../x509/signature.ts';

/** A new key, made here or in a token: what its file will hold, its public half, and what signs with it. */
export interface NewKey {
  /** PKCS#8 PEM, not encrypted; of a token's key the reference to it (RFC 7512). */
  readonly keyPem: string;
  readonly spki: Uint8Array;
  readonly signer: AuthorityKey;
}

type KeyUse = 'sign' | 'agree';
/** @param label how a token calls the key: for people, since it is found by its random id, too */
export type KeyMaker = (use: KeyUse, label: string) => NewKey;

function keyOfPair({ privateKeyPem, spki }: KeyPair): NewKey {
  let signer: AuthorityKey | undefined;
  return {
    keyPem: privateKeyPem,
    spki,
    get signer() {
      signer ??= createPrivateKey(privateKeyPem);
      return signer;
    },
  };
}

export const makeKeyHere: KeyMaker = () => keyOfPair(newKeyPair());

const ID_BYTES = 16;

/** Keys that never leave their token. @throws ERR_HSM_* */
export const makeKeyIn =
  (place: TokenPlace): KeyMaker =>
  (use, label) => {
    const key = { label, id: randomBytes(ID_BYTES).toString('hex') };
    const point = askToken(place, { op: 'make', key, use });
    return {
      keyPem: tokenReference({ place, key }),
      spki: Buffer.concat([P256_SPKI_PREFIX, point]),
      signer: tokenSigner({ place, key }),
    };
  };

/** As the key of this file was made: in the same token, or here. @throws ERR_HSM_REFERENCE */
export const makerLike = (keyText: string, file: string): KeyMaker =>
  isTokenReference(keyText) ? makeKeyIn(parseTokenReference(keyText, file).place) : makeKeyHere;

/** Destroy the key in its token; of a key that lies in its file nothing is done here. @throws ERR_HSM_* */
export function destroyInToken(keyText: string, file: string): void {
  if (!isTokenReference(keyText)) return;
  const { place, key } = parseTokenReference(keyText, file);
  askToken(place, { op: 'destroy', key });
}
