import { createCipheriv, createPrivateKey, type KeyObject, randomBytes, scryptSync } from 'node:crypto';
import { pkiError } from '../errors.ts';
import { readPrivateText } from '../files/files.ts';
import { DerCursor, der, derOid, derUnsigned, equalBytes, readUnsigned, TAG } from '../x509/der.ts';
import { derOf, toPem } from '../x509/pem.ts';

/** Private keys at rest: encrypted PKCS#8 (RFC 5958, PBES2 of RFC 8018) with a key by scrypt (RFC 7914). */

/**
 * OWASP's figures of 2023 for 16 MiB: about 0.2 s for whoever has the passphrase, and for each guess of whoever has
 * not. OpenSSL reads no scrypt beyond 32 MiB, so p carries what N may not.
 */
const SCRYPT = { N: 16_384, r: 8, p: 5, maxmem: 64 * 1024 * 1024 } as const;
const KEY_BYTES = 32;
const SALT_BYTES = 16;
const IV_BYTES = 16;

const OID = {
  pbes2: '1.2.840.113549.1.5.13',
  scrypt: '1.3.6.1.4.1.11591.4.11',
  pbkdf2: '1.2.840.113549.1.5.12',
  aes256Cbc: '2.16.840.1.101.3.4.1.42',
} as const;

const LABEL = 'ENCRYPTED PRIVATE KEY';
export const isEncryptedKey = (pem: string): boolean => pem.includes(`-----BEGIN ${LABEL}-----`);

/** @param keyPem PKCS#8 PEM, not encrypted @returns PEM that `openssl pkey` and node:crypto open */
export function encryptKey(keyPem: string, passphrase: string): string {
  const plain = createPrivateKey(keyPem).export({ type: 'pkcs8', format: 'der' });
  const salt = randomBytes(SALT_BYTES);
  const iv = randomBytes(IV_BYTES);
  const key = scryptSync(passphrase, salt, KEY_BYTES, SCRYPT);
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  for (const secret of [plain, key]) secret.fill(0);
  const { N, r, p } = SCRYPT;
  const derivation = der(
    TAG.sequence,
    derOid(OID.scrypt),
    der(TAG.sequence, der(TAG.octetString, salt), integer(N), integer(r), integer(p)),
  );
  const encryption = der(TAG.sequence, derOid(OID.aes256Cbc), der(TAG.octetString, iv));
  const algorithm = der(TAG.sequence, derOid(OID.pbes2), der(TAG.sequence, derivation, encryption));
  return toPem(LABEL, der(TAG.sequence, algorithm, der(TAG.octetString, encrypted)));
}

const integer = (value: number): Uint8Array => {
  const digits = value.toString(16);
  return derUnsigned(Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex'));
};

/** Eight times what ours costs, and ten million iterations: a few seconds. */
const SCRYPT_WORK_MAX = 8 * SCRYPT.N * SCRYPT.r * SCRYPT.p;
const ITERATIONS_MAX = 10_000_000;
const COST_BYTES_MAX = 6;

/**
 * A file says itself how long its key is to be derived, and OpenSSL does it, for hours where it says so.
 * @throws ERR_PKI_DAMAGED
 */
function checkCost(pem: string, name: string): void {
  const refused = (why: string, cause?: unknown) => pkiError('ERR_PKI_DAMAGED', `${name} ${why}`, { cause });
  let cost: number;
  let costMax: number;
  try {
    const algorithm = new DerCursor(derOf(LABEL, pem)).enter(TAG.sequence).enter(TAG.sequence);
    if (!equalBytes(algorithm.read(TAG.oid).whole, derOid(OID.pbes2))) throw new Error('not PBES2');
    const derivation = algorithm.enter(TAG.sequence).enter(TAG.sequence);
    const kind = derivation.read(TAG.oid).whole;
    const parameters = derivation.enter(TAG.sequence);
    parameters.read(TAG.octetString);
    const next = (): number =>
      Number.parseInt(readUnsigned(parameters.read(TAG.integer), COST_BYTES_MAX), 16);
    if (equalBytes(kind, derOid(OID.scrypt))) {
      cost = next() * next() * next();
      costMax = SCRYPT_WORK_MAX;
    } else if (equalBytes(kind, derOid(OID.pbkdf2))) {
      cost = next();
      costMax = ITERATIONS_MAX;
    } else throw new Error('another derivation');
  } catch (cause) {
    throw refused('is no encrypted key of PBES2 with scrypt or PBKDF2 (RFC 8018)', cause);
  }
  if (cost > costMax) throw refused('asks for a key derivation that takes longer than any of ours');
}

/**
 * A private key as it lies in its file, encrypted or not.
 * @throws ERR_PKI_PASSPHRASE where it needs one and there is none, or it is the wrong one; ERR_PKI_DAMAGED where it was
 *   encrypted in a way that is not taken; a plain Error where it is no key
 */
export function openKey(pem: string, passphrase: string | undefined, name: string): KeyObject {
  if (!isEncryptedKey(pem)) return createPrivateKey(pem);
  if (passphrase === undefined)
    throw pkiError('ERR_PKI_PASSPHRASE', `${name} is encrypted, and no passphrase was given`);
  checkCost(pem, name);
  try {
    return createPrivateKey({ key: pem, passphrase });
  } catch {
    // No cause: what OpenSSL says of a wrong passphrase is noise, and never worth its risk.
    throw pkiError('ERR_PKI_PASSPHRASE', `the passphrase does not open ${name}`);
  }
}

/** Below this a passphrase of a person's own making is found by trying, whatever the key derivation costs. */
export const PASSPHRASE_CHARACTERS_MIN = 14;
const DIFFERENT_MIN = 7;

/** @throws ERR_PKI_WEAK */
export function checkPassphrase(passphrase: string, what: string): void {
  const refused = (why: string) => pkiError('ERR_PKI_WEAK', `the passphrase for ${what} ${why}`);
  if (passphrase.length < PASSPHRASE_CHARACTERS_MIN)
    throw refused(`is shorter than ${PASSPHRASE_CHARACTERS_MIN} characters`);
  if (new Set(passphrase).size < DIFFERENT_MIN)
    throw refused(`has fewer than ${DIFFERENT_MIN} different characters`);
}

/** A passphrase is a line, not a document. */
const PASSPHRASE_CHARACTERS_MAX = 1_024;

/** The first line of a file. @throws ERR_PKI_PASSPHRASE, ERR_PKI_DAMAGED (missing), ERR_PKI_RIGHTS */
export function readPassphrase(file: string): string {
  const [line = ''] = readPrivateText(file).split(/\r?\n/, 1);
  if (line === '' || line.length > PASSPHRASE_CHARACTERS_MAX)
    throw pkiError('ERR_PKI_PASSPHRASE', `${file} holds no passphrase in its first line`, {
      context: { file },
    });
  return line;
}
