import {
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  sign,
  verify,
} from 'node:crypto';

/**
 * What the cryptography of a message costs at least: import of the ephemeral public key from DER, ECDH, one
 * HKDF, AES-128-GCM over the signed message, ES256 over it with a key that is imported already. The pipeline
 * also derives the receipt's key, makes its MAC, and hashes the certificate: none of that is here.
 * @returns the step of the message of that number
 */
export function createFloor({ signed }: { readonly signed: readonly Uint8Array[] }): (at: number) => void {
  const operator = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const info = Buffer.alloc(120, 1);
  const aad = Buffer.alloc(64, 2);
  const iv = Buffer.alloc(12, 3);
  const noSalt = Buffer.alloc(0);
  const messages = signed.map((text) => {
    const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: operator.publicKey });
    const key = Buffer.from(hkdfSync('sha256', secret, noSalt, info, 16));
    const cipher = createCipheriv('aes-128-gcm', key, iv).setAAD(aad);
    return {
      ephemeralDer: ephemeral.publicKey.export({ type: 'spki', format: 'der' }),
      ciphertext: Buffer.concat([cipher.update(text), cipher.final()]),
      tag: cipher.getAuthTag(),
      publicKey: signer.publicKey,
      signature: sign('sha256', text, { key: signer.privateKey, dsaEncoding: 'ieee-p1363' }),
    };
  });

  return (at) => {
    const { ephemeralDer, ciphertext, tag, publicKey, signature } = messages[at % messages.length]!;
    const ephemeral = createPublicKey({ key: ephemeralDer, format: 'der', type: 'spki' });
    const secret = diffieHellman({ privateKey: operator.privateKey, publicKey: ephemeral });
    const key = Buffer.from(hkdfSync('sha256', secret, noSalt, info, 16));
    const decipher = createDecipheriv('aes-128-gcm', key, iv, { authTagLength: 16 });
    decipher.setAAD(aad).setAuthTag(tag);
    const text = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    if (!verify('sha256', text, { key: publicKey, dsaEncoding: 'ieee-p1363' }, signature))
      throw new Error('the floor does not hold');
  };
}
