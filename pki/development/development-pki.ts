import type { TenantId } from '../../protocol/identity.ts';
import type { PkiLayout } from '../files/layout.ts';
import type { OwnerKey } from '../identity.ts';
import type { DevelopmentOffice } from '../office/development.ts';
import type { Certificate } from '../x509/certificate.ts';
import type { SigningAuthority } from '../x509/certify.ts';

/** An opened development PKI: it can issue devices, so it belongs to `hes up` and the tests, never to a service. */
export interface DevelopmentPki {
  readonly layout: PkiLayout;
  readonly tenants: readonly TenantId[];
  readonly root: { readonly certificate: Certificate; readonly pem: string };
  readonly authorities: ReadonlyMap<TenantId, SigningAuthority>;
  readonly owners: ReadonlyMap<TenantId, OwnerKey>;
  /** During a roll-over, of field and office: the CA that comes, or that was, and is not over. */
  readonly others?: {
    readonly field: ReadonlyMap<TenantId, readonly SigningAuthority[]>;
    readonly office: ReadonlyMap<TenantId, readonly SigningAuthority[]>;
  };
  /** Undefined in one that was made before there were offices, until it is added (`openDevelopmentPki`). */
  readonly office: DevelopmentOffice | undefined;
}
