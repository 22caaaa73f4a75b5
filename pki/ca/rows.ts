import { type DeviceId, deviceUri, type TenantId } from '../../protocol/identity.ts';
import { pkiError } from '../errors.ts';
import type { Names, Subject } from '../x509/certify.ts';
import { deskUri, FRONT_URI, type OfficeName, personUri, sealingUri } from '../x509/names.ts';
import type { ProfileName } from '../x509/profiles.ts';
import type { ExpectedDevice } from './expected.ts';

/** What an authority issues: one row per end entity of profiles.ts, with the CA that may and the names that it gives. */

/** Who a certificate is for. What is left out is known from elsewhere: a device's tenants from the register. */
export interface IssueName {
  readonly device?: DeviceId;
  readonly role?: OfficeName['role'];
  readonly person?: string;
  /** Of a server; the first is its CN. */
  readonly dns?: readonly string[];
  /** 4 or 16 octets each. */
  readonly addresses?: readonly Uint8Array[];
}

interface Naming {
  readonly tenant: TenantId | undefined;
  readonly name: IssueName;
  readonly expected: ExpectedDevice | undefined;
}

export interface IssueRow {
  readonly issuer: 'issuing' | 'headEnd' | 'officeIssuing';
  /** Whether a device has to be in the register. */
  readonly device: boolean;
  readonly subject: (naming: Naming) => { readonly subject: Subject; readonly names: Names };
}

/** Letters, digits, hyphens and dots (RFC 1035 §2.3.1), no wildcard: a server is known by its own name. */
const HOST_PATTERN =
  /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;
const HOSTS_MAX = 8;

const wrongName = (what: string) => pkiError('ERR_CA_PROFILE', `a certificate of this profile ${what}`);

const device: IssueRow = {
  issuer: 'issuing',
  device: true,
  subject({ expected }) {
    if (expected === undefined) throw wrongName('is for a device');
    const { device, home, guests } = expected;
    const uris = [home, ...guests].map((tenant) => deviceUri(tenant, device));
    return { subject: { commonName: device }, names: { uris } };
  },
};

const person: IssueRow = {
  issuer: 'officeIssuing',
  device: false,
  subject({ tenant, name: { role, person } }) {
    if (tenant === undefined || role === undefined || person === undefined)
      throw wrongName('is for a person or system, by role and name');
    return { subject: { commonName: person }, names: { uris: [personUri({ tenant, role, person })] } };
  },
};

const server = (issuer: IssueRow['issuer'], uri: (tenant: TenantId | undefined) => string): IssueRow => ({
  issuer,
  device: false,
  subject({ tenant, name: { dns = [], addresses = [] } }) {
    if (dns.length === 0 || dns.length > HOSTS_MAX || !dns.every((host) => HOST_PATTERN.test(host)))
      throw wrongName(`is for a server by 1 to ${HOSTS_MAX} lower-case host names`);
    return { subject: { commonName: dns[0]! }, names: { uris: [uri(tenant)], dns, addresses } };
  },
});

const tenantOf = (tenant: TenantId | undefined): TenantId => {
  if (tenant === undefined) throw wrongName('is for a tenant');
  return tenant;
};

export const ISSUE_ROWS: Readonly<Partial<Record<ProfileName, IssueRow>>> = {
  deviceTls: device,
  deviceSign: device,
  deviceAgree: device,
  sealing: {
    issuer: 'issuing',
    device: false,
    subject: ({ tenant }) => {
      const uri = sealingUri(tenantOf(tenant));
      return { subject: { commonName: uri }, names: { uris: [uri] } };
    },
  },
  frontServer: server('headEnd', () => FRONT_URI),
  deskServer: server('officeIssuing', (tenant) => deskUri(tenantOf(tenant))),
  personTls: person,
  personSign: person,
};
