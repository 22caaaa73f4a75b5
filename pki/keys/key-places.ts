import { createECDH, createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { readText } from '../files/files.ts';
import { isTokenReference, parseTokenReference, type TokenKey } from '../hsm/reference.ts';
import { tokenAgreement, tokenSigner } from '../hsm/token.ts';
import { type Certificate, P256_POINT_BYTES } from '../x509/certificate.ts';
import { equalBytes } from '../x509/der.ts';
import { type AuthorityKey, signDer } from '../x509/signature.ts';
import {
  type KeyFiles,
  kidOf,
  type LoadKeyOptions,
  loadKey,
  loadSealingKey,
  readCertificateOf,
} from './keys.ts';

/**
 * Keys by their files, wherever they are: a key file holds the key, or says which key of which token it is
 * (docs/adr/0185). A key in a token is held against its certificate by using it once.
 */

/** The key of a token, by its file; undefined where the file holds the key itself. @throws ERR_HSM_REFERENCE */
function tokenKeyOf({ key }: KeyFiles): TokenKey | undefined {
  const text = readText(key);
  return isTokenReference(text) ? parseTokenReference(text, key) : undefined;
}

/** protocol/suites.ts: ECDH on P-256 is what a token can do. */
const TOKEN_SUITE = 'p256-a128gcm';

/** A router's sealing key, as protocol/envelope.ts takes it. @throws as `loadKey`; ERR_HSM_* */
export async function openSealingKey(
  files: KeyFiles,
  options: LoadKeyOptions & { readonly tenant: TenantId },
): Promise<
  | { readonly kid: Uint8Array; readonly privateKey: KeyObject }
  | { readonly kid: Uint8Array; readonly suite: string; agree(point: Uint8Array): Promise<Uint8Array> }
> {
  const tokenKey = tokenKeyOf(files);
  if (tokenKey === undefined) return loadSealingKey(files, options);
  const { certificate } = readCertificateOf(files, options);
  const kid = kidOf(files, certificate, options.tenant);
  const agree = tokenAgreement(tokenKey);
  const ephemeral = createECDH('prime256v1');
  const secret = await agree(ephemeral.generateKeys());
  const expected = ephemeral.computeSecret(certificate.spki.subarray(-P256_POINT_BYTES));
  if (!equalBytes(secret, expected)) throw misfit(files);
  return { kid, suite: TOKEN_SUITE, agree };
}

const CHALLENGE_BYTES = 32;

/** The key of a CA. A token's answers when it signs, and whoever signs waits for it. @throws as `loadKey`; ERR_HSM_* */
export function loadAuthorityKey(
  files: KeyFiles,
  options: LoadKeyOptions = {},
): { readonly certificate: Certificate; readonly privateKey: AuthorityKey } {
  const tokenKey = tokenKeyOf(files);
  if (tokenKey === undefined) return loadKey(files, options);
  const { certificate } = readCertificateOf(files, options);
  const privateKey = tokenSigner(tokenKey);
  const publicKey = createPublicKey({ key: Buffer.from(certificate.spki), format: 'der', type: 'spki' });
  const challenge = randomBytes(CHALLENGE_BYTES);
  if (!verify('sha256', challenge, publicKey, signDer(privateKey, challenge))) throw misfit(files);
  return { certificate, privateKey };
}

const misfit = ({ key, certificate }: KeyFiles) =>
  pkiError('ERR_TRUST_KEY', `${key} refers to another key than that of ${certificate}`, {
    context: { file: key },
  });
