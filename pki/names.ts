import type { TenantId } from '../protocol/identity.ts';

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

/**
 * The organization in the names of every development CA. It is part of the certificates, not of a file beside
 * them, so that development keys that were copied into production are still recognized there.
 */
export const DEVELOPMENT_ORGANIZATION = 'HES development';
export const PRODUCTION_ORGANIZATION = 'HES';
