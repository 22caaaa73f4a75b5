import type { Role } from '../../protocol/command/roles.ts';
import type { CertifyRequest, SigningAuthority } from '../x509/certify.ts';
import { OFFICE_ROOT_URI, officeIssuingUri, PRODUCTION_ORGANIZATION, personUri } from '../x509/names.ts';
import { PROFILES } from '../x509/profiles.ts';
import { type Leaf, makeIssuing, makeLeaf, makeRoot, ORES } from './field.ts';

/** Certificates of an office in memory, right ones and wrong ones. */

type Changes = Partial<Omit<CertifyRequest, 'spki'>>;

export const PERSON = 'ann';
export const ANN = personUri({ tenant: ORES, role: 'operator' satisfies Role, person: PERSON });

export const makeOfficeRoot = (changes: Changes & { readonly development?: boolean } = {}) => {
  const { profile, subject, ...rest } = changes;
  return makeRoot({
    profile: profile ?? PROFILES.officeRoot,
    names: { uris: [OFFICE_ROOT_URI] },
    ...(subject === undefined ? {} : { subject }),
    ...rest,
  });
};

export const makeOfficeIssuing = (
  root: SigningAuthority,
  tenant: typeof ORES,
  changes: Changes = {},
): SigningAuthority =>
  makeIssuing(root, tenant, {
    profile: PROFILES.officeIssuing,
    subject: { organization: PRODUCTION_ORGANIZATION, commonName: officeIssuingUri(tenant) },
    names: { uris: [officeIssuingUri(tenant)] },
    ...changes,
  });

/** The signature certificate of ann, an operator of ORES, but for the changes. */
export const makePerson = (authority: SigningAuthority, changes: Changes = {}): Leaf =>
  makeLeaf(authority, {
    profile: PROFILES.personSign,
    subject: { commonName: PERSON },
    names: { uris: [ANN] },
    ...changes,
  });
