import { type KeyObject, verify } from 'node:crypto';
import type { TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import type { OfficeAnchors } from '../identity.ts';
import { checkValidity, pinAuthorities } from '../verify/anchors.ts';
import { OFFICE } from '../verify/worlds.ts';
import type { SigningAuthority } from '../x509/certify.ts';
import { derOf } from '../x509/pem.ts';
import { signDer } from '../x509/signature.ts';

/**
 * Which offices may command a device is told it at enrolment, and whoever could change that on the way could command
 * the meter. The installer confirms the field root alone. So each tenant's issuing CA of the field, which hangs under
 * that root, vouches for the office of its tenant with its own signature (docs/adr/0151).
 */
export interface VouchedOffice extends OfficeAnchors {
  /** Per tenant: base64 of the DER of an ES256 signature by its field CA over `voucherBytes`. */
  readonly vouchers: Readonly<Record<string, string>>;
}

/** A field CA otherwise signs certificates and lists, which begin with the octet 30: this never does. */
const VOUCHER_PREFIX = 'hes office 1';

function voucherBytes(tenant: TenantId, { root, issuers }: OfficeAnchors): Uint8Array {
  const fields = [
    Buffer.from(`${VOUCHER_PREFIX}\n${tenant}\n`, 'latin1'),
    derOf('CERTIFICATE', root),
    derOf('CERTIFICATE', issuers[tenant] ?? ''),
  ];
  return Buffer.concat(fields);
}

/** @throws ERR_TRUST_MALFORMED where there is no issuing CA of this tenant in it */
export function vouch(field: SigningAuthority, tenant: TenantId, office: OfficeAnchors): string {
  return Buffer.from(signDer(field.privateKey, voucherBytes(tenant, office))).toString('base64');
}

/**
 * The anchors that a device was sent, once each is vouched for by the field CA of its tenant.
 * @throws ERR_TRUST_AUTHORITY where one is not; as `pinAuthorities`, ERR_TRUST_EXPIRED, ERR_TRUST_NOT_YET_VALID
 */
export function checkVouched(
  { root, issuers, vouchers }: VouchedOffice,
  options: {
    /** The keys of the field CAs, already checked up to the field root. */
    readonly fieldKeys: ReadonlyMap<TenantId, KeyObject>;
    readonly atMs: number;
    readonly development: boolean;
  },
): OfficeAnchors {
  const tenants = [...options.fieldKeys.keys()];
  const pinned = pinAuthorities({
    root,
    issuers: tenants.map((tenant) => ({ tenant, certificate: issuers[tenant] ?? '' })),
    development: options.development,
    world: OFFICE,
  });
  const cas = [...pinned.authorities.values()].map(({ certificate }) => certificate);
  checkValidity([pinned.root, ...cas], options.atMs);
  for (const [tenant, key] of options.fieldKeys) {
    const signature = Buffer.from(vouchers[tenant] ?? '', 'base64');
    if (!verify('sha256', voucherBytes(tenant, { root, issuers }), key, signature))
      throw pkiError('ERR_TRUST_AUTHORITY', `the field CA of ${tenant} does not vouch for this office`, {
        context: { tenant },
      });
  }
  return { root, issuers: Object.fromEntries(tenants.map((tenant) => [tenant, issuers[tenant]!])) };
}
