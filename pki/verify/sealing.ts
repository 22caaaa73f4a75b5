import { hash } from 'node:crypto';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import { type Certificate, P256_POINT_BYTES } from '../x509/certificate.ts';
import { sealingUri } from '../x509/names.ts';
import { readPem } from '../x509/pem.ts';
import { PROFILES } from '../x509/profiles.ts';
import { hasProfile } from './anchors.ts';
import { Ground } from './ground.ts';
import { CertificateVerifier } from './verifier.ts';

/** Long enough that a tenant's few keys never collide by chance, short enough to be sent with every message. */
export const KID_BYTES = 8;

/** The name of a sealing key: the first 8 bytes of SHA-256 over its SubjectPublicKeyInfo. */
export function sealingKid(spki: Uint8Array): Uint8Array {
  return hash('sha256', spki, 'buffer').subarray(0, KID_BYTES);
}

/** To whom a device seals (protocol/envelope.ts takes it as it stands). */
export interface Recipient {
  readonly kid: Uint8Array;
  /** The uncompressed P-256 point, 65 bytes. */
  readonly publicKey: Uint8Array;
}

/** Whether the certificate is of the sealing profile and named for this tenant. */
export function isSealingCertificate(certificate: Certificate, tenant: TenantId): boolean {
  const { uris } = certificate.alternativeNames;
  return hasProfile(certificate, PROFILES.sealing) && uris.length === 1 && uris[0] === sealingUri(tenant);
}

/**
 * The sealing key of an owner, from its certificate and that of its issuing CA (one PEM text, in this order),
 * checked up to the field root that the device was born with: whoever could slip a key in here would read
 * the meter.
 *
 * @throws ERR_TRUST_*
 */
export function recipientOf(
  pem: string,
  options: {
    readonly tenant: TenantId;
    readonly root: string | Uint8Array;
    readonly atMs: number;
    readonly development?: boolean;
  },
): Recipient {
  const { tenant, atMs } = options;
  const [leaf, issuing] = readPem('CERTIFICATE', pem);
  if (leaf === undefined || issuing === undefined)
    throw pkiError('ERR_TRUST_ISSUER', 'a sealing certificate comes with that of its issuing CA', {
      context: { tenant },
    });
  const ground = new Ground({ ...options, issuers: [{ tenant, certificate: issuing }] });
  const verifier = new CertificateVerifier(ground, {
    profile: PROFILES.sealing,
    readNames: checkName,
    cachedMax: 1,
    keep: (x509) => x509.publicKey.export({ type: 'spki', format: 'der' }),
  });
  // A device has no revocation list of its operator: a key that is to be used no longer is replaced by a notice.
  const { key } = verifier.verify(leaf, atMs);
  return { kid: sealingKid(key), publicKey: key.subarray(key.length - P256_POINT_BYTES) };
}

function checkName({ alternativeNames: { uris } }: Certificate, tenant: TenantId): object {
  if (uris.length !== 1 || uris[0] !== sealingUri(tenant))
    throw pkiError('ERR_TRUST_PROFILE', 'the certificate is no sealing certificate of this tenant', {
      context: { tenant },
    });
  return {};
}
