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
import type { Sample } from './pipeline.ts';

/**
 * What the cryptography of one message costs at least: import of the ephemeral public key from DER, ECDH, one
 * HKDF, AES-128-GCM over the signed message, ES256 verification of it with a key that is imported already.
 * The pipeline also derives the receipt's key, makes its MAC, and hashes the certificate: none of that is here.
 */
export function createFloor({ signed }: Sample): (at: number) => Uint8Array {
  const operator = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ephemeral = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const ephemeralDer = ephemeral.publicKey.export({ type: 'spki', format: 'der' });
  const info = Buffer.alloc(120, 1);
  const aad = Buffer.alloc(64, 2);
  const iv = Buffer.alloc(12, 3);
  const noSalt = Buffer.alloc(0);
  const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: operator.publicKey });
  const key = Buffer.from(hkdfSync('sha256', secret, noSalt, info, 16));
  const cipher = createCipheriv('aes-128-gcm', key, iv).setAAD(aad);
  const ciphertext = Buffer.concat([cipher.update(signed), cipher.final()]);
  const tag = cipher.getAuthTag();
  const signature = sign('sha256', signed, { key: signer.privateKey, dsaEncoding: 'ieee-p1363' });

  return () => {
    const publicKey = createPublicKey({ key: ephemeralDer, format: 'der', type: 'spki' });
    const shared = diffieHellman({ privateKey: operator.privateKey, publicKey });
    const contentKey = Buffer.from(hkdfSync('sha256', shared, noSalt, info, 16));
    const decipher = createDecipheriv('aes-128-gcm', contentKey, iv, { authTagLength: 16 });
    decipher.setAAD(aad).setAuthTag(tag);
    const opened = Buffer.concat([decipher.update(ciphertext), decipher.final()]);
    const holds = verify('sha256', opened, { key: signer.publicKey, dsaEncoding: 'ieee-p1363' }, signature);
    if (!holds) throw new Error('the floor does not hold');
    return opened;
  };
}
