import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import type { DeviceIdentity } from '../identity.ts';
import { parseCertificate } from '../x509/certificate.ts';
import { createOfficeTrust, type OfficeTrust } from './trust.ts';

/** Signers that a meter remembers: the few who ever command it. */
const DEVICE_PEOPLE_MAX = 16;

/**
 * Whose commands a device may believe: the people of its home and of its guests, by the anchors that it was given at
 * enrolment. They are opened at the first command: most of a fleet never gets one.
 *
 * A device without anchors believes nobody (`signer` throws ERR_TRUST_ISSUER), and so does one whose anchors cannot be
 * used (ERR_TRUST_AUTHORITY and the others of `createOfficeTrust`).
 */
export function officeTrustOf(
  identity: Pick<DeviceIdentity, 'office' | 'revokedPeople'>,
  options: { readonly development?: boolean; readonly clock: { nowMs(): number } },
): Pick<OfficeTrust, 'signer'> {
  const { office, revokedPeople } = identity;
  let trust: OfficeTrust | undefined;
  return {
    signer(certificate) {
      if (office === undefined)
        throw pkiError('ERR_TRUST_ISSUER', 'this device was enrolled without any office that may command it');
      trust ??= createOfficeTrust({
        ...options,
        root: office.root,
        issuers: Object.entries(office.issuers).map(([tenant, issuer]) => ({
          tenant: tenant as TenantId,
          certificate: issuer,
        })),
        peopleMax: DEVICE_PEOPLE_MAX,
      });
      const signer = trust.signer(certificate);
      // A device reads no list: its operator's notice says who was revoked (docs/adr/0182).
      if (revokedPeople?.[signer.tenant]?.includes(parseCertificate(certificate).serial) === true)
        throw pkiError('ERR_TRUST_REVOKED', 'whoever signed was revoked: a notice of this office says so');
      return signer;
    },
  };
}
