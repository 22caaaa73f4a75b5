import type { X509Certificate } from 'node:crypto';
import { type DeviceId, isDeviceId, parseDeviceUri, type TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { Profile } from '../x509/profiles.ts';
import type { Ground } from './ground.ts';
import { CertificateVerifier } from './verifier.ts';

/** An M-Bus master has four channels, and a gateway box may stand for a few meters more. */
export const GUESTS_MAX = 16;

export interface DeviceNames {
  readonly device: DeviceId;
  readonly home: TenantId;
  readonly guests: readonly TenantId[];
}

/** The checks that a device's TLS identity and its signature have in common. */
export class DeviceVerifier<Key> extends CertificateVerifier<DeviceNames, Key> {
  constructor(
    ground: Ground,
    options: {
      readonly profile: Profile;
      readonly cachedMax: number;
      readonly keep: (x509: X509Certificate) => Key;
    },
  ) {
    super(ground, { ...options, readNames: readDeviceNames });
  }
}

/**
 * CN and every SAN URI name one device, and one of them is of the tenant whose CA signed: its home. Without that,
 * one operator's CA could make meters of another.
 */
function readDeviceNames(certificate: Certificate, home: TenantId): DeviceNames {
  const { uris, dns, addresses } = certificate.alternativeNames;
  const device = certificate.commonName;
  if (!isDeviceId(device) || dns.length + addresses.length > 0 || uris.length > GUESTS_MAX + 1)
    throw wrongNames();
  const tenants = new Set<TenantId>();
  for (const uri of uris) {
    const name = parseDeviceUri(uri);
    if (name === undefined || name.device !== device || tenants.has(name.tenant)) throw wrongNames();
    tenants.add(name.tenant);
  }
  if (!tenants.delete(home)) throw wrongNames();
  return { device, home, guests: Object.freeze([...tenants]) };
}

const wrongNames = () =>
  pkiError('ERR_TRUST_IDENTITY', 'the names in the certificate do not agree on one device of its issuer');
