import type { KeyObject } from 'node:crypto';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { readText, withFile } from '../files/files.ts';
import { isTokenReference } from '../hsm/reference.ts';
import { hasProfile, isNamed, openX509 } from '../verify/anchors.ts';
import { isSealingCertificate, sealingKid } from '../verify/sealing.ts';
import { type Certificate, isDevelopmentCertificate, parseCertificate } from '../x509/certificate.ts';
import { deskUri } from '../x509/names.ts';
import { readPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import { isEncryptedKey, openKey, readPassphrase } from './encrypted-key.ts';

/** The one or two files that a service holds a private key in. */
export interface KeyFiles {
  readonly certificate: string;
  readonly key: string;
  /** Its first line opens an encrypted key. */
  readonly passphraseFile?: string | undefined;
}

export interface LoadedKey {
  readonly certificate: Certificate;
  /** The text of the certificate file: the leaf and, after it, its issuing CA's. */
  readonly certificatePem: string;
  /** Not encrypted, however it lies in its file. */
  readonly keyPem: string;
  readonly privateKey: KeyObject;
}

export interface LoadKeyOptions {
  readonly development?: boolean | undefined;
  /** What opens an encrypted key file; one that is not encrypted needs none. */
  readonly passphrase?: string | undefined;
}

/**
 * Read a private key and its certificate, and hold them against each other.
 * @throws ERR_TRUST_KEY, ERR_TRUST_DEVELOPMENT, ERR_PKI_PASSPHRASE, ERR_PKI_DAMAGED, ERR_PKI_RIGHTS; each names the
 *   file
 */
export function loadKey(files: KeyFiles, options: LoadKeyOptions = {}): LoadedKey {
  const { certificate, certificatePem, leaf } = readCertificateOf(files, options);
  const keyPem = readText(files.key);
  if (isTokenReference(keyPem))
    throw pkiError('ERR_TRUST_KEY', `${files.key} refers to a token; for this use the key itself is needed`, {
      context: { file: files.key },
    });
  const { passphraseFile } = files;
  const passphrase =
    options.passphrase ?? (passphraseFile === undefined ? undefined : readPassphrase(passphraseFile));
  const privateKey = withFile(files.key, () => openKey(keyPem, passphrase, files.key));
  if (!openX509(leaf).checkPrivateKey(privateKey))
    throw pkiError('ERR_TRUST_KEY', `${files.key} is not the key of ${files.certificate}`, {
      context: { file: files.key },
    });
  // Whoever takes PEM takes it decrypted: OpenSSL derives its key again for each context otherwise.
  const opened = isEncryptedKey(keyPem) ? privateKey.export({ type: 'pkcs8', format: 'pem' }) : keyPem;
  return { certificate, certificatePem, keyPem: opened, privateKey };
}

/** The certificate of a key, wherever that is. @throws as `loadKey` */
export function readCertificateOf(
  files: KeyFiles,
  options: LoadKeyOptions,
): Pick<LoadedKey, 'certificate' | 'certificatePem'> & { readonly leaf: Uint8Array } {
  const certificatePem = readText(files.certificate);
  const leaf = withFile(files.certificate, () => readPem('CERTIFICATE', certificatePem)[0]!);
  const certificate = withFile(files.certificate, () => parseCertificate(leaf));
  if (isDevelopmentCertificate(certificate) && options.development !== true)
    throw pkiError('ERR_TRUST_DEVELOPMENT', `${files.certificate} belongs to a development PKI`, {
      context: { file: files.certificate },
    });
  return { certificate, certificatePem, leaf };
}

/** A router's sealing key (protocol/envelope.ts takes it as it stands). @throws as `loadKey` */
export function loadSealingKey(
  files: KeyFiles,
  options: LoadKeyOptions & { readonly tenant: TenantId },
): { readonly kid: Uint8Array; readonly privateKey: KeyObject } {
  const { certificate, privateKey } = loadKey(files, options);
  return { kid: kidOf(files, certificate, options.tenant), privateKey };
}

/** @throws ERR_TRUST_KEY where the certificate is none of a sealing key of this tenant */
export function kidOf(files: KeyFiles, certificate: Certificate, tenant: TenantId): Uint8Array {
  if (!isSealingCertificate(certificate, tenant))
    throw pkiError('ERR_TRUST_KEY', `${files.certificate} is no sealing certificate of ${tenant}`, {
      context: { file: files.certificate, tenant },
    });
  return sealingKid(certificate.spki);
}

/** What a TLS listener takes as `cert` and `key`. */
export interface ServerKey {
  readonly cert: string;
  readonly key: string;
}

/**
 * The front's: the certificate file holds the head-end CA's after the front's own, since devices know the root alone.
 * @throws as `loadKey`
 */
export function loadServerKey(files: KeyFiles, options: LoadKeyOptions = {}): ServerKey {
  return serverKey(files, options, ({ certificate, refused }) => {
    if (!hasProfile(certificate, PROFILES.frontServer)) throw refused('is no server certificate of a front');
  });
}

/** A desk's API's: its issuing CA's certificate follows in the file. @throws as `loadKey` */
export function loadDeskServerKey(
  files: KeyFiles,
  options: LoadKeyOptions & { readonly tenant: TenantId },
): ServerKey {
  return serverKey(files, options, ({ certificate, refused }) => {
    if (!hasProfile(certificate, PROFILES.deskServer) || !isNamed(certificate, deskUri(options.tenant)))
      throw refused(`is no server certificate of the desk of ${options.tenant}`);
  });
}

function serverKey(
  files: KeyFiles,
  options: LoadKeyOptions,
  check: (loaded: LoadedKey & { readonly refused: (why: string) => Error }) => void,
): ServerKey {
  const loaded = loadKey(files, options);
  const { certificate, certificatePem, keyPem } = loaded;
  const refused = (why: string) =>
    pkiError('ERR_TRUST_KEY', `${files.certificate} ${why}`, { context: { file: files.certificate } });
  check({ ...loaded, refused });
  const above = readPem('CERTIFICATE', certificatePem)[1];
  if (above === undefined || !openX509(certificate.der).verify(openX509(above).publicKey))
    throw refused('lacks the certificate of the CA that issued it, after its own');
  return { cert: certificatePem, key: keyPem };
}
