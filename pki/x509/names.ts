import { isRole, type Role } from '../../protocol/command/roles.ts';
import { isTenantId, type TenantId } from '../../protocol/identity.ts';

/** What an issuing CA is called, in its CN and its SAN: the name binds it to its one tenant. */
export const issuingUri = (tenant: TenantId): string => `urn:hes:${tenant}:issuing`;

/** What a tenant's sealing key is called. */
export const sealingUri = (tenant: TenantId): string => `urn:hes:${tenant}:sealing`;

/** What a device that has no name yet asks under: its home first, then each guest. Never the form of a device's name. */
export const enrolmentUri = (tenant: TenantId, request: string): string =>
  `urn:hes:${tenant}:enrolment:${request}`;

/** The CA of the shared head-end; the hyphen keeps it out of the space of tenant names. */
export const HEAD_END_URI = 'urn:hes:head-end:issuing';
export const FRONT_URI = 'urn:hes:head-end:front';
export const FIELD_ROOT_URI = 'urn:hes:field-root';

/** The office: another root, whose CAs have names that no CA of the field has. */
export const OFFICE_ROOT_URI = 'urn:hes:office-root';
export const officeIssuingUri = (tenant: TenantId): string => `urn:hes:${tenant}:office-issuing`;
/** The server of a tenant's API. */
export const deskUri = (tenant: TenantId): string => `urn:hes:${tenant}:office:desk`;

/** Somebody who signs or asks: a person, or a system by its name. */
export interface OfficeName {
  readonly tenant: TenantId;
  readonly role: Role;
  readonly person: string;
}

/** A name within a tenant, as it stands in audit rows and terminals: 1 to 32 of letters, digits, dot and hyphen. */
const PERSON_PATTERN = /^[a-z][a-z0-9.-]{0,31}$/;
export const isPersonName = (text: unknown): text is string =>
  typeof text === 'string' && PERSON_PATTERN.test(text);

export const personUri = ({ tenant, role, person }: OfficeName): string =>
  `urn:hes:${tenant}:office:${role}:${person}`;

/** Undefined where it is not one of ours. */
export function parsePersonUri(uri: string): OfficeName | undefined {
  const [urn, hes, tenant, office, role, person, ...rest] = uri.split(':');
  if (urn !== 'urn' || hes !== 'hes' || office !== 'office' || rest.length > 0) return undefined;
  return isTenantId(tenant) && isRole(role) && isPersonName(person) ? { tenant, role, person } : undefined;
}

/**
 * The organization in the names of every development CA. It is part of the certificates, not of a file beside
 * them, so that development keys that were copied into production are still recognized there.
 */
export const DEVELOPMENT_ORGANIZATION = 'HES development';
export const PRODUCTION_ORGANIZATION = 'HES';
