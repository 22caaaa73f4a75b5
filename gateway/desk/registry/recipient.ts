import { X509Certificate } from 'node:crypto';
import { sealingKid } from '../../../pki/trust.ts';
import { type DeviceId, deviceUri, type TenantId } from '../../../protocol/identity.ts';
import type { RecipientKey } from '../../../protocol/sealing.ts';
import type { Meter } from './meter.ts';

/** Whom the commands of a meter are sealed to. */

/** An uncompressed point of P-256 ends its SubjectPublicKeyInfo. */
const POINT_BYTES = 65;

/**
 * The key of a key-agreement certificate, where it names the device. Which CA issued it is not asked: what is sealed
 * to a wrong key is read by nobody else than whoever entered it, and executed by nobody.
 */
export function recipientOfCertificate(
  der: Uint8Array,
  { device, home }: { readonly device: DeviceId; readonly home: TenantId },
): RecipientKey | undefined {
  try {
    const x509 = new X509Certificate(der);
    const names = (x509.subjectAltName ?? '').split(', ');
    if (!names.includes(`URI:${deviceUri(home, device)}`)) return undefined;
    if (x509.publicKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') return undefined;
    const spki = x509.publicKey.export({ type: 'spki', format: 'der' });
    return { kid: sealingKid(spki), publicKey: spki.subarray(spki.length - POINT_BYTES) };
  } catch {
    return undefined;
  }
}

/** When a certificate begins, ms since 1970; undefined where it is none. */
export function beginOf(der: Uint8Array): number | undefined {
  try {
    return new X509Certificate(der).validFromDate.getTime();
  } catch {
    return undefined;
  }
}

/** Of meters that are sent something often; the others' certificates are read again. */
const REMEMBERED_MAX = 10_000;

export function createRecipients(): (meter: Meter) => RecipientKey | undefined {
  const known = new Map<DeviceId, { readonly certificate: Uint8Array; readonly key: RecipientKey }>();
  return (meter) => {
    const { device, certificate } = meter;
    if (certificate === null) return undefined;
    const before = known.get(device);
    if (before !== undefined && Buffer.compare(before.certificate, certificate) === 0) return before.key;
    const key = recipientOfCertificate(certificate, meter);
    if (key === undefined) return undefined;
    if (known.size >= REMEMBERED_MAX) known.clear();
    known.set(device, { certificate, key });
    return key;
  };
}
